import Testing

@testable import RedisClient

@Suite struct ProbePathTests {
    @Test func onlyWhatIsBeforeItBringsItCloser() {
        var path = ProbePath()
        path.wrote(100)
        path.begin(waiting: 20, unsent: 50)
        var steps = [path.advance(unsent: 50), path.advance(unsent: 10), path.advance(unsent: 10)]
        #expect(steps == [false, true, false])
        // The question, and what came after it.
        path.wrote(60)
        steps = [path.advance(unsent: 70), path.advance(unsent: 45), path.advance(unsent: 40), path.advance(unsent: 0)]
        #expect(steps == [false, true, true, false])
        path.begin(waiting: 10, unsent: 0)
        path.wrote(10)
        steps = [path.advance(unsent: 10), path.advance(unsent: 0)]
        #expect(steps == [false, true])
    }
}
