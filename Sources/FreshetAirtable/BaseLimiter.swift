import Freshet
import NIOConcurrencyHelpers

/// Paces the requests to the bases of an endpoint, for everybody who asks them.
final class BaseLimiter: Sendable {
    private let interval: Duration
    private let spawner: any Spawner
    private let state: NIOLockedValueBox<State>

    private struct State {
        var limiter: LimiterState
        var waiters: [LimiterState.ID: UnsafeContinuation<Void, any Error>] = [:]
        /// Those who gave up before they had begun to wait.
        var cancelled: Set<LimiterState.ID> = []
        var lastID: LimiterState.ID = 0
        /// By base.
        var paceTroubles: [String: PaceTrouble] = [:]
        /// Of the pace that processes share, by base.
        var turnDelays: [String: TurnDelays] = [:]
    }

    init(interval: Duration, spawner: any Spawner) {
        self.interval = interval
        self.spawner = spawner
        state = NIOLockedValueBox(State(limiter: LimiterState(interval: interval)))
    }

    /// How many wait.
    var waiting: Int { state.withLockedValue { $0.limiter.waiting } }

    /// Returns when it is the caller's turn.
    ///
    /// - Parameters:
    ///   - token: what the base is asked with; the turns of a token keep a distance, too.
    ///   - holds: whether the turn begins before the caller may ask, which ``waitForSlot(_:token:)`` is for, and nobody else has
    ///     one before ``release(_:)``.
    /// - Throws: `CacheError` while the base is closed, with `overloaded` after a rate limit and `sourceFailed` after a
    ///   spent quota; `CancellationError`.
    func acquire(_ base: String, token: String, holds: Bool = false) async throws {
        try Task.checkCancellation()
        let id = state.withLockedValue { state in
            state.lastID += 1
            return state.lastID
        }
        // A cancellation that came after the wait was over leaves its mark.
        defer { state.withLockedValue { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { enter(id, base, token, holds, $0) }
        } onCancel: {
            leave(id, base)
        }
    }

    /// Returns when whoever holds a base may ask it, and counts that as done.
    ///
    /// - Throws: as ``acquire(_:token:holds:)``.
    func waitForSlot(_ base: String, token: String) async throws {
        while true {
            try check(base, token: token)
            let now = spawner.now()
            guard let time = state.withLockedValue({ $0.limiter.useSlot(base, token: token, at: now) }) else { return }
            try await spawner.sleep(until: now + time)
        }
    }

    /// Whoever holds a base has asked it, or will not.
    func release(_ base: String) {
        let timer = state.withLockedValue { $0.limiter.release(base) }
        if let timer { setTimer(timer) }
    }

    /// Closes a base, or all that are asked with the token: those who wait get an error now, and those who come get one
    /// until the time is over.
    ///
    /// - Parameter token: nil where another process was refused.
    func close(_ base: String, token: String?, for time: Duration, because reason: LimiterState.Closure) {
        let now = spawner.now()
        let refused = state.withLockedValue { state in
            state.limiter.close(base, token: token, until: now + time, because: reason, at: now)
                .map { (waiter: state.waiters.removeValue(forKey: $0.id), refused: $0) }
        }
        for (waiter, refused) in refused {
            waiter?.resume(throwing: Self.error(refused.base, refused.closure, for: refused.time))
        }
    }

    /// - Throws: as ``acquire(_:token:holds:)`` while the base is closed.
    func check(_ base: String, token: String) throws {
        let now = spawner.now()
        let closed = state.withLockedValue { $0.limiter.closure(of: base, token: token, at: now) }
        if let closed { throw Self.error(base, closed.closure, for: closed.time) }
    }

    /// Why the pace that processes share does not count.
    enum PaceTrouble: Sendable {
        case away, refused
    }

    /// - Parameter trouble: nil where the pace counts.
    /// - Returns: whether that is news.
    @discardableResult
    func note(_ trouble: PaceTrouble?, of base: String) -> Bool {
        state.withLockedValue { state in
            defer { state.paceTroubles[base] = trouble }
            return state.paceTroubles[base] != trouble
        }
    }

    /// What to keep free behind the next turn of the pace that processes share.
    func allowance(of base: String) -> Duration {
        let now = spawner.now()
        return state.withLockedValue { $0.turnDelays[base, default: TurnDelays(interval: interval)].allowance(at: now) }
    }

    /// A turn of the pace that processes share may have been given, and was not taken.
    func missTurn(of base: String) { state.withLockedValue { $0.turnDelays[base]?.miss() } }

    /// A turn of the pace that processes share has come.
    ///
    /// - Parameters:
    ///   - asked: when it was asked for.
    ///   - wait: what it was told to wait.
    ///   - allowance: what was kept free behind it.
    /// - Returns: whether to let it go, as `TurnDelays.note(_:after:allowance:at:)` has it.
    func noteTurn(of base: String, asked: MonotonicInstant, wait: Duration, allowance: Duration) -> Bool {
        let now = spawner.now()
        return state.withLockedValue {
            $0.turnDelays[base, default: TurnDelays(interval: interval)]
                .note(now - asked - wait, after: wait, allowance: allowance, at: now)
        }
    }

    /// A page came.
    func answered(token: String) { state.withLockedValue { $0.limiter.answered(token: token) } }

    private func enter(
        _ id: LimiterState.ID,
        _ base: String,
        _ token: String,
        _ holds: Bool,
        _ continuation: UnsafeContinuation<Void, any Error>
    ) {
        let now = spawner.now()
        let (outcome, timer): (Result<Void, any Error>?, MonotonicInstant?) = state.withLockedValue { state in
            if state.cancelled.remove(id) != nil { return (.failure(CancellationError()), nil) }
            switch state.limiter.enter(id, base: base, token: token, holds: holds, at: now) {
            case .go: return (.success(()), nil)
            case .closed(let time, let reason): return (.failure(Self.error(base, reason, for: time)), nil)
            case .wait(let timer):
                state.waiters[id] = continuation
                return (nil, timer)
            }
        }
        if let outcome { continuation.resume(with: outcome) }
        if let timer { setTimer(timer) }
    }

    private func leave(_ id: LimiterState.ID, _ base: String) {
        let waiter = state.withLockedValue { state in
            if state.limiter.leave(id, base: base) { return state.waiters.removeValue(forKey: id) }
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
                let (id, timer) = state.limiter.timerRang(for: instant, at: now)
                return (id.flatMap { state.waiters.removeValue(forKey: $0) }, timer)
            }
            waiter?.resume()
            if let timer { self.setTimer(timer) }
        }
    }

    private static func error(_ name: String, _ closure: LimiterState.Closure, for time: Duration) -> CacheError {
        let pause = "nobody asks it for a while"
        return switch closure {
        case .rateLimitOfToken:
            CacheError(
                .overloaded,
                "bases had too many requests, one after the other; nobody asks any with their token for a while",
                retryAfter: time
            )
        case .rateLimit: CacheError(.overloaded, "base \(name) had too many requests; \(pause)", retryAfter: time)
        case .quota:
            CacheError(.sourceFailed, "base \(name) has spent its API calls for this month; \(pause)", retryAfter: time)
                .because(of: .quota)
        }
    }
}
