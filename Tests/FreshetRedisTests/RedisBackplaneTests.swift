import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport
import Testing

/// Refuses subscriptions with these errors, and then gives some that the test writes to.
private final class Subscriber: ChannelSubscriber {
    struct Refused: CommandTransportError {
        let mayHaveExecuted = false
        var retryAfter: Duration?
    }

    private let refusals: NIOLockedValueBox<[any Error]>
    private let writers = NIOLockedValueBox<[SubscriptionWriter]>([])

    init(refusals: [any Error]) { self.refusals = NIOLockedValueBox(refusals.reversed()) }

    var writer: SubscriptionWriter {
        get throws { try #require(writers.withLockedValue { $0.last }) }
    }

    func subscribe(to channels: [String]) async throws -> RedisSubscription {
        if let refusal = refusals.withLockedValue({ $0.popLast() }) { throw refusal }
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 10, bytes: 1000)
        writers.withLockedValue { $0.append(writer) }
        return subscription
    }
}

/// Lets its callers wait.
private struct SilentSubscriber: ChannelSubscriber {
    let spawner: TestSpawner

    func subscribe(to channels: [String]) async throws -> RedisSubscription {
        try await spawner.sleep(for: .seconds(3600))
        throw Subscriber.Refused()
    }
}

/// A backplane by a clock of its own, and what it tells.
private struct Listening {
    let spawner: TestSpawner
    let logs = RecordedLogs()
    let events = NIOLockedValueBox<[BackplaneEvent]>([])
    let task: Task<Void, any Error>

    init(_ client: some ChannelSubscriber, _ spawner: TestSpawner = TestSpawner()) {
        self.spawner = spawner
        let backplane = RedisBackplane(client: client, spawner: spawner, logger: logs.logger)
        task = spawner.task { [events] in
            await backplane.listen { event in events.withLockedValue { $0.append(event) } }
        }
    }

    /// Waits until the next attempt has been made.
    ///
    /// - Returns: the pause before it, in seconds.
    func pause() async throws -> Double {
        await spawner.settle()
        let pause = try #require(spawner.nextWakeUp) - spawner.now()
        await spawner.advance(by: pause)
        return pause / .seconds(1)
    }
}

@Suite("Backplane over Redis")
struct RedisBackplaneTests {
    @Test("a refused subscription is asked for again later and later, by the clock it was given, until it is live")
    func refused() async throws {
        let client = Subscriber(refusals: Array(repeating: Subscriber.Refused(), count: 7))
        let listening = Listening(client)
        for longest in [1.0, 2, 4, 8, 16, 30, 30] {
            let pause = try await listening.pause()
            #expect(pause >= longest / 2 && pause < longest, "\(pause)")
        }
        #expect(listening.events.withLockedValue { $0 } == [.lost, .live])
        try client.writer.finish(throwing: Subscriber.Refused())
        #expect(try await listening.pause() <= 1)
        #expect(listening.events.withLockedValue { $0 } == [.lost, .live, .lost, .live])
        try client.writer.finish()
        try await listening.task.value
        #expect(listening.events.withLockedValue { $0.last } == .lost)
    }

    @Test("a server that says how long to wait is not asked sooner, if that is no more than ten minutes")
    func toldToWait() async throws {
        let waits = [Duration.seconds(60), .seconds(86_400)]
        let listening = Listening(Subscriber(refusals: waits.map { Subscriber.Refused(retryAfter: $0) }))
        for (shortest, longest) in [(60.0, 61.0), (600, 602)] {
            let pause = try await listening.pause()
            #expect(pause > shortest && pause <= longest, "\(pause)")
        }
        #expect(listening.events.withLockedValue { $0 } == [.lost, .live])
        listening.task.cancel()
        try await listening.task.value
    }

    @Test("the log says once that there is no subscription, and why, and when there is one")
    func logs() async throws {
        let refusal = RESPError("NOPERM this user has no permissions to access one of the channels")
        let client = Subscriber(refusals: [refusal, refusal, Subscriber.Refused()])
        let listening = Listening(client)
        await listening.spawner.settle()
        let first = try #require(listening.logs.entries.first)
        #expect(first.level == .warning)
        #expect(first.message.contains("l1.recheck"))
        #expect(first.metadata["error"] == refusal.text)
        #expect(first.metadata["advice"]?.contains("freshet:invalidations") == true)
        for _ in 1...3 { _ = try await listening.pause() }
        #expect(listening.logs.entries.map(\.level) == [.warning, .notice])
        #expect(listening.logs.entries.last?.message.contains("live") == true)

        // The client says so itself, but not that it is over.
        try client.writer.tell(.disconnected)
        await listening.spawner.settle()
        #expect(listening.logs.entries.count == 2)
        try client.writer.tell(.resubscribed)
        await listening.spawner.settle()
        #expect(listening.logs.entries.map(\.level) == [.warning, .notice, .info])

        try client.writer.finish(throwing: Subscriber.Refused())
        _ = try await listening.pause()
        #expect(listening.logs.entries.map(\.level) == [.warning, .notice, .info, .warning, .notice])
        listening.task.cancel()
        try await listening.task.value
        #expect(listening.logs.entries.count == 5)
    }

    @Test("an end that comes before the subscription is no news")
    func cancelled() async throws {
        let spawner = TestSpawner()
        let listening = Listening(SilentSubscriber(spawner: spawner), spawner)
        await spawner.settle()
        listening.task.cancel()
        try await listening.task.value
        #expect(listening.events.withLockedValue { $0 } == [.lost])
        #expect(listening.logs.entries.isEmpty)
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
