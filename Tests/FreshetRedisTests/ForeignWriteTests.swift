import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// What other programs do to a field's value, told by the server: the store would not be asked again for an hour.
@Suite("Foreign writes", .timeLimit(.minutes(2)))
struct ForeignWriteTests {
    private struct Node {
        let client: RedisClient
        let other: RedisClient
        let fields: FieldCache
        let field: Field<Int>
        let loads = NIOLockedValueBox(0)
        let run: Task<Void, any Error>

        init(_ url: String) async throws {
            var configuration = try RedisClient.Configuration(url: url)
            configuration.commandTimeout = .seconds(30)
            other = RedisClient(configuration)
            configuration.clientSideCaching = true
            configuration.requiresClientSideCaching = false
            let client = RedisClient(configuration)
            let store = RedisStore(client, tracked: client.tracked)
            let cache = CacheService(store: store, timeout: .seconds(30), logger: Logger(label: "test"))
            try await cache.initialize()
            let loads = loads
            field = Field("agents", ttl: .seconds(3600)) {
                loads.withLockedValue { loads in
                    loads += 1
                    return loads
                }
            }
            var trust = FieldCache.Configuration()
            trust.l1Recheck = .seconds(3600)
            let live = NIOLockedValueBox(false)
            let fields = FieldCache(
                cache: cache,
                catalog: try FieldCatalog([field]),
                configuration: trust,
                backplane: Heard(
                    base: RedisBackplane(client: client) {
                        client.connectionEvents
                    } invalidations: {
                        client.invalidations
                    },
                    live: live
                ),
                logger: Logger(label: "test")
            )
            (self.client, self.fields) = (client, fields)
            run = Task { try await fields.run() }
            try await waitUntil("the subscription") { live.withLockedValue { $0 } }
        }

        func value() async throws -> Int { try await fields.value(of: field) }

        /// Until what its own store has published is heard, too.
        func waitForL1() async throws {
            try await waitUntil("an answer without the store") { try await fields.read(field).tier == .l1 }
        }

        func end() async {
            run.cancel()
            for client in [client, other] { await client.close() }
        }
    }

    /// Tells when it is live.
    private struct Heard: Backplane {
        let base: RedisBackplane
        let live: NIOLockedValueBox<Bool>

        func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async {
            await base.listen { event in
                receive(event)
                if event == .live { live.withLockedValue { $0 = true } }
            }
        }
    }

    private func check(_ url: String) async throws {
        let node = try await Node(url)
        // What was loaded, what was adopted and what was read as absent: each of them is watched.
        for load in 1...3 {
            #expect(try await node.value() == load)
            try await node.waitForL1()
            for written in [100, 200] {
                try await node.other.set("agents", to: written)
                try await waitUntil("the value") { try await node.value() == written }
                try await node.waitForL1()
            }
            #expect(try await node.other.execute(RESPCommand("DEL", "agents")).integer == 1)
            try await waitUntil("the load") { try await node.value() == load + 1 }
            try await node.fields.remove(node.field)
            node.loads.withLockedValue { $0 = load }
        }
        await node.end()
    }

    @Test("are served as soon as the server tells of them, and deletions are followed by a load")
    func single() async throws {
        let server = try await RedisServer.start()
        try await check("redis://127.0.0.1:\(server.port)")
    }

    @Test("foreign writes are told of by a cluster, too")
    func cluster() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        try await check("redis+cluster://127.0.0.1:\(cluster.servers[0].port)")
    }

    @Test("a flushed server serves fields anew")
    func flushed() async throws {
        let server = try await RedisServer.start()
        let node = try await Node("redis://127.0.0.1:\(server.port)")
        #expect(try await node.value() == 1)
        try await node.waitForL1()
        try await node.other.execute(RESPCommand("FLUSHALL"))
        try await waitUntil("the load") { try await node.value() == 2 }
        await node.end()
    }

    @Test("a server that tracks nothing serves fields", arguments: ["-client|tracking", "-client|caching"])
    func refused(right: String) async throws {
        let server = try await RedisServer.start()
        try server.command("ACL SETUSER app on >secret ~* &* +@all \(right)")
        let node = try await Node("redis://app:secret@127.0.0.1:\(server.port)")
        #expect(try await node.value() == 1)
        #expect(try await node.fields.refresh(node.field).value == 2)
        let stats = try await node.other.execute(RESPCommand("INFO", "commandstats")).string ?? ""
        let asked = stats.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_client|caching") }
        #expect(asked.map { $0.contains("rejected_calls=1,") || $0.contains("rejected_calls=2,") } ?? true, "\(stats)")
        await node.end()
    }

    @Test("what is stored is watched from then on")
    func filled() async throws {
        let server = try await RedisServer.start()
        let client = RedisFixture.client(port: server.port, isTracking: true)
        var invalidations = client.invalidations.makeAsyncIterator()
        let store = RedisStore(client, tracked: client.tracked)
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(60), freshFor: .seconds(60))
        let lease = try await store.grantedLease("key", request)
        let bytes = ByteBuffer(string: "1")
        let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: .seconds(60))
        #expect(try await store.fillEntry("key", lease, with: fill) == .stored(lease.generation))
        try server.command("SET key 2")
        #expect(await invalidations.next() == .keys(["key"]))
    }
}
