import NIOCore
import Testing

@testable import RedisClient

@Suite struct LivenessTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func liveness() -> Liveness {
        Liveness(interval: .seconds(10), patience: .seconds(1), now: start)
    }

    @Test func probesWhatIsIdleAndGivesUpWhatIsSilent() {
        var liveness = liveness()
        #expect(liveness.check(at: start + .seconds(5), hasOverdue: false) == .alive)
        #expect(liveness.nextCheck == start + .milliseconds(6500))
        #expect(liveness.check(at: start + .milliseconds(6500), hasOverdue: false) == .probe)
        #expect(liveness.nextCheck == start + .milliseconds(7500))
        #expect(liveness.check(at: start + .seconds(7), hasOverdue: true) == .alive)
        #expect(liveness.check(at: start + .milliseconds(7500), hasOverdue: false) == .dead)
    }

    @Test func whatTalksIsAskedOnceAnInterval() {
        var liveness = liveness()
        for check in 1...20 {
            liveness.received()
            let isDue = check.isMultiple(of: 4)
            #expect(
                liveness.check(at: start + .milliseconds(Int64(check) * 2500), hasOverdue: false)
                    == (isDue ? .probe : .alive)
            )
            if isDue { liveness.probeAnswered() }
        }
    }

    /// One that was asked without need has as long as one that was not, unless somebody waits for more than his time.
    @Test(arguments: [false, true]) func isAsPatientWhereItAskedByRoutine(isOverdue: Bool) {
        var liveness = liveness()
        for check in 1...4 {
            liveness.received()
            _ = liveness.check(at: start + .milliseconds(Int64(check) * 2500), hasOverdue: false)
        }
        let asked = start + .seconds(10)
        #expect(liveness.isAskingByRoutine)
        #expect(liveness.check(at: asked + .seconds(3), hasOverdue: isOverdue) == .alive)
        #expect(liveness.isAskingByRoutine != isOverdue)
        let end = asked + (isOverdue ? .seconds(4) : .milliseconds(7500))
        #expect(liveness.check(at: end - .milliseconds(1), hasOverdue: isOverdue) == .alive)
        #expect(liveness.check(at: end, hasOverdue: isOverdue) == .dead)
    }

    @Test func whatBlocksIsNotAsked() {
        var liveness = liveness()
        for check in 1...20 {
            let now = start + .milliseconds(Int64(check) * 2500)
            liveness.rested(at: now)
            #expect(liveness.check(at: now, hasOverdue: false) == .alive)
        }
    }

    /// Whenever the last byte came, be it just after a check.
    @Test func silenceLastsForTheIntervalAtMost() {
        for last in stride(from: Int64(0), to: 20_000, by: 90) {
            var liveness = liveness()
            let end = start + .milliseconds(last)
            var (before, now) = (start, liveness.nextCheck)
            var verdict = Liveness.Verdict.alive
            while verdict != .dead {
                if before < end { liveness.received() }
                verdict = liveness.check(at: now, hasOverdue: false)
                (before, now) = (now, verdict == .dead ? now : liveness.nextCheck)
            }
            #expect(now - end <= .seconds(10))
            #expect(now - end >= .seconds(7))
        }
    }

    @Test func isPatientWithWhatIsSlow() {
        var liveness = liveness()
        #expect(liveness.check(at: start, hasOverdue: true) == .probe)
        liveness.received()
        #expect(liveness.check(at: start + .seconds(1), hasOverdue: true) == .alive)
        liveness.received()
        liveness.probeAnswered()
        #expect(liveness.check(at: start + .seconds(2), hasOverdue: false) == .alive)
        #expect(liveness.check(at: start + .seconds(2), hasOverdue: true) == .probe)
    }

    @Test func waitsForWhatHasTimeThoughItAskedBefore() {
        var liveness = liveness()
        #expect(liveness.check(at: start, hasOverdue: true) == .probe)
        // What was overdue is answered; what is now next has more time.
        liveness.received()
        #expect(liveness.check(at: start + .seconds(1), hasOverdue: false) == .alive)
        #expect(liveness.check(at: start + .seconds(8), hasOverdue: false) == .alive)
        var overdue = liveness
        #expect(overdue.check(at: start + .seconds(8), hasOverdue: true) == .dead)
        #expect(liveness.check(at: start + .milliseconds(8500), hasOverdue: false) == .dead)
    }

    @Test func theTimeOfAQuestionBeginsWhenItHasArrived() {
        for isOverdue in [false, true] {
            var liveness = liveness()
            var now = start + .milliseconds(6500)
            #expect(liveness.check(at: now, hasOverdue: isOverdue) == .probe)
            for _ in 0..<20 {
                now = liveness.nextCheck
                liveness.probeAdvanced(at: now)
                #expect(liveness.check(at: now, hasOverdue: isOverdue) == .alive)
            }
            #expect(liveness.nextCheck == now + .seconds(1))
            #expect(liveness.check(at: liveness.nextCheck, hasOverdue: isOverdue) == .dead)
        }
    }

    @Test func whatTalksIsNotAskedThoughAnAnswerMayTakeLongerThanTheInterval() {
        var liveness = Liveness(interval: .milliseconds(400), patience: .seconds(1), now: start)
        liveness.received()
        #expect(liveness.check(at: liveness.nextCheck, hasOverdue: false) == .alive)
    }

    @Test func anIntervalOfNothingKeepsNobodyBusy() {
        var liveness = Liveness(interval: .zero, patience: .seconds(1), now: start)
        #expect(liveness.check(at: start + .milliseconds(5), hasOverdue: false) == .probe)
        #expect(liveness.nextCheck > start + .milliseconds(5))
    }
}
