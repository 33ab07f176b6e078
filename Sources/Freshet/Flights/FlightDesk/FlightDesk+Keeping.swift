import NIOConcurrencyHelpers

/// What a flight brings, and whether it may be kept.
extension FlightDesk {
    /// Keeps what a flight has brought, unless an invalidation has overtaken it or the key has another generation.
    ///
    /// - Parameter instant: when the store was asked, for what the flight has had since before its load.
    /// - Returns: whether it was kept.
    @discardableResult
    func keep(
        _ id: FlightID,
        of generation: Generation?,
        checkedAt instant: MonotonicInstant,
        _ change: (inout L1Change) -> Void
    ) -> Bool {
        changing { state, l1 in
            guard state.table.mayKeep(id, of: generation, checkedAt: instant) else { return false }
            change(&l1)
            return true
        }
    }

    /// Keeps what a flight's load has brought, as ``keep(_:of:checkedAt:_:)``, and where the store has not taken it
    /// nothing that began before it in this process.
    ///
    /// - Parameter change: told whether the store may hold something else by now.
    func keepLoaded(
        _ id: FlightID,
        of generation: Generation?,
        isStored: Bool,
        _ change: (inout L1Change, _ isWritten: Bool) -> Void
    ) -> Bool {
        changing { state, l1 in
            guard state.table.mayKeep(id, of: generation) else { return false }
            if !isStored { state.table.giveUpAside(for: id) }
            change(&l1, isStored && state.table.isWritten(id))
            return true
        }
    }

    /// Call before a flight asks or fills the store. Changes told of until now are in the store already, and no news to
    /// what it will answer.
    func willAskStore(_ id: FlightID) {
        state.withLockedValue { state in
            state.runs[id]?.isTold = false
            state.table.forgetNews(id)
        }
    }

    /// Keeps what the store has answered, as ``keep(_:of:checkedAt:_:)``, unless another process has stored something
    /// since it was asked, or a forced load has begun: the answer may be what there was before.
    ///
    /// - Parameter change: told whether another process has told of another generation: the answer may be that of a replica
    ///   which has yet to hear of it.
    @discardableResult
    func keepAnswer(
        _ id: FlightID,
        _ key: String,
        of generation: Generation?,
        _ change: (inout L1Change, _ isContested: Bool) -> Void
    ) -> Bool {
        let now = spawner.now()
        return changing { state, l1 in
            guard !state.table.hasNews(id), state.table.mayKeep(id, of: generation) else { return false }
            change(&l1, state.told.value(of: key, at: now).map { $0 != generation } ?? false)
            return true
        }
    }

    /// Believes for a while what is held, since the store is away: what is held has heard what was invalidated meanwhile.
    ///
    /// - Returns: nil where that is nothing, or not for those who wait in the flight.
    func believeHeld(_ id: FlightID, of field: AnyField) -> Entry? {
        changing { state, l1 in
            guard let held = l1.peek(field.key), state.table.mayAnswer(id, of: held.generation) else { return nil }
            let now = spawner.now()
            let entry = held.unverified(at: now)
            if entry.freshUntil > now, state.table.isCurrent(id) { l1.hold(entry, of: field.key) }
            return entry
        }
    }

    /// Changes what is held or remembered, if no invalidation has overtaken the flight.
    ///
    /// - Returns: whether that was so.
    @discardableResult
    func changeIfCurrent(_ id: FlightID, _ change: (inout L1Change) -> Void) -> Bool {
        changing { state, l1 in
            guard state.table.isCurrent(id) else { return false }
            change(&l1)
            return true
        }
    }

    /// Whether what a flight brings may be kept, as ``keep(_:of:checkedAt:_:)`` has it.
    func mayKeep(_ id: FlightID, of generation: Generation?, checkedAt instant: MonotonicInstant) -> Bool {
        state.withLockedValue { $0.table.mayKeep(id, of: generation, checkedAt: instant) }
    }

    /// Whether a forced load has begun in this process since the flight asked for its lease, and so will have taken it.
    func hasLostLease(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.hasLostLease(id) } }

    /// Whether no invalidation has overtaken the flight.
    func isCurrent(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.isCurrent(id) } }
}
