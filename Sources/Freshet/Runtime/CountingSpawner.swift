import NIOConcurrencyHelpers

/// Counts the tasks it starts, so that whoever started them can wait for their end.
final class CountingSpawner: Spawner {
    private struct State {
        var running = 0
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let base: any Spawner
    private let state = NIOLockedValueBox(State())

    init(_ base: any Spawner) { self.base = base }

    var hasSystemClock: Bool { base is SystemSpawner }

    func now() -> MonotonicInstant { base.now() }
    func wallTime() -> Duration { base.wallTime() }
    func sleep(until instant: MonotonicInstant) async throws { try await base.sleep(until: instant) }
    func random() -> UInt64 { base.random() }

    @discardableResult
    func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask {
        state.withLockedValue { $0.running += 1 }
        return base.spawn {
            await operation()
            self.end()
        }
    }

    /// Waits until none of its tasks runs.
    func drain() async {
        await withUnsafeContinuation { waiter in
            let isIdle = state.withLockedValue { state in
                if state.running > 0 { state.waiters.append(waiter) }
                return state.running == 0
            }
            if isIdle { waiter.resume() }
        }
    }

    private func end() {
        let waiters = state.withLockedValue { state -> [UnsafeContinuation<Void, Never>] in
            state.running -= 1
            guard state.running == 0 else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
