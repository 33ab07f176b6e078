import Testing

@testable import Freshet

@Suite("Refresh state")
struct RefreshStateTests {
    /// Slots of ten seconds; the key's own shift moves them.
    private static let grid = SlotGrid(.every(.seconds(10)), of: "key")

    /// A time so long after a slot's beginning.
    private static func time(_ slots: Int, _ offset: Duration = .zero) -> Duration {
        grid.next(after: .seconds(1000)) + .seconds(10) * slots + offset
    }

    private func started(idleAfter: Duration = .zero) -> RefreshState {
        var state = RefreshState(Self.grid, idleAfter: idleAfter)
        _ = state.start(at: Self.time(0, .seconds(3)))
        return state
    }

    private func slot(of actions: [RefreshAction]) -> ScheduledSlot? {
        actions.lazy.compactMap { if case .ask(let slot) = $0 { slot } else { nil } }.first
    }

    @Test("at the start it asks for the slot that it is")
    func start() {
        var state = RefreshState(Self.grid, idleAfter: .seconds(30))
        let slot = slot(of: state.start(at: Self.time(0, .seconds(3))))
        #expect(slot?.start == Self.time(0))
        #expect(slot?.lastRead == nil)
        #expect(slot?.keepFor == .seconds(7 + 30 + 60))
    }

    @Test(
        "whatever the answer, it asks again, and when",
        arguments: [
            (SlotAnswer.loaded, Duration.seconds(10)), (.notDue, .seconds(10)), (.idle, .seconds(10)),
            (.held(for: .seconds(2)), .seconds(6)), (.held(for: .seconds(60)), .seconds(10)),
            (.held(for: .zero), .milliseconds(4001)),
            (.failed(pause: .seconds(3)), .seconds(7)), (.failed(pause: .seconds(30)), .seconds(34)),
            (.failed(pause: .zero), .seconds(5)), (.unavailable, .seconds(9)),
        ]
    )
    func answers(_ answer: SlotAnswer, _ wakeUp: Duration) {
        var state = started()
        let actions = state.answered(answer, at: Self.time(0, .seconds(4)))
        #expect(actions.last == .sleep(until: Self.time(0, wakeUp)))
        #expect(slot(of: state.wake(at: Self.time(0, wakeUp)))?.start == Self.grid.slot(at: Self.time(0, wakeUp)))
    }

    @Test("a store that does not answer is given a second, however near the next slot is")
    func nearSlot() {
        var state = started()
        let actions = state.answered(.unavailable, at: Self.time(0, .milliseconds(9500)))
        #expect(actions == [.sleep(until: Self.time(0, .milliseconds(10_500)))])
    }

    @Test("a slot that has begun by the store's clock is asked for, though this host's clock was behind at the start")
    func clockBehind() {
        var state = started()
        let actions = state.answered(.notDue, at: Self.time(1, .seconds(2)))
        #expect(slot(of: actions)?.start == Self.time(1))
        #expect(state.answered(.notDue, at: Self.time(1, .seconds(2))) == [.sleep(until: Self.time(2))])
    }

    @Test("a slot that has not begun by the store's clock is asked for when it does")
    func clockAhead() {
        var state = started()
        #expect(state.answered(.notDue, at: Self.time(-1, .seconds(9))) == [.sleep(until: Self.time(0))])
        #expect(slot(of: state.wake(at: Self.time(0)))?.start == Self.time(0))
    }

    @Test("slots that pass while a load goes on are left out")
    func longLoad() {
        var state = started()
        #expect(state.wake(at: Self.time(1)) == [])
        #expect(state.answered(.loaded, at: Self.time(3, .seconds(1))) == [.sleep(until: Self.time(4))])
    }

    @Test("a timer that comes early, late or twice does no harm")
    func timers() {
        var state = started()
        _ = state.answered(.loaded, at: Self.time(0, .seconds(4)))
        #expect(state.wake(at: Self.time(0, .seconds(5))) == [.sleep(until: Self.time(1))])
        #expect(slot(of: state.wake(at: Self.time(2, .seconds(5))))?.start == Self.time(2))
        #expect(state.wake(at: Self.time(3)) == [])
    }

    @Test("it pauses while nobody reads, says so once, and a read wakes it at once")
    func idle() {
        var state = started(idleAfter: .seconds(800))
        #expect(
            state.answered(.idle, at: Self.time(0, .seconds(4)))
                == [.tell(isPaused: true), .sleep(until: Self.time(1))]
        )
        #expect(state.isPaused && state.next(at: Self.time(0, .seconds(5))) == nil)
        #expect(slot(of: state.wake(at: Self.time(1))) != nil, "it looks whether others have read")
        #expect(state.answered(.idle, at: Self.time(1)) == [.sleep(until: Self.time(2))])
        let slot = slot(of: state.read(at: Self.time(1, .seconds(5))))
        #expect(slot?.start == Self.time(1) && slot?.lastRead == .zero)
        #expect(
            state.answered(.loaded, at: Self.time(1, .seconds(6)))
                == [.tell(isPaused: false), .sleep(until: Self.time(2))]
        )
        #expect(state.next(at: Self.time(1, .seconds(6))) == Self.time(2))
    }

    @Test("a read while it learns that nobody has read makes it ask again")
    func readMeanwhile() {
        var state = started(idleAfter: .seconds(800))
        #expect(state.read(at: Self.time(0, .seconds(4))) == [])
        #expect(slot(of: state.answered(.idle, at: Self.time(0, .seconds(5))))?.lastRead == .seconds(1))
        #expect(!state.isPaused)
    }

    @Test("reads are told with the next slot, or after an eighth of idleAfter")
    func telling() {
        let grid = SlotGrid(.every(.seconds(1000)), of: "key")
        let start = grid.next(after: .seconds(10_000))
        var state = RefreshState(grid, idleAfter: .seconds(80))
        _ = state.start(at: start)
        #expect(state.answered(.loaded, at: start) == [.sleep(until: start + .seconds(10))])
        #expect(state.wake(at: start + .seconds(10)) == [.sleep(until: start + .seconds(20))], "nothing to tell")
        #expect(state.read(at: start + .seconds(12)) == [])
        #expect(slot(of: state.wake(at: start + .seconds(20)))?.lastRead == .seconds(8))
        #expect(state.answered(.notDue, at: start + .seconds(20)) == [.sleep(until: start + .seconds(30))])
        _ = state.read(at: start + .seconds(21))
        #expect(state.wake(at: start + .seconds(30)) == [.sleep(until: start + .seconds(40))], "hardly later")
    }

    @Test("it looks for reads once a second at most")
    func looks() {
        var state = started(idleAfter: .milliseconds(1))
        #expect(state.answered(.loaded, at: Self.time(0)) == [.sleep(until: Self.time(0) + .seconds(1))])
    }

    @Test("slots are the same in every process, differ from key to key, and follow each other at their distance")
    func grids() {
        #expect(Self.time(0) == SlotGrid(.every(.seconds(10)), of: "key").next(after: .seconds(1000)))
        let shifts = Set((0..<20).map { SlotGrid(.every(.seconds(900)), of: "key-\($0)").slot(at: .seconds(5000)) })
        #expect(shifts.count > 15)
        for time in [-25, -10, 0, 7, 12_345] {
            let now = Duration.seconds(time)
            let slot = Self.grid.slot(at: now)
            #expect(slot <= now && now < slot + .seconds(10))
            #expect(Self.grid.next(after: now) == slot + .seconds(10))
            #expect(Self.grid.slot(at: slot) == slot)
        }
    }
}
