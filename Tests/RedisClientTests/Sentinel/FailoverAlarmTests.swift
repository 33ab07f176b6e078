import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RedisClient

@Suite struct FailoverAlarmTests {
    @Test func theLogNamesTheSentinelThatRefuses() async throws {
        let sentinel = try await ScriptedServer.start { _ in "-NOPERM no channels\r\n" }
        let logs = RecordedLogs()
        let alarm = FailoverAlarm(
            configuration: RedisClient.configuration(port: 1),
            primaryName: "main",
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: logs.logger
        )
        alarm.listen(to: [.hostname("127.0.0.1", port: sentinel.port)]) { _ in }
        #expect(await eventually { logs.entries.contains { $0.message == "There is no subscription." } })
        #expect(logs.entries.allSatisfy { $0.metadata["redis.server"]?.contains(":\(sentinel.port)") != false })
        alarm.close()
    }

    /// Behind its end the event loop may be gone.
    @Test func nothingWaitsForASubscriptionBehindItsEnd() async throws {
        let sentinel = try await ScriptedServer.start { _ in "-NOPERM no channels\r\n" }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (eventLoop, logs) = (group.next(), RecordedLogs())
        let configuration = RedisClient.configuration(port: sentinel.port)
        weak var left: FailoverAlarm?
        do {
            let alarm = FailoverAlarm(
                configuration: configuration,
                primaryName: "main",
                eventLoop: eventLoop,
                logger: logs.logger
            )
            left = alarm
            alarm.listen(to: [configuration.address]) { _ in }
            #expect(await eventually { logs.entries.contains { $0.message == "There is no subscription." } })
            // By then whoever subscribes is told.
            try await eventLoop.submit {}.get()
            alarm.close()
        }
        try await group.shutdownGracefully()
        #expect(await eventually { left == nil })
    }
}
