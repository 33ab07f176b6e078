import Freshet
import Testing

@testable import FreshetAirtable

@Suite("Shared pace: how late turns come")
struct TurnDelaysTests {
    private static let interval = Duration.milliseconds(200)

    /// A process that takes turns, and what it knows of them.
    private struct Process {
        private var delays = TurnDelays(interval: TurnDelaysTests.interval)
        private var turn = MonotonicInstant(nanoseconds: 0)
        private var kept = Duration.zero
        private var now = MonotonicInstant(nanoseconds: 0)

        /// - Parameter late: what turns were late, in milliseconds, the last one last. Others had some before each, and enough
        ///   was kept free behind it.
        init(late: [Int] = []) { for late in late { _ = take(late, others: 3, allowance: .seconds(1)) } }

        var allowance: Duration { delays.allowance(at: now) }

        /// - Parameters:
        ///   - late: in milliseconds.
        ///   - others: how many turns others have had since the one before.
        /// - Returns: whether the turn is let go.
        mutating func take(_ late: Int, others: Int = 1, allowance: Duration = .zero) -> Bool {
            turn = max(now, turn + kept + TurnDelaysTests.interval * (1 + others))
            kept = allowance
            let wait = turn - now
            now = turn + .milliseconds(late)
            return delays.note(.milliseconds(late), after: wait, allowance: allowance, at: now)
        }

        /// A turn was given, and its answer lost.
        mutating func miss() {
            turn = turn + TurnDelaysTests.interval
            delays.miss()
        }
    }

    @Test("Turns that a process may have had, unheard of, are not those of others")
    func missed() {
        var process = Process()
        for _ in 0..<10 {
            process.miss()
            _ = process.take(2, others: 0)
            #expect(process.allowance == .zero)
        }
    }

    private func allowance(_ late: [Int]) -> Duration { Process(late: late).allowance }

    @Test("A process that is alone keeps nothing free and lets no turn go, however late they come")
    func alone() {
        var process = Process()
        for late in (0..<100).map({ $0 * 37 % 450 }) {
            let isLetGo = process.take(late, others: 0)
            #expect(!isLetGo)
            #expect(process.allowance == .zero)
        }
    }

    @Test("Others are there once they were seen twice within 140 intervals, and so long after")
    func others() {
        var process = Process()
        let allowances = (0..<3).map { _ in
            _ = process.take(2)
            return process.allowance
        }
        #expect(allowances.map { $0 > .zero } == [false, false, true])
        for turn in 0..<145 {
            _ = process.take(2, others: 0)
            if turn == 135 { #expect(process.allowance > .zero) }
        }
        #expect(process.allowance == .zero)
    }

    @Test("Five turns in a row are let go; then all but the last is forgotten, and the next as late is in time")
    func patience() {
        var process = Process(late: [2, 2, 2])
        let letGo = (0..<7).map { _ in process.take(600) }
        #expect(letGo == [true, true, true, true, true, false, false])
    }

    @Test("After three turns a sixteenth of an interval is kept free, behind each further one half of that")
    func learning() {
        let allowances = (3...5).map { allowance(Array(repeating: 100, count: $0)) }
        #expect(allowances == [.milliseconds(12.5), .milliseconds(6.25), .milliseconds(3.125)])
        #expect(allowance(Array(repeating: 100, count: 20)) < .milliseconds(1))
    }

    @Test("In time is a quarter of an interval later than the quickest, and what was kept free", arguments: [0, 30])
    func tolerance(allowance: Int) {
        for isLate in [false, true] {
            var process = Process(late: [120, 100, 100])
            let late = 150 + allowance + (isLate ? 1 : 0)
            let isLetGo = process.take(late, allowance: .milliseconds(allowance))
            #expect(isLetGo == isLate)
        }
    }

    @Test("Nothing is kept free for a few that are very late; enough is where many are somewhat late")
    func cheapest() {
        let quick = Array(repeating: 2, count: 48)
        #expect(allowance(quick + [122, 122, 122]) < .milliseconds(1))
        #expect(allowance(quick + Array(repeating: 92, count: 16)) == .milliseconds(40))
    }

    @Test("No more is kept free than two intervals, however late all but one turn are")
    func limit() {
        #expect(allowance([0] + Array(repeating: 450, count: 63)) == .milliseconds(400))
        #expect(allowance([0] + Array(repeating: 451, count: 63)) < .milliseconds(1))
    }

    @Test("Where all turns become slower that is forgotten after 64")
    func forgetting() {
        #expect(allowance([2] + Array(repeating: 92, count: 63)) == .milliseconds(40))
        #expect(allowance([2] + Array(repeating: 92, count: 64)) < .milliseconds(1))
    }
}
