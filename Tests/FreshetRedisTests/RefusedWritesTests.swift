import Foundation
import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// Servers that answer reads and refuse writes.
@Suite("Refused writes", .timeLimit(.minutes(1)))
struct RefusedWritesTests {
    /// A source that counts its loads, and gives what it is set to.
    private actor Source {
        private(set) var loads = 0
        private var value = 1

        func set(_ value: Int) { self.value = value }

        func load() -> Int {
            loads += 1
            return value
        }
    }

    private struct Bench {
        let server: RedisServer
        let client: RedisClient
        let source = Source()
        let field: Field<Int>

        init(_ change: (inout FieldPolicy) -> Void = { _ in }) async throws {
            server = try await RedisServer.start()
            client = RedisFixture.client(port: server.port)
            var policy = FieldPolicy(ttl: .seconds(600))
            change(&policy)
            let source = source
            field = Field("agents", policy: policy) { _ in .value(await source.load()) }
        }

        /// A node that asks the store at every read.
        func node() async throws -> FieldCache {
            let logger = Logger(label: "test")
            let cache = CacheService(store: RedisStore(client), timeout: .seconds(30), logger: logger)
            try await cache.initialize()
            var configuration = FieldCache.Configuration()
            configuration.l1Recheck = .zero
            return FieldCache(
                cache: cache,
                catalog: try FieldCatalog([field]),
                configuration: configuration,
                logger: logger
            )
        }

        func set(_ setting: String, _ value: String) throws { try server.command("CONFIG SET \(setting) \(value)") }
    }

    @Test(
        "C1, C8: what a forced refresh or a removal has replaced does not come back while a server lacks its replicas",
        arguments: [true, false]
    )
    func invalidated(isForced: Bool) async throws {
        let bench = try await Bench()
        let node = try await bench.node()
        #expect(try await node.value(of: bench.field) == 1)
        try bench.set("min-replicas-to-write", "1")
        await bench.source.set(3)
        if isForced {
            #expect(try await node.refresh(bench.field).value == 3)
        } else {
            #expect(try await node.remove(bench.field) == .queued)
        }
        for _ in 0..<3 { #expect(try await node.value(of: bench.field) == 3) }
        try bench.set("min-replicas-to-write", "0")
        #expect(try await node.value(of: bench.field) == 3)
        #expect(try await bench.node().value(of: bench.field) == 3)
        await node.shutdown()
    }

    @Test("C8: an invalidation that the server refuses is replayed once it does not")
    func replayed() async throws {
        let bench = try await Bench()
        let node = try await bench.node()
        #expect(try await node.value(of: bench.field) == 1)
        try bench.set("min-replicas-to-write", "1")
        #expect(try await node.expire(bench.field) == .queued)
        try bench.set("min-replicas-to-write", "0")
        let client = bench.client
        try await waitUntil("the replay") { try await client.execute(RESPCommand("EXISTS", "agents")).integer == 0 }
        await node.shutdown()
    }

    @Test("C8: an invalidation that the server refused is sent by the shutdown if it does not any more")
    func sentAtLast() async throws {
        let bench = try await Bench()
        let (node, client) = (try await bench.node(), bench.client)
        #expect(try await node.value(of: bench.field) == 1)
        try bench.set("min-replicas-to-write", "1")
        #expect(try await node.remove(bench.field) == .queued)
        try bench.set("min-replicas-to-write", "0")
        await node.shutdown()
        #expect(try await client.execute(RESPCommand("EXISTS", "agents")).integer == 0)
    }

    @Test("C8: a server whose snapshot failed goes on answering reads, and is not taken for lost")
    func failedSnapshot() async throws {
        let bench = try await Bench()
        let (node, client) = (try await bench.node(), bench.client)
        #expect(try await node.value(of: bench.field) == 1)
        let settings = try bench.server.command("CONFIG GET dir").split(whereSeparator: \.isNewline)
        let directory = try #require(settings.first { $0.hasPrefix("/") })
        try FileManager.default.removeItem(atPath: String(directory))
        _ = try await client.execute(RESPCommand("CONFIG", "SET", "save", "3600 1"))
        _ = try await client.execute(RESPCommand("BGSAVE"))
        try await waitUntil("the failure") { (try? bench.server.command("PING")) == nil }
        let store = RedisStore(client)
        for _ in 0..<6 {
            try await store.ping()
            #expect(try await node.remove(Field("other", ttl: .seconds(9)) { 1 }) == .queued)
        }
        #expect(node.isStoreAvailable)
        #expect(try await bench.node().read(bench.field).tier == .l2)
        await node.shutdown()
    }

    @Test("C3: a server without memory holds no reader of a cold key up")
    func withoutMemory() async throws {
        let bench = try await Bench()
        let nodes = [try await bench.node(), try await bench.node()]
        try bench.set("maxmemory", "1")
        let begun = ContinuousClock.now
        for node in nodes { #expect(try await node.value(of: bench.field) == 1) }
        #expect(ContinuousClock.now - begun < .seconds(20))
        for node in nodes { await node.shutdown() }
    }

    @Test("C3: a server that runs out of memory during a load lets its lease be given up", arguments: [true, false])
    func outOfMemoryMeanwhile(fails: Bool) async throws {
        let bench = try await Bench()
        let store = RedisStore(bench.client)
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(60), freshFor: .seconds(60))
        let lease = try await store.grantedLease("agents", request)
        try bench.set("maxmemory", "1")
        let bytes = ByteBuffer(string: "1")
        let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: .seconds(60))
        let error = await #expect(throws: CacheError.self) { try await store.fillEntry("agents", lease, with: fill) }
        #expect(error?.message.contains("OOM") == true)
        if fails {
            let failure = EntryFailure(count: 1, code: "sourceFailed", message: "no", retryAfter: .seconds(9))
            try await store.failEntry("agents", lease, with: failure)
        } else {
            try await store.releaseEntry("agents", token: lease.token)
        }
        let snapshot = try await store.readEntry("agents", EntryRead(freshFor: .seconds(60)))
        #expect(snapshot.leaseFor == nil)
        #expect((snapshot.failure != nil) == fails)
    }

    @Test("C3: a lease whose fill and release a server refused is given up once it takes writes again")
    func releasedLater() async throws {
        let bench = try await Bench()
        let (server, source) = (bench.server, bench.source)
        let field = Field("slow", policy: FieldPolicy(ttl: .seconds(600))) { _ in
            try server.command("CONFIG SET min-replicas-to-write 1")
            return .value(await source.load())
        }
        let node = try await bench.node()
        #expect(try await node.value(of: field) == 1)
        try bench.set("min-replicas-to-write", "0")
        let store = RedisStore(bench.client)
        try await waitUntil("the lease's end") {
            try await store.readEntry("slow", EntryRead(freshFor: .seconds(60))).leaseFor == nil
        }
        await node.shutdown()
    }

    @Test(
        "C3: nobody waits for another node's load whose end a server would refuse",
        arguments: ["min-replicas-to-write", "maxmemory"]
    )
    func loadedElsewhere(setting: String) async throws {
        let bench = try await Bench()
        let request = LeaseRequest(
            purpose: .read,
            holdFor: .seconds(600),
            freshFor: .seconds(600)
        )
        _ = try await RedisStore(bench.client).grantedLease("agents", request)
        let (node, field) = (try await bench.node(), bench.field)
        let reader = Task { try await node.value(of: field) }
        let refusal = FieldEvent.Kind.lease(.held)
        try await waitUntil("the wait") { node.events(of: node.catalog.fields[0]).contains { $0.kind == refusal } }
        try bench.set(setting, "1")
        let begun = ContinuousClock.now
        #expect(try await reader.value == 1)
        #expect(ContinuousClock.now - begun < .seconds(20))
        #expect(await bench.source.loads == 1)
        try bench.set(setting, "0")
        await node.shutdown()
    }
}
