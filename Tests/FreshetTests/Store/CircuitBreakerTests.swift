import Testing

@testable import Freshet

/// Every cell of the table of states and events.
@Suite struct CircuitBreakerTests {
    typealias State = CircuitBreaker.State

    @Test func closedAdmitsEverything() {
        var breaker = CircuitBreaker()
        for _ in 0..<10 { #expect(breaker.admitted(at: 0) != nil) }
        #expect(breaker.state == .closed(failures: 0))
    }

    @Test(arguments: [
        (CircuitBreaker.Verdict.answered, State.closed(failures: 0)),
        (.failed, .closed(failures: 2)),
        (.unknown, .closed(failures: 1)),
    ])
    func closedCountsFailuresInARow(verdict: CircuitBreaker.Verdict, state: State) {
        var breaker = CircuitBreaker()
        breaker.make(.failed, at: 0)
        breaker.make(verdict, at: 1)
        #expect(breaker.state == state)
        #expect(breaker.isClosed)
    }

    @Test func theLastFailureOpens() {
        let breaker = CircuitBreaker.opened(at: 10)
        #expect(breaker.state == .open(until: .seconds(11), pause: .seconds(1)))
        #expect(!breaker.isClosed)
    }

    @Test func openRefusesAndSaysForHowLong() {
        var breaker = CircuitBreaker.opened(at: 10)
        #expect(breaker.admit(at: .seconds(10)) == .refused(retryAfter: .seconds(1)))
        let justBefore = MonotonicInstant(nanoseconds: 10_999_999_999)
        #expect(breaker.admit(at: justBefore) == .refused(retryAfter: .nanoseconds(1)))
    }

    @Test(arguments: [CircuitBreaker.Verdict.answered, .failed, .unknown])
    func openIgnoresVerdictsOnEarlierCalls(verdict: CircuitBreaker.Verdict) throws {
        var breaker = CircuitBreaker()
        let early = breaker.admitted(at: 0)
        for _ in 0..<CircuitBreaker.failureThreshold { breaker.make(.failed, at: 10) }
        let state = breaker.state
        breaker.settle(try #require(early), verdict, at: .seconds(10))
        #expect(breaker.state == state)
    }

    @Test func afterThePauseOneProbeIsAdmitted() {
        var breaker = CircuitBreaker.opened(at: 10)
        #expect(breaker.admitted(at: 11) != nil)
        #expect(breaker.state == .halfOpen(pause: .seconds(1)))
        #expect(breaker.admit(at: .seconds(11)) == .refused(retryAfter: .seconds(1)))
        #expect(!breaker.isClosed)
    }

    @Test(arguments: [
        (CircuitBreaker.Verdict.answered, State.closed(failures: 0)),
        (.failed, .open(until: .seconds(14), pause: .seconds(2))),
        (.unknown, .open(until: .seconds(12), pause: .seconds(1))),
    ])
    func theProbeDecides(verdict: CircuitBreaker.Verdict, state: State) throws {
        var breaker = CircuitBreaker.opened(at: 10)
        let probe = breaker.admitted(at: 11)
        breaker.settle(try #require(probe), verdict, at: .seconds(12))
        #expect(breaker.state == state)
    }

    @Test(arguments: [CircuitBreaker.Verdict.answered, .failed, .unknown])
    func halfOpenIgnoresVerdictsOnEarlierCalls(verdict: CircuitBreaker.Verdict) throws {
        var breaker = CircuitBreaker()
        let early = breaker.admitted(at: 0)
        for _ in 0..<CircuitBreaker.failureThreshold { breaker.make(.failed, at: 10) }
        _ = breaker.admitted(at: 11)
        breaker.settle(try #require(early), verdict, at: .seconds(11))
        #expect(breaker.state == .halfOpen(pause: .seconds(1)))
    }

    @Test func thePauseDoublesUpToTheLongestAndStartsAnewOnceClosed() {
        var breaker = CircuitBreaker.opened(at: 0)
        breaker.make(.failed, at: 1)
        #expect(breaker.state == .open(until: .seconds(3), pause: .seconds(2)))
        breaker.make(.failed, at: 3)
        breaker.make(.failed, at: 7)
        #expect(breaker.state == .open(until: .seconds(15), pause: .seconds(8)))
        breaker.make(.failed, at: 15)
        #expect(breaker.state == .open(until: .seconds(25), pause: .seconds(10)))
        breaker.make(.answered, at: 25)
        for _ in 0..<CircuitBreaker.failureThreshold { breaker.make(.failed, at: 26) }
        #expect(breaker.state == .open(until: .seconds(27), pause: .seconds(1)))
    }

    @Test func whereSomebodyProbesNoOtherCallDoes() throws {
        var breaker = CircuitBreaker.opened(at: 10)
        breaker.probePeriod = .seconds(60)
        #expect(breaker.admit(at: .seconds(11)) == .refused(retryAfter: .seconds(1)))
        #expect(breaker.state == .open(until: .seconds(11), pause: .seconds(1)))
        guard case .admitted(let probe) = breaker.admit(at: .seconds(10), isProbe: true) else {
            Issue.record("the prober was refused")
            return
        }
        breaker.settle(probe, .answered, at: .seconds(12))
        #expect(breaker.isClosed)
        #expect(breaker.lastAnswer == .seconds(12))
    }

    @Test func whereSomebodyProbesPausesGrowNoLongerThanBetweenTwoLooks() {
        var breaker = CircuitBreaker.opened(at: 0)
        breaker.probePeriod = .milliseconds(1500)
        for _ in 0..<2 {
            guard case .admitted(let probe) = breaker.admit(at: .seconds(4), isProbe: true) else { break }
            breaker.settle(probe, .failed, at: .seconds(4))
        }
        #expect(breaker.state == .open(until: .seconds(4) + .milliseconds(1500), pause: .milliseconds(1500)))
    }
}

extension MonotonicInstant {
    fileprivate static func seconds(_ seconds: Int64) -> Self { Self(nanoseconds: seconds * 1_000_000_000) }
}

extension CircuitBreaker {
    fileprivate static func opened(at seconds: Int64) -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<CircuitBreaker.failureThreshold { breaker.make(.failed, at: seconds) }
        return breaker
    }

    fileprivate mutating func admitted(at seconds: Int64) -> Ticket? {
        if case .admitted(let ticket) = admit(at: .seconds(seconds)) { ticket } else { nil }
    }

    /// Makes a call that ends at once.
    fileprivate mutating func make(_ verdict: Verdict, at seconds: Int64) {
        guard let ticket = admitted(at: seconds) else { return }
        settle(ticket, verdict, at: .seconds(seconds))
    }
}
