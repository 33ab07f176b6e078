import BoundedCache
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Freshet

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
}

extension FieldCacheTests {
    @Test("it goes by its cache service's clock, unless given another")
    func clock() async throws {
        let spawner = TestSpawner()
        let logger = Logger(label: "test")
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: logger)
        try await cache.initialize()
        let agents = Field("agents", ttl: .seconds(60)) {
            try await spawner.sleep(for: .seconds(2))
            return ["Ada"]
        }
        let fields = FieldCache(cache: cache, catalog: try FieldCatalog([agents]), logger: logger)
        let reader = spawner.task { try await fields.read(agents) }
        await spawner.advance(by: .seconds(2))
        #expect(try await reader.value.status == .loaded)
        await spawner.advance(by: .seconds(30))
        #expect(try await fields.read(agents).age == .seconds(30))
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
}
