import Freshet
import FreshetRedis
import Testing

@Suite("A pace over REST")
struct SharedPaceTests {
    @Test("turns are an interval apart, and a closure holds")
    func turns() async throws {
        let store = RedisStore(try await Endpoint.shared.client(), dialect: .upstash)
        let (name, interval) = ("test-\(UInt64.random(in: 0 ... .max))", Duration.seconds(5))
        let start = ContinuousClock.now
        for number in 0..<5 {
            let turn = try await store.turn(name, every: interval)
            guard case .after(let wait) = turn else {
                Issue.record("\(turn)")
                return
            }
            let slack = ContinuousClock.now - start + .milliseconds(50)
            #expect(wait <= interval * number && wait >= interval * number - slack)
        }
        try await store.close(name, for: .seconds(600))
        let turn = try await store.turn(name, every: interval)
        guard case .closed(let time) = turn else {
            Issue.record("\(turn)")
            return
        }
        #expect(time > .seconds(500) && time <= .seconds(600))
    }
}
