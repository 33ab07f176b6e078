import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing
import UpstashClient

@Suite("Backplane over REST")
struct BackplaneTests {
    @Test("where there are no streams, the log says so once, and when there are; attempts become rarer")
    func comesUpLate() async throws {
        let standIn = try await StandIn.start { _, count in
            count < 3
                ? .json("{\"error\":\"not found\"}", status: 404)
                : .stream("data: subscribe,freshet:invalidations,1\n\n")
        }
        let logs = RecordedLogs()
        let spawner = TestSpawner()
        let client = try standIn.client()
        let backplane = RedisBackplane(client: client, spawner: spawner, logger: logs.logger)
        let events = NIOLockedValueBox<[BackplaneEvent]>([])
        let listening = spawner.task { await backplane.listen { event in events.withLockedValue { $0.append(event) } } }
        for longest in [Duration.seconds(1), .seconds(2), .seconds(4)] {
            try await spawner.waitForSleepers(1)
            let pause = try #require(spawner.nextWakeUp) - spawner.now()
            #expect(pause >= longest / 2 && pause <= longest)
            await spawner.advance(by: pause)
        }
        #expect(await eventually { logs.entries.count == 2 })
        #expect(events.withLockedValue { $0 } == [.lost, .live])
        #expect(standIn.requests.count == 4)
        #expect(logs.entries.map(\.level) == [.warning, .notice])
        #expect(logs.entries.first?.message.contains("l1.recheck") == true)
        #expect(logs.entries.first?.metadata["error"]?.contains("proxy") == true)
        #expect(logs.entries.allSatisfy { !$0.text.contains("sesame") })
        listening.cancel()
        try await listening.value
        await client.close()
    }

    @Test("it is asked for no sooner than a refusal says")
    func waitsAsLongAsItIsTold() async throws {
        let standIn = try await StandIn.start { _, _ in
            .json("later", status: 429, headers: [("Retry-After", "60")])
        }
        let spawner = TestSpawner()
        let client = try standIn.client()
        let listening = spawner.task { await RedisBackplane(client: client, spawner: spawner).listen { _ in } }
        for count in 1...2 {
            try await spawner.waitForSleepers(1)
            #expect(standIn.requests.count == count)
            let pause = try #require(spawner.nextWakeUp) - spawner.now()
            #expect(pause > .seconds(60))
            await spawner.advance(by: pause)
        }
        listening.cancel()
        try await listening.value
        await client.close()
    }
}
