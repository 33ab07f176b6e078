import Freshet
import FreshetRedis
import FreshetTesting
import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport
import Testing

/// Refuses so many subscriptions, and then gives one that the test writes to.
private final class Subscriber: ChannelSubscriber {
    struct Refused: Error {}

    private let state: NIOLockedValueBox<(refusals: Int, attempts: Int)>
    let subscription: RedisSubscription
    let writer: SubscriptionWriter

    init(refusals: Int) {
        state = NIOLockedValueBox((refusals, 0))
        (subscription, writer) = RedisSubscription.make(bufferingAtMost: 10, bytes: 1000)
    }

    var attempts: Int { state.withLockedValue { $0.attempts } }

    func subscribe(to channels: [String]) async throws -> RedisSubscription {
        let isRefused = state.withLockedValue { state in
            state.attempts += 1
            return state.attempts <= state.refusals
        }
        if isRefused { throw Refused() }
        return subscription
    }
}

@Suite("Backplane over Redis")
struct RedisBackplaneTests {
    @Test("a refused subscription is asked for again a second later, by the clock it was given")
    func refused() async throws {
        let spawner = TestSpawner()
        let client = Subscriber(refusals: 2)
        let events = NIOLockedValueBox<[BackplaneEvent]>([])
        let backplane = RedisBackplane(client: client, spawner: spawner)
        let listening = Task { await backplane.listen { event in events.withLockedValue { $0.append(event) } } }
        for attempt in 1...2 {
            try await spawner.waitForSleepers(1)
            #expect(client.attempts == attempt)
            await spawner.advance(by: .milliseconds(999))
            #expect(client.attempts == attempt)
            await spawner.advance(by: .milliseconds(1))
        }
        try await waitUntil("the subscription") { events.withLockedValue { $0.last } == .live }
        client.writer.finish()
        await listening.value
        #expect(events.withLockedValue { $0 } == [.lost, .live, .lost])
        #expect(client.attempts == 3)
    }

    @Test("another primary of a cluster is a gap, a new connection to it none", .timeLimit(.minutes(2)))
    func cluster() async throws {
        let cluster = try await RedisCluster.start()
        var configuration = try RedisClient.Configuration(url: "redis+cluster://127.0.0.1:\(cluster.servers[0].port)")
        configuration.commandTimeout = .seconds(30)
        let client = RedisClient(configuration)
        let events = NIOLockedValueBox<[BackplaneEvent]>([])
        let questions = NIOLockedValueBox(0)
        let backplane = RedisBackplane(client: Counting(base: client, questions: questions)) {
            client.connectionEvents
        }
        let listening = Task { await backplane.listen { event in events.withLockedValue { $0.append(event) } } }
        try await waitUntil("the subscription") { events.withLockedValue { $0.last } == .live }
        /// Cuts the connection for commands, and waits until that has been looked into.
        func reconnect(to server: RedisServer) async throws {
            let asked = questions.withLockedValue { $0 }
            try server.command("CLIENT KILL TYPE normal")
            try await waitUntil("another look") { questions.withLockedValue { $0 } > asked + 1 }
        }
        for server in cluster.servers.prefix(3) { try await reconnect(to: server) }
        #expect(events.withLockedValue { $0.filter { $0 != .live } } == [])

        for replica in cluster.servers.suffix(3) {
            events.withLockedValue { $0 = [] }
            try replica.command("CLUSTER FAILOVER")
            try await waitUntil("the gap") {
                _ = try? await client.execute(pipeline: (0..<20).map { RESPCommand("GET", "key-\($0)") })
                return events.withLockedValue { $0.contains(.lost) && $0.last == .live }
            }
        }
        listening.cancel()
        await listening.value
    }

    /// Counts how often all primaries were asked.
    private struct Counting: ChannelSubscriber, PrimariesExecutor {
        let base: RedisClient
        let questions: NIOLockedValueBox<Int>

        func subscribe(to channels: [String]) async throws -> RedisSubscription {
            try await base.subscribe(to: channels)
        }

        func execute(_ command: RESPCommand) async throws -> RESPValue { try await base.execute(command) }

        func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
            try await base.execute(pipeline: pipeline)
        }

        func executeOnPrimaries(_ command: RESPCommand) async throws -> [RESPValue] {
            defer { questions.withLockedValue { $0 += 1 } }
            return try await base.executeOnPrimaries(command)
        }
    }
}
