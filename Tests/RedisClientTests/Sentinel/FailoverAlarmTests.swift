import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RedisClient

@Suite struct FailoverAlarmTests {
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
