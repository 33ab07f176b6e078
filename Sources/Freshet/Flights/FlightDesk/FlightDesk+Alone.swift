import NIOConcurrencyHelpers

extension FlightDesk {
    /// Runs a load that nobody joins and nothing overtakes, for its caller alone.
    ///
    /// - Throws: what the load throws; ``CacheError`` with `shuttingDown`; `CancellationError`.
    func loadAlone<Value: Sendable>(_ load: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let id: SeatID? = state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            state.lastSeat += 1
            state.lone[state.lastSeat] = Lone()
            return state.lastSeat
        }
        guard let id else { throw Self.shutDownError }
        defer { state.withLockedValue { $0.lone[id] = nil } }
        let lineage = LoadLineage.current
        let result: Result<Value, any Error> = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let task = spawner.spawn {
                    do {
                        let value = try await LoadLineage.$current.withValue(lineage, operation: load)
                        continuation.resume(returning: .success(value))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
                let isCancelled = state.withLockedValue { state in
                    state.lone[id]?.task = task
                    return state.lone[id]?.isCancelled ?? false
                }
                if isCancelled { task.cancel() }
            }
        } onCancel: {
            let task = state.withLockedValue { state in
                state.lone[id]?.isCancelled = true
                return state.lone[id]?.task
            }
            task?.cancel()
        }
        do {
            return try result.get()
        } catch is CancellationError where !Task.isCancelled {
            throw Self.shutDownError
        }
    }
}
