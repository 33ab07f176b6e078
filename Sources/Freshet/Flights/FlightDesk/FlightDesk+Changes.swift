import NIOConcurrencyHelpers

/// What happens to a key while its flights are under way.
extension FlightDesk {
    /// Another process has changed a key; `change` applies that to what is held.
    func tell(_ key: String, _ generation: Generation, isInvalidation: Bool, _ change: (inout L1Change) -> Void) {
        var pauses: [SpawnedTask] = []
        var checks: [(FlightID, Meanwhile)] = []
        let now = spawner.now()
        changing(then: carryOut) { state, l1 in
            change(&l1)
            state.told.remember(generation, of: key, until: now + trust.windowIfTold, at: now)
            pauses = wake(key, &state)
            if let queued = state.table.queued(of: key) { state.runs[queued]?.isDoubtful = true }
            let turn = state.table.tell(key, generation, isInvalidation: isInvalidation, at: now)
            for id in state.table.shared(of: key) where state.runs[id]?.awaitsMessage ?? false {
                state.runs[id]?.awaitsMessage = false
                if state.table.isAwaited(id) { checks.append((id, meanwhile(in: id, .read, &state))) }
            }
            return turn
        }
        for pause in pauses { pause.cancel() }
        for (id, check) in checks { perform(check, in: id) }
    }

    /// Somebody has changed what is stored under a key; `change` applies that to what is remembered beside L1.
    func tellWritten(_ key: String, _ change: () -> Void = {}) {
        let pauses = changing { state, l1 in
            change()
            l1.suspectWritten(key)
            state.table.tellWritten(key)
            for id in state.table.shared(of: key) { suspectInterim(id, &state) }
            return wake(key, &state)
        }
        for pause in pauses { pause.cancel() }
    }

    /// Somebody may have changed what is stored under any key.
    func tellEverythingWritten() {
        state.withLockedValue { state in
            trust.everythingWasWritten(at: spawner.now())
            state.table.tellEverythingWritten()
        }
    }

    /// - Returns: what is to be cancelled for it.
    private func wake(_ key: String, _ state: inout State) -> [SpawnedTask] {
        state.table.shared(of: key).compactMap { id in
            state.runs[id]?.isTold = true
            state.runs[id]?.isToldMeanwhile = true
            return state.runs[id]?.pause
        }
    }

    /// Has a flight wait until an instant, or until another process tells of a change of its key.
    ///
    /// - Throws: `CancellationError`.
    func pause(_ id: FlightID, until instant: MonotonicInstant) async throws {
        let pause = spawner.spawn { [spawner] in try? await spawner.sleep(until: instant) }
        let isTold = state.withLockedValue { state in
            state.runs[id]?.pause = pause
            return state.runs[id]?.isTold ?? false
        }
        if isTold { pause.cancel() }
        await withTaskCancellationHandler {
            await pause.wait()
        } onCancel: {
            pause.cancel()
        }
        try Task.checkCancellation()
    }
}
