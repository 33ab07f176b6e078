import NIOCore
import RESP
import Testing

@Suite struct BackoffTests {
    @Test func doublesUpToItsBoundWithJitter() {
        var backoff = Backoff(.milliseconds(100)...Duration.seconds(1))
        #expect([100, 200, 400, 800, 1000, 1000].allSatisfy { backoff.next(jitter: 0) == .milliseconds($0) })
        #expect(backoff.next(jitter: 1) == .milliseconds(500))
        for _ in 0..<1000 { #expect(backoff.next() <= .seconds(1)) }
        backoff.succeeded()
        #expect(backoff.next(jitter: 0) == .milliseconds(100))
    }

    @Test func growsFromZero() {
        #expect(Backoff(.zero...Duration.seconds(2)).pause(after: 10, jitter: 0) > .zero)
        #expect(Backoff(.zero...Duration.zero).pause(after: 10, jitter: 0) == .milliseconds(1))
    }
}
