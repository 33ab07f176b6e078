import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport
import Testing

/// A server that starts again from a snapshot, or a replica that takes a primary's place, and lacks what came last.
@Suite("Lost writes", .timeLimit(.minutes(2)))
struct LostWritesTests {
    private struct Node {
        let fields: FieldCache
        let store: FaultyStore
        let client: RedisClient
        let run: Task<Void, any Error>

        /// One that asks the store at every read.
        init(_ client: RedisClient, _ field: Field<Int>) async throws {
            self.client = client
            store = FaultyStore(RedisStore(client))
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let cache = CacheService(store: store, timeout: .seconds(30), logger: logger)
            try await cache.initialize()
            var configuration = FieldCache.Configuration()
            configuration.l1Recheck = .zero
            let fields = FieldCache(
                cache: cache,
                catalog: try FieldCatalog([field]),
                configuration: configuration,
                backplane: RedisBackplane(client: client) { client.connectionEvents },
                logger: logger
            )
            self.fields = fields
            run = Task { try await fields.run() }
        }

        func stop() async {
            run.cancel()
            _ = try? await run.value
            await client.close()
        }
    }

    /// Two nodes that hear each other's messages; each load brings the next number.
    private struct Bench {
        let field: Field<Int>
        let a: Node
        let b: Node

        init(hardDeadline: Duration = .seconds(10), _ client: () throws -> RedisClient) async throws {
            var policy = FieldPolicy(ttl: .seconds(600))
            policy.hardDeadline = hardDeadline
            let loads = NIOLockedValueBox(0)
            field = Field("agents", policy: policy) { _ in
                .value(
                    loads.withLockedValue { loads in
                        loads += 1
                        return loads
                    }
                )
            }
            (a, b) = (try await Node(client(), field), try await Node(client(), field))
            let admin = a.client
            let areListening = try await eventually {
                let command = RESPCommand("PUBSUB", "NUMSUB", "freshet:invalidations")
                let answers = try await admin.executeOnPrimaries(command)
                return answers.reduce(0) { $0 + ($1.array?.last?.integer ?? 0) } == 2
            }
            #expect(areListening)
        }

        func stop() async {
            await a.stop()
            await b.stop()
        }
    }

    @Test("C1: what was invalidated after the snapshot is soon gone again", arguments: [false, true])
    func invalidated(isForced: Bool) async throws {
        let server = try await RedisServer.start()
        let bench = try await Bench { RedisFixture.client(port: server.port) }
        #expect(try await bench.a.fields.value(of: bench.field) == 1)
        try server.command("SAVE")
        if isForced {
            #expect(try await bench.a.fields.refresh(bench.field).value == 2)
        } else {
            #expect(try await bench.a.fields.remove(bench.field) == .done)
        }
        var last = isForced ? 2 : 1
        // Twice from the same snapshot.
        for _ in 1...2 {
            try await server.restart()
            let isGone = await eventually {
                guard let value = try? await bench.b.fields.value(of: bench.field), value > last else { return false }
                last = value
                return true
            }
            #expect(isGone)
        }
        await bench.stop()
    }

    @Test("C1: so is what a process invalidated that has ended since")
    func invalidatedByTheDead() async throws {
        let server = try await RedisServer.start()
        let bench = try await Bench { RedisFixture.client(port: server.port) }
        #expect(try await bench.a.fields.value(of: bench.field) == 1)
        try server.command("SAVE")
        #expect(try await bench.a.fields.remove(bench.field) == .done)
        let isTold = await eventually { (try? await bench.b.fields.value(of: bench.field)) == 2 }
        #expect(isTold)
        await bench.a.stop()
        try await server.restart()
        let isGone = await eventually { (try? await bench.b.fields.value(of: bench.field)) == 3 }
        #expect(isGone)
        await bench.b.stop()
    }

    @Test("C2: a load that ended after the snapshot keeps nobody waiting")
    func loadEnded() async throws {
        let server = try await RedisServer.start()
        let bench = try await Bench(hardDeadline: .seconds(600)) { RedisFixture.client(port: server.port) }
        bench.a.store.inject(.hang, into: [.fill])
        async let first = bench.a.fields.value(of: bench.field)
        try await waitUntil("the fill") { bench.a.store.hangingCalls == 1 }
        try server.command("SAVE")
        bench.a.store.recover()
        #expect(try await first == 1)
        try await server.restart()
        let isLoaded = await eventually { (try? await bench.b.fields.value(of: bench.field)) == 2 }
        #expect(isLoaded)
        await bench.stop()
    }

    /// A failover that loses what a node invalidated before it.
    private func failOver(_ primary: RedisServer, password: String? = nil, _ client: () throws -> RedisClient)
        async throws
    {
        let bench = try await Bench(client)
        #expect(try await bench.a.fields.value(of: bench.field) == 1)
        let isReplicated = try await eventually {
            let lines = try primary.command("INFO replication", password: password).split(whereSeparator: \.isNewline)
            let end = lines.first { $0.hasPrefix("master_repl_offset:") }?.dropFirst("master_repl_offset:".count)
            let replicas = lines.filter { $0.wholeMatch(of: /slave\d:.*/) != nil }
            return try !replicas.isEmpty && replicas.allSatisfy { $0.contains("offset=\(try #require(end)),") }
        }
        #expect(isReplicated)
        // From now on nothing reaches a replica.
        try primary.command("ACL SETUSER default -psync", password: password)
        try primary.command("CLIENT KILL TYPE replica", password: password)
        #expect(try await bench.a.fields.remove(bench.field) == .done)
        await primary.stop()
        let isGone = await eventually(within: .seconds(60)) {
            (try? await bench.b.fields.value(of: bench.field)) == 2
        }
        #expect(isGone)
        await bench.stop()
    }

    @Test("C1: what was invalidated before a failover that lost it is soon gone again: sentinels")
    func sentinelFailover() async throws {
        let sentinels = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "watch")
        try await failOver(sentinels.servers[0], password: "server") { try RedisFixture.client(of: sentinels) }
    }

    @Test("C1: what was invalidated before a failover that lost it is soon gone again: cluster")
    func clusterFailover() async throws {
        let cluster = try await RedisCluster.start()
        let answer = try cluster.servers[0].command("CLUSTER KEYSLOT agents")
        let slot = try #require(Int(answer.filter(\.isNumber)))
        try await failOver(cluster.servers[slot * cluster.primaryCount / 16_384]) {
            try RedisFixture.client(url: "redis+cluster://127.0.0.1:\(cluster.servers[1].port)")
        }
    }
}
