import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Freshet

/// One field on one or more nodes that share a memory store, under a clock that the test moves.
struct Fleet {
    let spawner: TestSpawner
    let store: MemoryStore
    let source: ControlledSource<String>
    let field: Field<String>

    init(
        spawner: TestSpawner = TestSpawner(),
        source: ControlledSource<String> = ControlledSource(),
        ttl: Duration = .seconds(60),
        _ change: (inout FieldPolicy) -> Void = { _ in }
    ) {
        var policy = FieldPolicy(ttl: ttl)
        change(&policy)
        self.spawner = spawner
        store = MemoryStore(spawner: spawner)
        self.source = source
        field = Field("agents", key: "agents_list", policy: policy, load: source.load)
    }

    /// Somebody who waits behind two loads whose readers have left, and which heed no cancellation.
    func readerBehindTwo(on node: FieldCache) async throws -> Task<String, any Error> {
        let first = source.loads + 1
        for number in first...first + 1 {
            let reader = spawner.task { try await node.value(of: field) }
            try await source.waitForLoads(number)
            reader.cancel()
            #expect(await errorOf { try await reader.value } is CancellationError)
            await spawner.settle()
        }
        let reader = spawner.task { try await node.value(of: field) }
        try await waitUntil("the third reader") { node.waiters(of: field.erased) == 1 }
        return reader
    }

    func node(
        _ store: (any CacheStore)? = nil,
        name: String = "",
        l1MaxBytes: Int = 64 << 20,
        l1Recheck: Duration = .seconds(2),
        logger: Logger = Logger(label: "test")
    ) async throws -> FieldCache {
        var configuration = FieldCache.Configuration()
        configuration.nodeName = name
        configuration.l1MaxBytes = l1MaxBytes
        configuration.l1Recheck = l1Recheck
        let cache = CacheService(store: store ?? self.store, spawner: spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        return FieldCache(
            cache: cache,
            catalog: try FieldCatalog([field]),
            configuration: configuration,
            spawner: spawner,
            logger: logger
        )
    }

    /// A node, and the way to the store that it alone has.
    func faultyNode(l1MaxBytes: Int = 64 << 20) async throws -> (FieldCache, FaultyStore) {
        let faulty = FaultyStore(store, spawner: spawner)
        return (try await node(faulty, l1MaxBytes: l1MaxBytes), faulty)
    }

    /// Another program writes a value.
    func write(_ value: String) async throws {
        _ = try await store.set("agents_list", ByteBuffer(string: "\"\(value)\""), options: CacheOptions())
    }

    /// Another program puts a hash in the place of the value.
    func writeHash() async throws {
        _ = try await store.del(["agents_list"])
        _ = try await store.hset("agents_list", ["a": ByteBuffer(string: "b")])
    }

    /// Has a node load a value, and waits until it has.
    func load(_ value: String, on node: FieldCache) async throws {
        let number = source.loads + 1
        let reader = spawner.task { try await node.read(field) }
        try await source.waitForLoads(number)
        source.end(number, value: value)
        #expect(try await reader.value.value == value)
    }

    /// Has a node make a load, by number, whose value is not to be kept.
    func loadUncacheable(_ number: Int, on node: FieldCache) async throws {
        var details = LoadDetails()
        details.isCacheable = false
        let reader = spawner.task { try await node.value(of: field) }
        try await source.waitForLoads(number)
        source.end(number, .success(.value("v\(number)", details)))
        #expect(try await reader.value == "v\(number)")
    }
}

extension Fleet {
    /// Reads without anybody moving the clock or ending a load; nil if that leaves the reader waiting.
    func promptRead(on node: FieldCache) async -> FieldRead<String>? {
        let reader = spawner.task { try await node.read(field) }
        let end = Task {
            try await Task.sleep(for: .seconds(20))
            reader.cancel()
        }
        defer { end.cancel() }
        return try? await reader.value
    }

    /// Lets a node load "v1", say, as the source's load of that number.
    func load(_ number: Int, on node: FieldCache) async throws {
        let reader = spawner.task { try await node.value(of: field) }
        try await source.waitForLoads(number)
        source.end(number, value: "v\(number)")
        _ = try await reader.value
    }
}
