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
        #expect(state.timerRang(for: at(430), at: at(440)) == (3, at(655)))
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
        #expect(state.timerRang(for: at(215), at: at(200)) == (nil, at(215)))
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
        #expect(state.close(until: at(30_000)).keys.sorted() == [2])
        #expect(state.enter(3, at: at(10_000)) == .closed(.seconds(20), .rateLimit))
        #expect(state.timerRang(at: at(215)) == (nil, nil))
        #expect(state.close(until: at(20_000)).keys.sorted() == [])
        #expect(state.enter(4, at: at(29_999)) == .closed(.milliseconds(1), .rateLimit))
        #expect(state.enter(5, at: at(30_000)) == .go)
    }

    @Test("A base that is held has no turn until it is given back; slots are kept")
    func held() {
        var state = LimiterState(interval: .milliseconds(200))
        for (id, base): (LimiterState.ID, String) in [(1, "a"), (2, "b")] {
            #expect(state.enter(id, base: base, token: "token", holds: true, at: at(0)) == .go)
        }
        #expect(state.enter(3, base: "a", token: "token", holds: true, at: at(0)) == .wait(timer: nil))
        #expect(state.enter(4, at: at(0)) == .wait(timer: nil))
        #expect(state.useSlot("a", token: "token", at: at(0)) == nil)
        #expect(state.useSlot("b", token: "token", at: at(0)) == .milliseconds(20))
        #expect(state.useSlot("b", token: "token", at: at(20)) == nil)
        #expect(state.release("a") == at(0))
        #expect(state.timerRang(for: at(0), at: at(30)).granted == 3)
        #expect(state.useSlot("a", token: "token", at: at(30)) == .milliseconds(170))
        // Not asked; and who holds nothing waits for the slot.
        #expect(state.release("a") == at(200))
        #expect(state.timerRang(at: at(200)).granted == 4)
    }

    @Test("Bases that other processes were refused close alone")
    func closedByOthers() {
        var state = LimiterState(interval: .milliseconds(215))
        for base in ["a", "b"] { state.close(base: base, token: nil, until: at(30_000)) }
        #expect(state.enter(1, base: "a", at: at(0)) == .closed(.seconds(30), .rateLimit))
        #expect(state.enter(2, base: "c", at: at(0)) == .go)
        state.close(base: "c", until: at(20_000))
        #expect(state.enter(3, base: "d", at: at(100)) == .go)
    }

    @Test("Turns with a token are a tenth of that apart, whatever the bases")
    func tokens() {
        var state = LimiterState(interval: .milliseconds(200))
        #expect(state.enter(1, base: "a", at: at(0)) == .go)
        #expect(state.enter(2, base: "b", at: at(0)) == .wait(timer: at(20)))
        #expect(state.enter(3, base: "a", token: "other", at: at(0)) == .wait(timer: nil))
        #expect(state.enter(4, base: "c", token: "other", at: at(0)) == .go)
        #expect(state.timerRang(at: at(20)) == (2, at(200)))
        #expect(state.timerRang(at: at(200)) == (3, nil))
    }

    @Test("A base whose turn is sooner sets an earlier timer, and the one before counts no longer")
    func earlierTimer() {
        var state = LimiterState(interval: .milliseconds(200))
        #expect(state.enter(1, base: "a", at: at(0)) == .go)
        #expect(state.enter(2, base: "a", at: at(1)) == .wait(timer: at(200)))
        #expect(state.enter(3, base: "b", at: at(2)) == .wait(timer: at(20)))
        #expect(state.timerRang(at: at(20)) == (3, at(200)))
        #expect(state.enter(4, base: "c", at: at(30)) == .wait(timer: at(40)))
        #expect(state.timerRang(for: at(200), at: at(200)) == (nil, nil))
        #expect(state.timerRang(for: at(40), at: at(200)) == (4, at(220)))
        #expect(state.timerRang(at: at(220)) == (2, nil))
    }

    @Test("A base closes alone, and costs no other one a turn")
    func closingOne() {
        var state = LimiterState(interval: .milliseconds(200))
        _ = state.enter(1, base: "a", at: at(0))
        _ = state.enter(2, base: "a", at: at(0))
        _ = state.enter(3, base: "b", at: at(0))
        #expect(state.close(base: "a", until: at(30_000), because: .quota).keys.sorted() == [2])
        #expect(state.enter(4, base: "a", at: at(1)) == .closed(.milliseconds(29_999), .quota))
        #expect(state.timerRang(at: at(20)) == (3, nil))
    }

    @Test("A second base that is refused while the first is closed closes the token until the later of the two ends")
    func closingToken() {
        var state = LimiterState(interval: .milliseconds(200))
        #expect(state.close(base: "a", until: at(30_000)) == [:])
        #expect(state.enter(1, base: "c", at: at(5_000)) == .go)
        #expect(state.enter(2, base: "c", at: at(5_000)) == .wait(timer: at(5_200)))
        #expect(state.enter(3, base: "c", token: "other", at: at(5_000)) == .wait(timer: nil))
        #expect(state.enter(9, base: "b", token: "third", at: at(5_000)) == .go)
        #expect(state.enter(10, base: "b", token: "third", at: at(5_000)) == .wait(timer: nil))
        let refused = state.close(base: "b", until: at(35_000), at: at(5_001))
        #expect(
            refused == [
                2: .closed(.milliseconds(29_999), .rateLimitOfToken), 10: .closed(.milliseconds(29_999), .rateLimit),
            ]
        )
        #expect(state.timerRang(at: at(5_200)) == (3, nil))
        #expect(state.enter(4, base: "a", at: at(10_000)) == .closed(.seconds(25), .rateLimitOfToken))
        #expect(state.enter(5, base: "b", at: at(10_000)) == .closed(.seconds(25), .rateLimit))
        #expect(state.enter(6, base: "d", at: at(34_999)) == .closed(.milliseconds(1), .rateLimitOfToken))
        #expect(state.enter(7, base: "d", token: "other", at: at(34_999)) == .go)
        #expect(state.enter(8, base: "a", at: at(35_000)) == .go)
    }

    @Test("Who waits as a token is closed hears how long that lasts, though the base that was refused opens earlier")
    func waitingAsTokenCloses() {
        var state = LimiterState(interval: .milliseconds(200))
        state.close(base: "a", until: at(60_000))
        #expect(state.enter(1, base: "b", at: at(5_000)) == .go)
        #expect(state.enter(2, base: "b", at: at(5_000)) == .wait(timer: at(5_200)))
        #expect(state.enter(3, base: "b", token: "other", at: at(5_000)) == .wait(timer: nil))
        let refused = state.close(base: "b", until: at(35_000), at: at(5_000))
        #expect(refused == [2: .closed(.seconds(55), .rateLimitOfToken), 3: .closed(.seconds(30), .rateLimit)])
        #expect(state.enter(4, base: "b", at: at(5_000)) == refused[2])
        state.close(base: "c", until: at(36_000), at: at(6_000))
        #expect(state.enter(5, base: "c", at: at(6_000)) == .closed(.seconds(54), .rateLimitOfToken))
    }

    @Test("A closure that lasts no time refuses nobody")
    func emptyClosure() {
        var state = LimiterState(interval: .milliseconds(200))
        #expect(state.enter(1, at: at(0)) == .go)
        #expect(state.enter(2, at: at(0)) == .wait(timer: at(200)))
        #expect(state.close(until: at(100), at: at(100)).isEmpty)
        #expect(state.timerRang(at: at(200)) == (2, nil))
    }

    @Test(
        "Bases that are refused after each other, or the same one again, close no token; nor where a page came between"
    )
    func closingBases() {
        var state = LimiterState(interval: .milliseconds(200))
        state.close(base: "a", until: at(30_000))
        state.close(base: "a", until: at(30_100), at: at(100))
        #expect(state.enter(1, base: "c", at: at(150)) == .go)
        state.close(base: "b", token: "other", until: at(30_200), at: at(200))
        #expect(state.enter(2, base: "d", token: "other", at: at(250)) == .go)
        state.close(base: "b", until: at(60_100), at: at(30_100))
        #expect(state.enter(3, base: "e", at: at(30_150)) == .go)
        state.answered(token: "token")
        state.close(base: "c", until: at(60_200), at: at(30_200))
        #expect(state.enter(4, base: "e", at: at(30_450)) == .go)
        state.close(base: "d", until: at(4_000_000), because: .quota, at: at(30_500))
        #expect(state.enter(5, base: "e", at: at(30_700)) == .go)
    }
}

extension LimiterState {
    fileprivate mutating func enter(_ id: ID, base: String = "a", at now: MonotonicInstant) -> Entry {
        enter(id, base: base, token: "token", at: now)
    }

    /// In time.
    fileprivate mutating func timerRang(at now: MonotonicInstant) -> (granted: ID?, timer: MonotonicInstant?) {
        timerRang(for: now, at: now)
    }

    fileprivate mutating func leave(_ id: ID) -> Bool { leave(id, base: "a") }

    @discardableResult
    fileprivate mutating func close(
        base: String = "a",
        token: String? = "token",
        until instant: MonotonicInstant,
        because closure: Closure = .rateLimit,
        at now: MonotonicInstant = MonotonicInstant(nanoseconds: 0)
    ) -> [ID: Entry] {
        close(base, token: token, until: instant, because: closure, at: now)
            .reduce(into: [:]) { $0[$1.id] = .closed($1.time, $1.closure) }
    }
}
