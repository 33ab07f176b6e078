/// Decides whether a call may be made to something that keeps failing.
///
/// Closed, it lets every call through, until a number of failures in a row opens it. Open, it lets none through for a
/// pause. Then it is half-open: one call is let through as a probe. If that succeeds the breaker closes; if it
/// fails, the breaker opens again for twice the pause, up to the longest, or to the period of whoever makes the probes.
/// After M. Nygard, "Release It!" (2007).
///
/// A value without I/O or clock: every event comes with its instant. The verdict on a call that was let through in an
/// earlier state says nothing of the present one and is ignored.
struct CircuitBreaker: Sendable {
    /// How many failures in a row open it.
    static let failureThreshold = 5
    /// How long it is open first.
    private static let firstPause = Duration.seconds(1)
    /// What doubling does not exceed.
    private static let longestPause = Duration.seconds(10)

    enum State: Sendable, Hashable {
        case closed(failures: Int)
        case open(until: MonotonicInstant, pause: Duration)
        /// A probe is under way.
        case halfOpen(pause: Duration)
    }

    enum Admission: Sendable, Hashable {
        /// Make the call, then give its verdict with this ticket.
        case admitted(Ticket)
        /// Do not make it; it may be worth trying again after this time.
        case refused(retryAfter: Duration)
    }

    /// Ties a verdict to the state in which the call was admitted.
    struct Ticket: Sendable, Hashable {
        fileprivate let epoch: UInt64
    }

    enum Verdict: Sendable, Hashable {
        /// It was answered, if only by an error of its own.
        case answered
        case failed
        /// The call was given up before anything could be known.
        case unknown
    }

    private(set) var state = State.closed(failures: 0)
    /// How often somebody makes the probes, if somebody does: no other call becomes one then, and pauses grow no longer.
    var probePeriod: Duration?
    /// When the last call was answered.
    private(set) var lastAnswer: MonotonicInstant?
    /// Counts changes between closed, open and half-open.
    private var epoch: UInt64 = 0

    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// - Parameter isProbe: it is the prober who asks, and knows when to.
    mutating func admit(at now: MonotonicInstant, isProbe: Bool = false) -> Admission {
        switch state {
        case .closed:
            return .admitted(Ticket(epoch: epoch))
        case .open(_, let pause) where isProbe:
            return probe(pause)
        case .open(let until, _) where now < until:
            return .refused(retryAfter: until - now)
        case .open(_, let pause) where probePeriod == nil:
            return probe(pause)
        case .open, .halfOpen:
            return .refused(retryAfter: Self.firstPause)
        }
    }

    private mutating func probe(_ pause: Duration) -> Admission {
        move(to: .halfOpen(pause: pause))
        return .admitted(Ticket(epoch: epoch))
    }

    mutating func settle(_ ticket: Ticket, _ verdict: Verdict, at now: MonotonicInstant) {
        guard ticket.epoch == epoch else { return }
        if verdict == .answered { lastAnswer = now }
        switch (state, verdict) {
        case (.closed, .answered):
            state = .closed(failures: 0)
        case (.closed(let failures), .failed) where failures + 1 < Self.failureThreshold:
            state = .closed(failures: failures + 1)
        case (.closed, .failed):
            open(at: now, for: Self.firstPause)
        case (.halfOpen, .answered):
            move(to: .closed(failures: 0))
        case (.halfOpen(let pause), .failed):
            open(at: now, for: min(pause * 2, Self.longestPause, probePeriod ?? Self.longestPause))
        case (.halfOpen(let pause), .unknown):
            // The next call is the probe.
            move(to: .open(until: now, pause: pause))
        case (.closed, .unknown), (.open, _):
            break
        }
    }

    private mutating func open(at now: MonotonicInstant, for pause: Duration) {
        move(to: .open(until: now + pause, pause: pause))
    }

    private mutating func move(to next: State) {
        state = next
        epoch &+= 1
    }
}
