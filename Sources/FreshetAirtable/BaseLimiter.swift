import Freshet
import NIOConcurrencyHelpers

/// Paces the requests to one base, for everybody who asks it.
final class BaseLimiter: Sendable {
    private let name: String
    private let spawner: any Spawner
    private let state: NIOLockedValueBox<State>

    private struct State {
        var limiter: LimiterState
        /// Why it was closed last.
        var closure = Closure.rateLimit
        var waiters: [LimiterState.ID: UnsafeContinuation<Void, any Error>] = [:]
        /// Those who gave up before they had begun to wait.
        var cancelled: Set<LimiterState.ID> = []
        var lastID: LimiterState.ID = 0
    }

    /// Why nobody may ask.
    enum Closure {
        case rateLimit
        /// The month's calls are spent.
        case quota
    }

    init(base: String, interval: Duration, spawner: any Spawner) {
        name = base
        self.spawner = spawner
        state = NIOLockedValueBox(State(limiter: LimiterState(interval: interval)))
    }

    /// How many wait.
    var waiting: Int { state.withLockedValue { $0.limiter.waiting } }

    /// Returns when it is the caller's turn.
    ///
    /// - Throws: `CacheError` while the base is closed, with `overloaded` after a rate limit and `sourceFailed` after a
    ///   spent quota; `CancellationError`.
    func acquire() async throws {
        try Task.checkCancellation()
        let id = state.withLockedValue { state in
            state.lastID += 1
            return state.lastID
        }
        // A cancellation that came after the wait was over leaves its mark.
        defer { state.withLockedValue { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { enter(id, $0) }
        } onCancel: {
            leave(id)
        }
    }

    /// Closes the base: those who wait get an error now, and those who come get one until the time is over.
    func close(for time: Duration, because reason: Closure) {
        let waiters = state.withLockedValue { state in
            let end = spawner.now() + time
            if end >= state.limiter.closedUntil { state.closure = reason }
            let ids = state.limiter.close(until: end)
            return ids.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        for waiter in waiters { waiter.resume(throwing: error(reason, for: time)) }
    }

    private func enter(_ id: LimiterState.ID, _ continuation: UnsafeContinuation<Void, any Error>) {
        let now = spawner.now()
        let (outcome, timer): (Result<Void, any Error>?, MonotonicInstant?) = state.withLockedValue { state in
            if state.cancelled.remove(id) != nil { return (.failure(CancellationError()), nil) }
            switch state.limiter.enter(id, at: now) {
            case .go: return (.success(()), nil)
            case .closed(let time): return (.failure(error(state.closure, for: time)), nil)
            case .wait(let timer):
                state.waiters[id] = continuation
                return (nil, timer)
            }
        }
        if let outcome { continuation.resume(with: outcome) }
        if let timer { setTimer(timer) }
    }

    private func leave(_ id: LimiterState.ID) {
        let waiter = state.withLockedValue { state in
            if state.limiter.leave(id) { return state.waiters.removeValue(forKey: id) }
            state.cancelled.insert(id)
            return nil
        }
        waiter?.resume(throwing: CancellationError())
    }

    private func setTimer(_ instant: MonotonicInstant) {
        spawner.spawn {
            try? await self.spawner.sleep(until: instant)
            let now = self.spawner.now()
            let (waiter, timer) = self.state.withLockedValue { state in
                let (id, timer) = state.limiter.timerRang(at: now)
                return (id.flatMap { state.waiters.removeValue(forKey: $0) }, timer)
            }
            waiter?.resume()
            if let timer { self.setTimer(timer) }
        }
    }

    private func error(_ closure: Closure, for time: Duration) -> CacheError {
        let seconds = (time.clampedMilliseconds + 999) / 1000
        let pause = "nobody asks it for another \(seconds) s"
        return switch closure {
        case .rateLimit: CacheError(.overloaded, "base \(name) had too many requests; \(pause)", retryAfter: time)
        case .quota:
            CacheError(.sourceFailed, "base \(name) has spent its API calls for this month; \(pause)", retryAfter: time)
                .because(of: .quota)
        }
    }
}
