import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RedisClient

@Suite struct TopologyRefresherTests {
    @Test func onlyNewsEndThePauseAfterALookThatFoundSomethingWrong() async throws {
        let refresher = TopologyRefresher(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            interval: .seconds(3600),
            pauses: .seconds(3600)...Duration.seconds(3600)
        )
        let looks = NIOLockedValueBox(0)
        refresher.use { [weak refresher] in
            looks.withLockedValue { $0 += 1 }
            // As an attempt to connect does that belongs to the look, and comes to nothing.
            refresher?.request()
            return false
        }
        await refresher.look(until: .now() + .seconds(60)) { false }
        #expect(looks.withLockedValue { $0 } == 1)
        // Callers that ask again while nothing is known get no look of their own.
        await refresher.look(until: .now() + .milliseconds(200)) { false }
        #expect(looks.withLockedValue { $0 } == 1)
        refresher.request(isNews: true)
        #expect(await eventually { looks.withLockedValue { $0 } == 2 })
        refresher.close()
    }

    @Test func aLookKeepsItsDistanceFromTheLast() async {
        let refresher = TopologyRefresher(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            interval: .seconds(3600),
            pauses: .seconds(3600)...Duration.seconds(3600)
        )
        let looks = NIOLockedValueBox(0)
        refresher.use {
            looks.withLockedValue { $0 += 1 }
            return true
        }
        await refresher.look(until: .now() + .seconds(60)) { false }
        // Though that one was over, and all was well.
        await refresher.look(until: .now() + .milliseconds(100)) { false }
        #expect(looks.withLockedValue { $0 } == 1)
        refresher.request(isNews: true)
        #expect(await eventually { looks.withLockedValue { $0 } == 2 })
        // Servers that contradict each other tell news without end.
        refresher.request(isNews: true)
        await refresher.look(until: .now() + .milliseconds(100)) { false }
        #expect(looks.withLockedValue { $0 } == 2)
        refresher.close()
    }

    /// The event loop gets to its sockets in between.
    @Test func anIntervalOfNextToNothingIsAMillisecond() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let refresher = TopologyRefresher(
            eventLoop: group.next(),
            interval: .nanoseconds(1),
            pauses: .milliseconds(1)...Duration.milliseconds(1)
        )
        refresher.use { true }
        await refresher.look(until: .now() + .seconds(60)) { false }
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await ClientBootstrap(group: group).connect(to: #require(server.localAddress)).get()
        try await client.close()
        try await server.close()
        refresher.close()
        try await group.shutdownGracefully()
    }

    @Test(arguments: [Duration.zero, .seconds(-1)]) func anIntervalOfNothingIsNoClock(interval: Duration) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let refresher = TopologyRefresher(
            eventLoop: group.next(),
            interval: interval,
            pauses: .milliseconds(1)...Duration.milliseconds(1)
        )
        let looks = NIOLockedValueBox(0)
        refresher.use {
            looks.withLockedValue { $0 += 1 }
            return true
        }
        await refresher.look(until: .now() + .seconds(60)) { false }
        #expect(await !eventually(within: .milliseconds(100)) { looks.withLockedValue { $0 } > 1 })
        refresher.close()
        try await group.shutdownGracefully()
    }

    /// Behind its end the event loop may be gone.
    @Test func nothingWaitsForALookBehindItsEnd() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        weak var left: TopologyRefresher?
        do {
            let refresher = TopologyRefresher(eventLoop: group.next(), interval: .seconds(3600))
            left = refresher
            refresher.use { true }
            await refresher.look(until: .now() + .seconds(60)) { false }
            refresher.request()
            refresher.close()
        }
        try await group.shutdownGracefully()
        #expect(await eventually { left == nil })
    }
}
