import Freshet
import Testing

@testable import FreshetAirtable

@Suite("Limiter: who may ask when")
struct LimiterStateTests {
    private func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("Lets the first through at once and one more per interval, in order")
    func pacing() {
        var state = LimiterState(interval: .milliseconds(215))
        #expect(state.enter(1, at: at(0)) == .go)
        #expect(state.enter(2, at: at(0)) == .wait(timer: at(215)))
        #expect(state.enter(3, at: at(1)) == .wait(timer: nil))
        #expect(state.timerRang(at: at(215)) == (2, at(430)))
        #expect(state.enter(4, at: at(435)) == .wait(timer: nil), "the timer is late")
        #expect(state.timerRang(at: at(440)) == (3, at(655)))
        #expect(state.timerRang(at: at(655)) == (4, nil))
        #expect(state.enter(5, at: at(700)) == .wait(timer: at(870)))
        #expect(state.timerRang(at: at(870)) == (5, nil))
        #expect(state.enter(6, at: at(2000)) == .go)
    }

    @Test("Idle time earns no burst")
    func noBurst() {
        var state = LimiterState(interval: .milliseconds(215))
        #expect(state.enter(1, at: at(10_000)) == .go)
        #expect(state.enter(2, at: at(10_000)) == .wait(timer: at(10_215)))
    }

    @Test("A timer that rings early is set again")
    func earlyTimer() {
        var state = LimiterState(interval: .milliseconds(215))
        _ = state.enter(1, at: at(0))
        _ = state.enter(2, at: at(0))
        #expect(state.timerRang(at: at(200)) == (nil, at(215)))
    }

    @Test("Who leaves costs nobody a turn")
    func leaving() {
        var state = LimiterState(interval: .milliseconds(215))
        _ = state.enter(1, at: at(0))
        _ = state.enter(2, at: at(0))
        _ = state.enter(3, at: at(0))
        let outcomes = [state.leave(2), state.leave(2)]
        #expect(outcomes == [true, false])
        #expect(state.timerRang(at: at(215)) == (3, nil))
    }

    @Test("A closure refuses those who wait and those who come, until it is over")
    func closing() {
        var state = LimiterState(interval: .milliseconds(215))
        _ = state.enter(1, at: at(0))
        _ = state.enter(2, at: at(0))
        #expect(state.close(until: at(30_000)) == [2])
        #expect(state.enter(3, at: at(10_000)) == .closed(.seconds(20)))
        #expect(state.timerRang(at: at(215)) == (nil, nil))
        #expect(state.close(until: at(20_000)) == [])
        #expect(state.enter(4, at: at(29_999)) == .closed(.milliseconds(1)))
        #expect(state.enter(5, at: at(30_000)) == .go)
    }
}
