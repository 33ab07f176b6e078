import BoundedCache
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
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
        l1Recheck: Duration = .seconds(2),
        logger: Logger = Logger(label: "test")
    ) async throws -> FieldCache {
        var configuration = FieldCache.Configuration()
        configuration.nodeName = name
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
    func faultyNode() async throws -> (FieldCache, FaultyStore) {
        let faulty = FaultyStore(store, spawner: spawner)
        return (try await node(faulty), faulty)
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

@Suite("Field cache")
struct FieldCacheTests {
    @Test("fields whose keys are spelled alike to the eye only have nothing in common")
    func spellings() async throws {
        let node = try await Fleet().node()
        let fields = [("menu", "caf\u{e9}"), ("card", "cafe\u{301}")].map { name, key in
            Field(name, key: key, ttl: .seconds(60)) { key.unicodeScalars.count }
        }
        _ = try FieldCatalog(fields)
        for _ in 0..<2 {
            #expect(try await node.value(of: fields[0]) == 4)
            #expect(try await node.value(of: fields[1]) == 5)
        }
        try await node.remove(fields[0])
        #expect(try await node.read(fields[1]).status == .hit)
        #expect(try await node.read(fields[0]).status == .loaded)
    }

    @Test("a value is loaded once, then read from this process, then from the store")
    func tiers() async throws {
        let fleet = Fleet(source: .counting)
        let a = try await fleet.node()
        let b = try await fleet.node()
        let first = try await a.read(fleet.field)
        #expect((first.value, first.status, first.tier) == ("v1", .loaded, .source))
        let second = try await a.read(fleet.field)
        #expect((second.value, second.status, second.tier) == ("v1", .hit, .l1))
        let third = try await b.read(fleet.field)
        #expect((third.value, third.status, third.tier) == ("v1", .hit, .l2))
        #expect(second.etag == third.etag)
        #expect(String(buffer: third.bytes) == "\"v1\"")
        #expect(fleet.source.loads == 1)
    }

    @Test("the stored value is plain JSON under the field's own key, gone when the ttl is over")
    func plain() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("a/b")) }, ttl: .seconds(60))
        _ = try await fleet.node().value(of: fleet.field)
        #expect(try await fleet.store.get("agents_list").map { String(buffer: $0) } == "\"a/b\"")
        #expect(try await fleet.store.ttl("agents_list") == .remaining(.seconds(60)))
        await fleet.spawner.advance(by: .seconds(60))
        #expect(try await fleet.store.get("agents_list") == nil)
    }

    @Test("a value is loaded again when its ttl is over")
    func expiry() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node()
        #expect(try await node.value(of: fleet.field) == "v1")
        await fleet.spawner.advance(by: .milliseconds(59_999))
        let late = try await node.read(fleet.field)
        #expect(late.value == "v1")
        #expect(late.age == .milliseconds(59_999))
        #expect(late.timeToLive == .milliseconds(1))
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("a probe never loads")
    func probe() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        #expect(node.cached(fleet.field.erased) == nil)
        #expect(await node.state(of: fleet.field.erased).freshness == .gone)
        #expect(fleet.source.loads == 0)
    }

    @Test("a probe is no use of what is held that would keep it from being evicted")
    func probesAreNoUse() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.settle()
        let uses = node.tools.l1.entries.statistics.hits
        #expect(node.cached(fleet.field.erased) != nil)
        #expect(await node.state(of: fleet.field.erased).freshness == .fresh)
        #expect(node.tools.l1.entries.statistics.hits == uses)
        _ = try await node.value(of: fleet.field)
        #expect(node.tools.l1.entries.statistics.hits == uses + 1)
    }

    @Test("the state of what the store alone holds is told, and its value not decoded", arguments: [false, true])
    func stateOfStored(isStale: Bool) async throws {
        let fleet = Fleet(source: .counting) { $0.staleWhileRevalidate = .seconds(600) }
        let first = try await fleet.node()
        _ = try await first.value(of: fleet.field)
        if isStale { try await first.expire(fleet.field) }
        await fleet.spawner.advance(by: .seconds(10))
        let field = AnyField(
            name: "agents",
            key: "agents_list",
            policy: fleet.field.erased.policy,
            decode: { _, _ in throw CacheError(.invalidValue, "decoded") },
            load: { _ in .absent }
        )
        let state = try await fleet.node().state(of: field)
        #expect(state.freshness == (isStale ? .stale : .fresh))
        #expect(state.age == .seconds(10))
        #expect(state.timeToLive == .seconds(isStale ? -10 : 50))
        #expect(state.bytes == 4)
    }

    @Test("a reader who wants something younger gets a load, others keep what there is")
    func maxAge() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(10))
        #expect(try await node.read(fleet.field, maxAge: .seconds(10)).value == "v1")
        #expect(try await node.read(fleet.field, maxAge: .seconds(9)).value == "v2")
        #expect(try await node.value(of: fleet.field) == "v2")
        await fleet.spawner.advance(by: .seconds(10))
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await #expect(throws: CacheError.self) { try await node.read(fleet.field, maxAge: .seconds(5)) }
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("a source that says 'not modified' gives the value a new life")
    func notModified() async throws {
        let fleet = Fleet(
            source: ControlledSource { $0 == 1 ? .success(.value("v1", .init(etag: "e1"))) : .success(.notModified) }
        ) { $0.staleIfError = .seconds(60) }
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(70))
        let renewed = try await node.read(fleet.field)
        #expect((renewed.value, renewed.status, renewed.age) == ("v1", .loaded, .zero))
        #expect(fleet.source.contexts.map(\.etag) == [nil, "e1"])
        await fleet.spawner.advance(by: .seconds(59))
        #expect(try await node.read(fleet.field).status == .hit)
        #expect(try await fleet.node().read(fleet.field).tier == .l2)
        #expect(fleet.source.loads == 2)
    }

    @Test("a source that says 'not modified' after the value has ended gives it a new life all the same")
    func notModifiedTooLate() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, .success(.value("v1", .init(etag: "e1"))))
        #expect(try await first.value == "v1")
        await fleet.spawner.advance(by: .seconds(50))
        let reader = fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(10)) }
        try await fleet.source.waitForLoads(2)
        await fleet.spawner.advance(by: .seconds(20))
        fleet.source.end(2, .success(.notModified))
        let renewed = try await reader.value
        #expect((renewed.value, renewed.isStored) == ("v1", true))
        fleet.source.answerFromNowOn { _ in .success(.value("v2")) }
        let elsewhere = try await fleet.node().read(fleet.field)
        #expect((elsewhere.value, elsewhere.tier) == ("v1", .l2))
        #expect(fleet.source.contexts.map(\.etag) == [nil, "e1"])
    }

    @Test("a source is not asked whether a value has changed that ends before the load begins")
    func endedBeforeTheLoad() async throws {
        let fleet = Fleet(
            source: ControlledSource { $0 == 1 ? .success(.value("v1", .init(etag: "e1"))) : .success(.value("v2")) }
        )
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .milliseconds(59_800))
        // Less than a call to the store may take.
        store.inject(.delayAfterwards(.milliseconds(300)), into: [.lease])
        let reader = fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(10)) }
        try await waitUntil("the lease") { store.calls(of: .lease) == 2 && fleet.spawner.sleepers > 0 }
        await fleet.spawner.advance(by: .milliseconds(300))
        #expect(try await reader.value.value == "v2")
        #expect(fleet.source.contexts.map(\.etag) == [nil, nil])
    }

    @Test("'not modified' of a value that is not held is a failure")
    func notModifiedOfNothing() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.notModified) })
        let node = try await fleet.node()
        let error = await #expect(throws: CacheError.self) { try await node.value(of: fleet.field) }
        #expect(error?.code == .sourceFailed)
    }

    @Test("absence is remembered for as long as the policy says")
    func absence() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.absent) }) { $0.negativeTTL = .seconds(30) }
        let node = try await fleet.node()
        for _ in 0..<3 {
            let error = await #expect(throws: CacheError.self) { try await node.value(of: fleet.field) }
            #expect(error?.code == .absent)
        }
        #expect(fleet.source.loads == 1)
        #expect(await node.state(of: fleet.field.erased).freshness == .absent)
        #expect(try await fleet.store.get("agents_list") == nil)
        await fleet.spawner.advance(by: .seconds(30))
        _ = try? await node.value(of: fleet.field)
        #expect(fleet.source.loads == 2)
    }

    @Test("absence is not remembered by default")
    func absenceByDefault() async throws {
        let fleet = Fleet(source: ControlledSource { $0 == 1 ? .success(.absent) : .success(.value("v\($0)")) })
        let node = try await fleet.node()
        _ = try? await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("the fetcher may shorten the life of a value, or forbid to keep it")
    func details() async throws {
        let fleet = Fleet(
            source: ControlledSource {
                $0 == 1
                    ? .success(.value("v1", .init(ttl: .seconds(5))))
                    : .success(.value("v\($0)", .init(isCacheable: false)))
            }
        )
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(5))
        let second = try await node.read(fleet.field)
        #expect((second.value, second.isStored) == ("v2", false))
        #expect(try await node.value(of: fleet.field) == "v3")
        #expect(try await fleet.store.get("agents_list") == nil)
    }

    @Test("callers of a field that is not to be kept are not put in a row, until it may be kept again")
    func uncacheable() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, .success(.value("v1", .init(isCacheable: false))))
        #expect(try await first.value == "v1")
        let second = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        let third = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(3)
        fleet.source.end(2, .success(.value("v2", .init(isCacheable: false))))
        #expect(try await second.value == "v2")
        let ends = NIOLockedValueBox<[FieldEvent.Kind]>([])
        node.watch { _, event in if case .load = event.kind { ends.withLockedValue { $0.append(event.kind) } } }
        fleet.source.end(3, value: "v3")
        #expect(try await third.value == "v3")
        #expect(ends.withLockedValue { $0 } == [.load(.changed)])
        let fourth = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        #expect(try await fourth.value.isStored)
    }

    @Test("an absence is remembered, though the value before it was not to be kept")
    func absentAfterUncacheable() async throws {
        let source = ControlledSource<String> { load in
            .success(load == 1 ? .value("v1", .init(isCacheable: false)) : .absent)
        }
        let fleet = Fleet(source: source) { $0.negativeTTL = .seconds(5) }
        let node = try await fleet.node()
        #expect(try await node.value(of: fleet.field) == "v1")
        for _ in 0..<4 { #expect(await code { _ = try await node.value(of: fleet.field) } == .absent) }
        #expect(source.loads == 3)
    }

    @Test("a caller who loads for himself is told to come back no later than anybody else")
    func uncacheableHint() async throws {
        let source = ControlledSource<String> { load in
            load == 1
                ? .success(.value("v1", .init(isCacheable: false)))
                : .failure(CacheError(.sourceFailed, "busy", retryAfter: .seconds(5000)))
        }
        let fleet = Fleet(source: source)
        let node = try await fleet.node()
        #expect(try await node.value(of: fleet.field) == "v1")
        let error = await errorOf { try await node.value(of: fleet.field) } as? CacheError
        #expect(error?.retryAfter == .seconds(600))
    }

    @Test("C4: loads that callers make each for themselves, and that fail together, are one failure")
    func uncacheableFailures() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, .success(.value("v1", .init(isCacheable: false))))
        _ = try await first.value
        for (moment, loads) in [2...5, 6...6].enumerated() {
            let readers = loads.map { _ in fleet.spawner.task { try await node.value(of: fleet.field) } }
            try await fleet.source.waitForLoads(loads.upperBound)
            await fleet.spawner.advance(by: .seconds(1))
            for load in loads { fleet.source.end(load, .failure(SourceIsDown())) }
            for reader in readers { #expect(await errorOf { try await reader.value } != nil) }
            let error = await errorOf { try await node.value(of: fleet.field) } as? CacheError
            #expect(error?.retryAfter == .seconds(moment + 1), "the backoff doubles once a moment")
            await fleet.spawner.advance(by: .seconds(moment + 1))
        }
    }

    @Test(
        "C7: a stored value that is cut off, or in another encoding, is a miss, and is replaced",
        arguments: [Array("{\"cut".utf8), [0xEF, 0xBB, 0xBF] + "\"\"".utf8, [0xFF, 0xFE, 0x22, 0, 0xE9, 0, 0x22, 0]]
    )
    func badBytes(bytes: [UInt8]) async throws {
        let fleet = Fleet(source: .counting)
        _ = try await fleet.store.set("agents_list", ByteBuffer(bytes: bytes), options: CacheOptions())
        let node = try await fleet.node()
        #expect(try await node.value(of: fleet.field) == "v1")
        #expect(try await fleet.store.get("agents_list").map { String(buffer: $0) } == "\"v1\"")
        let misses = node.events(of: fleet.field.erased).filter { $0.kind == .undecodable }
        #expect(misses.map(\.count) == [1], "a read counts them once, though the store shows them twice")
    }

    @Test("two versions of a program whose types differ do not load against each other")
    func versions() async throws {
        let fleet = Fleet(source: .counting)
        let numbers = ControlledSource { .success(.value($0)) }
        let number = Field("agents", key: "agents_list", policy: FieldPolicy(ttl: .seconds(60)), load: numbers.load)
        let (old, new) = (try await fleet.node(), try await fleet.node())
        for _ in 0..<20 {
            #expect(try await old.value(of: fleet.field) == "v1")
            #expect(try await new.value(of: number) == 1)
            await fleet.spawner.advance(by: .seconds(2))
        }
        #expect((fleet.source.loads, numbers.loads) == (1, 1))
        await fleet.spawner.advance(by: .seconds(20))
        #expect(try await old.value(of: fleet.field) == "v2")
        try await new.remove(number)
        #expect(try await new.value(of: number) == 2)
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await old.value(of: fleet.field) == "v3", "what was invalidated ends in both")
    }

    @Test("a value that another program wrote is adopted, one it deleted is gone")
    func foreign() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        try await fleet.write("theirs")
        await fleet.spawner.advance(by: .seconds(2))
        let adopted = try await node.read(fleet.field)
        #expect((adopted.value, adopted.status, adopted.tier) == ("theirs", .hit, .l2))
        _ = try await fleet.store.del(["agents_list"])
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("two fields of different types may be read under one key")
    func sharedKey() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("text")) })
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        let other = Field("other", key: "agents_list", ttl: .seconds(60)) { JSONValue.null }
        #expect(try await node.value(of: other) == .string("text"))
    }

    @Test(
        "shutting down cancels loads, answers who waits, and refuses who comes; a cancelled caller waits too",
        arguments: [true, false]
    )
    func shutdown(isCancelled: Bool) async throws {
        let fleet = Fleet()
        let logs = RecordedLogs()
        let node = try await fleet.node(logger: logs.logger)
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let hasEnded = NIOLockedValueBox(false)
        let end = fleet.spawner.task {
            if isCancelled { withUnsafeCurrentTask { $0?.cancel() } }
            await node.shutdown()
            hasEnded.withLockedValue { $0 = true }
        }
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [1] }
        try await waitUntil("the timers of shutdown and load") { fleet.spawner.sleepers == 2 }
        #expect(!hasEnded.withLockedValue { $0 })
        fleet.source.end(1, value: "late")
        try await end.value
        #expect(!logs.entries.contains { $0.level >= .warning })
        for error in [
            await errorOf { try await reader.value }, await errorOf { try await node.value(of: fleet.field) },
        ] {
            #expect((error as? CacheError)?.code == .shuttingDown)
        }
        #expect(fleet.spawner.runningTasks == 0)
    }
}

extension FieldCacheTests {
    @Test("shutting down answers also who waits behind fetchers that heed no cancellation")
    func shutdownBehindFetchers() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let reader = try await fleet.readerBehindTwo(on: node)
        let end = fleet.spawner.task { await node.shutdown() }
        let error = await errorOf { try await reader.value } as? CacheError
        #expect(error?.code == .shuttingDown)
        for number in 1...2 { fleet.source.end(number, value: "late") }
        try await end.value
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("C10: without an initialised cache service nothing is read, refreshed or invalidated")
    func notInitialized() async throws {
        let fleet = Fleet()
        let cache = CacheService(store: fleet.store, spawner: fleet.spawner, logger: Logger(label: "test"))
        let node = FieldCache(
            cache: cache,
            catalog: try FieldCatalog(),
            spawner: fleet.spawner,
            logger: Logger(label: "test")
        )
        for error in [
            await errorOf { try await node.value(of: fleet.field) },
            await errorOf { try await node.refresh(fleet.field) },
            await errorOf { try await node.remove(fleet.field) },
        ] {
            #expect((error as? CacheError)?.code == .notInitialized)
        }
        #expect(fleet.source.loads == 0)
    }

    @Test("a key that has no companion is refused", arguments: ["", "a{", "{}"])
    func badKey(key: String) async throws {
        let node = try await Fleet().node()
        let field = Field("bad", key: key, ttl: .seconds(9)) { "x" }
        for error in [
            await errorOf { try await node.value(of: field) }, await errorOf { try await node.refresh(field) },
            await errorOf { try await node.remove(field) },
        ] {
            #expect((error as? CacheError)?.code == .invalidArgument)
        }
    }

    @Test("an older value of the same generation replaces no newer one")
    func latest() throws {
        let field = Field("f", ttl: .seconds(60)) { "x" }.erased
        func entry(_ text: String, loadedAt seconds: Int64, _ generation: String = "g") throws -> Entry {
            let askedAt = MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
            let snapshot = EntrySnapshot(
                content: .value(ByteBuffer(string: "\"\(text)\"")),
                generation: Generation(generation),
                freshFor: .seconds(60)
            )
            return try #require(try Entry.from(snapshot, of: field, held: nil, askedAt: askedAt))
        }
        let held = try entry("v2", loadedAt: 20)
        #expect(held.replaces(try entry("v1", loadedAt: 10)))
        #expect(!held.replaces(try entry("v3", loadedAt: 30)))
        #expect(!held.replaces(try entry("v1", loadedAt: 10, "other")))
        #expect(!held.replaces(try entry("v2", loadedAt: 10)), "the same, checked anew")
    }

    @Test("the store's stale value gives way to what was loaded since, if it is older however long its answer took")
    func successor() throws {
        func at(_ seconds: Double) -> MonotonicInstant { MonotonicInstant(nanoseconds: 0) + .seconds(seconds) }
        func json(_ text: String) -> ByteBuffer { ByteBuffer(string: "\"\(text)\"") }
        let snapshot = EntrySnapshot(content: .value(json("v1")), age: .seconds(5), staleFor: .seconds(60))
        let field = Field("f", ttl: .seconds(60)) { "x" }.erased
        let stored = try #require(try Entry.from(snapshot, of: field, held: nil, askedAt: at(14)))
        let own = Entry(
            payload: Payload(bytes: json("v2"), digest: json("v2").sha1),
            generation: nil,
            sourceETag: nil,
            loadedAt: at(11),
            freshUntil: at(71),
            staleUntil: at(71),
            checkedAt: at(10),
            begunAt: at(10)
        )
        #expect(own.successor(of: stored, in: Generation("g"), askedAt: at(14), now: at(14.9)) != nil)
        #expect(own.successor(of: stored, in: Generation("g"), askedAt: at(14), now: at(15)) == nil)
    }

    @Test("an invalidation that cannot be sent once the shutdown has begun is an error, and what is lost is counted")
    func invalidationAfterShutdown() async throws {
        let fleet = Fleet()
        let store = FaultyStore(fleet.store)
        let logs = RecordedLogs()
        let node = try await fleet.node(store, logger: logs.logger)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        #expect(try await node.remove(fleet.field) == .queued)
        let clock = fleet.runClock()
        await node.shutdown()
        #expect(logs.entries.contains { $0.metadata["invalidations.lost"] == "1" })
        let error = await errorOf { try await node.remove(fleet.field) } as? CacheError
        #expect(error?.code == .shuttingDown)
        clock.cancel()
    }

    @Test("what the store could not be told of while the shutdown waits for a fetcher, it is told of after that")
    func invalidationDuringShutdown() async throws {
        let fleet = Fleet()
        let store = FaultyStore(fleet.store)
        let node = try await fleet.node(store)
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let shutdown = fleet.spawner.task { await node.shutdown() }
        await fleet.spawner.settle()
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.invalidate])
        let error = await errorOf { try await node.remove(fleet.field) } as? CacheError
        #expect(error?.code == .shuttingDown)
        store.recover()
        fleet.source.end(1, value: "v1")
        try await shutdown.value
        #expect(store.calls(of: .invalidate) == 2)
        _ = await errorOf { try await reader.value }
    }

    @Test("once a load for one caller alone has failed, those who come share one")
    func afterFailureAlone() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        try await fleet.loadUncacheable(1, on: node)
        let lone = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .failure(SourceIsDown()))
        #expect((await errorOf { try await lone.value } as? CacheError)?.code == .sourceFailed)
        await fleet.spawner.advance(by: .seconds(2))
        let readers = (0..<2).map { _ in fleet.spawner.task { try await node.value(of: fleet.field) } }
        try await fleet.source.waitForLoads(3)
        await fleet.spawner.settle()
        try #require(fleet.source.loads == 3)
        fleet.source.end(3, value: "v3")
        for reader in readers { #expect(try await reader.value == "v3") }
    }

    @Test("shutting down cancels a load for one caller alone, and refuses the next")
    func shutdownOfLoneLoads() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        try await fleet.loadUncacheable(1, on: node)
        let lone = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        #expect(node.waiters(of: fleet.field.erased) == 0)
        let end = fleet.spawner.task { await node.shutdown() }
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [2] }
        #expect((await errorOf { try await lone.value } as? CacheError)?.code == .shuttingDown)
        #expect((await errorOf { try await node.value(of: fleet.field) } as? CacheError)?.code == .shuttingDown)
        #expect(fleet.source.loads == 2)
        fleet.source.end(2, value: "late")
        try await end.value
        #expect(fleet.spawner.runningTasks == 0)
    }
}

func errorOf<Value>(_ operation: () async throws -> Value) async -> (any Error)? {
    do {
        _ = try await operation()
        return nil
    } catch {
        return error
    }
}
