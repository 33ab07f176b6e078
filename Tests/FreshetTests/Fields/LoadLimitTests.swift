import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Freshet

/// C8: loads are bounded in number, and none waits for a place that its own waiter holds.
@Suite("Load limit", .timeLimit(.minutes(1)))
struct LoadLimitTests {
    private let fleet = Fleet()

    private func node(
        limit: Int,
        fields: [any FieldReference] = [],
        store: (any CacheStore)? = nil,
        logger: Logger = Logger(label: "test")
    ) async throws -> FieldCache {
        let cache = CacheService(store: store ?? fleet.store, spawner: fleet.spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        var configuration = FieldCache.Configuration()
        configuration.maxConcurrentLoads = limit
        return FieldCache(
            cache: cache,
            catalog: try FieldCatalog(fields),
            configuration: configuration,
            spawner: fleet.spawner,
            logger: logger
        )
    }

    private func field(
        _ name: String,
        _ source: ControlledSource<String>,
        hardDeadline: Duration = .seconds(5),
        staleIfError: Duration = .zero
    ) -> Field<String> {
        var policy = FieldPolicy(ttl: .seconds(9))
        policy.hardDeadline = hardDeadline
        policy.staleIfError = staleIfError
        return Field(name, policy: policy, load: source.load)
    }

    /// Has a node load something that takes its only place, until the first load of the fleet's source ends.
    private func takePlace(of node: FieldCache) async throws -> Task<String, any Error> {
        let long = field("long", fleet.source, hardDeadline: .seconds(60))
        let task = fleet.spawner.task { try await node.value(of: long) }
        try await fleet.source.waitForLoads(1)
        return task
    }

    /// Has somebody ask a node for a field, and waits until so many wait for it.
    private func wait(
        on node: FieldCache,
        for field: Field<String>,
        isForced: Bool = false,
        waiters count: Int = 1
    ) async throws -> Task<String, any Error> {
        let task = fleet.spawner.task {
            isForced ? try await node.refresh(field).value : try await node.value(of: field)
        }
        try await waitUntil("waiter \(count)") { node.waiters(of: field.erased) == count }
        await fleet.spawner.settle()
        return task
    }

    /// Has a forced refresh wait for a place, and be overtaken; then another node loads `before`.
    private func overtakenForce(
        on node: FieldCache,
        of field: Field<String>,
        _ source: ControlledSource<String>,
        _ invalidation: Invalidation = .expire,
        by elsewhere: FieldCache
    ) async throws -> Task<String, any Error> {
        let forced = fleet.spawner.task { try await node.refresh(field, purge: invalidation == .remove).value }
        try await waitUntil("the refresh") { node.waiters(of: field.erased) == 1 }
        await fleet.spawner.settle()
        try await node.expire(field)
        let there = fleet.spawner.task { try await elsewhere.value(of: field) }
        try await source.waitForLoads(1)
        source.end(1, value: "before")
        _ = try await there.value
        return forced
    }

    @Test("a place is nobody's after a load that was given up, and given back once")
    func givenUpBefore() async throws {
        let limiter = LoadLimiter(limit: 1)
        var first = limiter.take(for: nil)
        #expect(first != nil && limiter.take(for: nil) == nil)
        let waiting = fleet.spawner.task { try await limiter.acquire(for: nil) }
        await fleet.spawner.settle()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        for _ in 0..<2 { first?.giveBack() }
        first = nil
        let second = limiter.take(for: nil)
        #expect(second != nil && limiter.take(for: nil) == nil)
    }

    @Test("the places of loads that others wait for, beyond the limit, are nobody's after them")
    func beyondTheLimit() async throws {
        let limiter = LoadLimiter(limit: 1)
        let first = try await limiter.acquire(for: nil)
        let queued = fleet.spawner.task { try await limiter.acquire(for: 6) }
        await fleet.spawner.settle()
        for flight: FlightID in [6, 7] { limiter.hurry(flight) }
        let hurried = [try await queued.value, try await limiter.acquire(for: 7)]
        let hasBegun = NIOLockedValueBox(false)
        let waiting = fleet.spawner.task {
            let place = try await limiter.acquire(for: nil)
            hasBegun.withLockedValue { $0 = true }
            place.giveBack()
        }
        await fleet.spawner.settle()
        for place in hurried { place.giveBack() }
        await fleet.spawner.settle()
        #expect(!hasBegun.withLockedValue { $0 })
        first.giveBack()
        try await waiting.value
    }

    @Test("a load that another waits for and that is given up before it has begun leaves nothing behind")
    func givenUpInQueue() async throws {
        let inner = field("inner", fleet.source, hardDeadline: .seconds(60))
        let node = try await node(limit: 9)
        let outer = Field("outer", ttl: .seconds(9)) { try await node.refresh(inner).value }
        let first = fleet.spawner.task { try await node.refresh(inner) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(6))
        let reader = fleet.spawner.task { try await node.read(outer) }
        await fleet.spawner.settle()
        #expect(node.waiters(of: inner.erased) == 2)
        reader.cancel()
        await fleet.spawner.settle()
        fleet.source.end(1, value: "v1")
        _ = try await first.value
        await fleet.spawner.settle()
        let limiter = node.tools.limiter
        let places = (0..<9).compactMap { _ in limiter.take(for: nil) }
        #expect(places.count == 9 && (1...9).allSatisfy { limiter.take(for: $0) == nil })
    }

    @Test("C2: who waits for a place to load for himself shares a load if the field's values are kept by then")
    func sharedAgain() async throws {
        let node = try await node(limit: 1)
        let source = ControlledSource<String>()
        let other = field("other", source)
        let first = fleet.spawner.task { try await node.value(of: other) }
        try await source.waitForLoads(1)
        source.end(1, .success(.value("v1", .init(isCacheable: false))))
        _ = try await first.value
        let readers = (0..<3).map { _ in fleet.spawner.task { try await node.value(of: other) } }
        try await source.waitForLoads(2)
        await fleet.spawner.settle()
        source.end(2, value: "v2")
        try await source.waitForLoads(3)
        source.end(3, value: "v3")
        await fleet.spawner.settle()
        try #require(source.loads == 3)
        var values: [String] = []
        for reader in readers { values.append(try await reader.value) }
        #expect(values.sorted() == ["v2", "v3", "v3"])
    }

    @Test("loads are bounded in number, over all fields")
    func bounded() async throws {
        let node = try await node(limit: 2)
        let source = fleet.source
        let readers = (0..<3).map { number in
            fleet.spawner.task { try await node.value(of: field("f\(number)", source)) }
        }
        try await source.waitForLoads(2)
        await fleet.spawner.settle()
        #expect(source.loads == 2)
        source.end(1, value: "one")
        try await source.waitForLoads(3)
        source.end(2, value: "two")
        source.end(3, value: "three")
        for reader in readers { _ = try await reader.value }
    }

    @Test(
        "C8: a fetcher that does not heed its cancellation keeps its place until it ends, or for its time",
        arguments: [(isInTime: true, isAlone: false), (true, true), (false, false), (false, true)]
    )
    func cancelled(isInTime: Bool, isAlone: Bool) async throws {
        let (node, source) = (try await node(limit: 1), ControlledSource<String>())
        let uncacheable = LoadResult.value("once", LoadDetails(isCacheable: false))
        let other = field("other", source)
        if isAlone {
            let first = fleet.spawner.task { try await node.value(of: other) }
            try await source.waitForLoads(1)
            source.end(1, .success(uncacheable))
            #expect(try await first.value == "once")
        }
        let left = fleet.spawner.task { try await node.value(of: other) }
        try await source.waitForLoads(isAlone ? 2 : 1)
        left.cancel()
        #expect(await errorOf { try await left.value } is CancellationError)
        let next = try await wait(on: node, for: fleet.field)
        await fleet.spawner.settle()
        #expect(fleet.source.loads == 0)
        if isInTime { source.end(isAlone ? 2 : 1, value: "late") } else { await fleet.spawner.advance(by: .seconds(5)) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        #expect(try await next.value == "v1")
        if !isInTime { source.end(isAlone ? 2 : 1, value: "late") }
    }

    @Test("C3: a load inside one that is shared under a key waits for no place, which its own waiter may hold")
    func insideSharedLoad() async throws {
        let cache = CacheService(store: fleet.store, spawner: fleet.spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        let node = try await node(limit: 1)
        let inner = field("inner", ControlledSource { _ in .success(.value("inner")) })
        let outer = Field("outer", ttl: .seconds(9)) {
            try await cache.getOrLoad(key: "k", ttl: .seconds(9)) { try await node.value(of: inner) }
        }
        #expect(try await node.value(of: outer) == "inner")
    }

    @Test("C4: a source that was not asked for want of a place has not failed, on this node or on others")
    func starved() async throws {
        let source = ControlledSource<String> { _ in .success(.value("other")) }
        let other = field("other", source)
        let node = try await node(limit: 1, fields: [other])
        let endless = try await takePlace(of: node)
        let waiting = try await wait(on: node, for: other)
        let ends = NIOLockedValueBox<[FieldEvent.Kind]>([])
        node.watch { _, event in if case .load = event.kind { ends.withLockedValue { $0.append(event.kind) } } }
        await fleet.spawner.advance(by: .seconds(5))
        let error = await errorOf { try await waiting.value } as? CacheError
        #expect(error?.code == .overloaded)
        #expect(source.loads == 0)
        #expect(ends.withLockedValue { $0 } == [.load(.notBegun)])
        let snapshot = try await fleet.store.readEntry("other", EntryRead(freshFor: .seconds(9)))
        #expect(snapshot.failure == nil && snapshot.leaseFor == nil)
        #expect(try await self.node(limit: 1).value(of: other) == "other")
        #expect(try await node.value(of: other) == "other")
        fleet.source.end(1, value: "late")
        _ = try await endless.value
    }

    @Test("a scheduled load that got no place says so")
    func scheduled() async throws {
        var policy = FieldPolicy(ttl: .seconds(9))
        (policy.hardDeadline, policy.refreshEvery) = (.seconds(5), .every(.seconds(1)))
        let other = Field<String>("other", policy: policy) { _ in .absent }
        let node = try await node(limit: 1, fields: [other])
        let first = try await takePlace(of: node)
        let ends = NIOLockedValueBox<[FieldEvent.Kind]>([])
        node.watch { _, event in if case .load = event.kind { ends.withLockedValue { $0.append(event.kind) } } }
        node.schedule.start()
        await fleet.spawner.advance(by: .seconds(5))
        #expect(ends.withLockedValue { $0 } == [.load(.notBegun)])
        fleet.source.end(1, value: "long")
        _ = try await first.value
        await node.shutdown()
    }

    @Test(
        "C1: who waited in vain for a place gets nothing that was removed elsewhere meanwhile",
        arguments: [true, false]
    )
    func removedMeanwhile(isRemoved: Bool) async throws {
        let source = ControlledSource<String> { _ in .success(.value("old")) }
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        #expect(try await node.value(of: other) == "old")
        await fleet.spawner.advance(by: .seconds(10))
        let endless = try await takePlace(of: node)
        let first = try await wait(on: node, for: other)
        await fleet.spawner.advance(by: .seconds(5))
        if isRemoved { try await elsewhere.remove(other) }
        await fleet.spawner.advance(by: .seconds(20))
        let late = try await wait(on: node, for: other, waiters: 2)
        await fleet.spawner.advance(by: .seconds(5))
        for reader in [first, late] {
            switch await reader.result {
            case .success(let value): #expect(value == "old" && !isRemoved)
            case .failure(let error): #expect((error as? CacheError)?.code == .overloaded && isRemoved)
            }
        }
        fleet.source.end(1, value: "late")
        _ = try await endless.value
    }

    @Test("C3: a reader who comes late to a load that gets no place waits for none again where the store is away")
    func lateWithoutStore() async throws {
        let source = ControlledSource<String> { _ in .success(.value("old")) }
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let store = FaultyStore(fleet.store)
        let node = try await node(limit: 1, store: store)
        #expect(try await node.value(of: other) == "old")
        await fleet.spawner.advance(by: .seconds(10))
        let endless = try await takePlace(of: node)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        let first = try await wait(on: node, for: other)
        await fleet.spawner.advance(by: .seconds(20))
        let late = try await wait(on: node, for: other, waiters: 2)
        await fleet.spawner.advance(by: .seconds(10))
        for reader in [first, late] { #expect(try await reader.value == "old") }
        store.recover()
        fleet.source.end(1, value: "late")
        _ = try await endless.value
        await node.shutdown()
    }

    @Test("C8: the time of a load, and of its lease, begins with its place")
    func late() async throws {
        let source = ControlledSource<String>()
        let other = field("other", source)
        let node = try await node(limit: 1, fields: [other])
        let first = try await takePlace(of: node)
        let waiting = try await wait(on: node, for: other)
        await fleet.spawner.advance(by: .seconds(4))
        let snapshot = try await fleet.store.readEntry("other", EntryRead(freshFor: .seconds(9)))
        #expect(snapshot.leaseFor == nil)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(4))
        source.end(1, value: "in time")
        #expect(try await waiting.value == "in time")
    }

    @Test("C2: who waits for a place takes what another node has loaded meanwhile")
    func loadedElsewhere() async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String> { _ in .success(.value("other")) }
        let other = field("other", source)
        let first = try await takePlace(of: node)
        let waiting = try await wait(on: node, for: other)
        #expect(try await elsewhere.value(of: other) == "other")
        fleet.source.end(1, value: "long")
        #expect(try await waiting.value == "other")
        #expect(source.loads == 1)
        _ = try await first.value
        #expect(node.tools.limiter.take(for: nil) != nil)
    }

    @Test(
        "C3: loads of two nodes do not wait for each other, one for a place and one for a lease",
        arguments: [true, false]
    )
    func circle(isForced: Bool) async throws {
        let (one, two) = (try await node(limit: 1), try await node(limit: 1))
        let gate = ControlledSource<String>()
        let leaf = field("leaf", ControlledSource { _ in .success(.value("leaf")) })
        func branch(on node: FieldCache) -> Field<String> {
            Field<String>("branch", policy: FieldPolicy(ttl: .seconds(9))) { context in
                _ = try await gate.load(context)
                return .value(try await node.value(of: leaf))
            }
        }
        let (branchOfOne, branchOfTwo) = (branch(on: one), branch(on: two))
        let first = fleet.spawner.task { try await one.value(of: branchOfOne) }
        try await gate.waitForLoads(1)
        // Has the place, and waits for the lease.
        let root = fleet.spawner.task {
            try await two.value(of: Field("root", ttl: .seconds(9)) { try await two.value(of: branchOfTwo) })
        }
        try await waitUntil("the branch") { two.waiters(of: branchOfTwo.erased) == 1 }
        let last = fleet.spawner.task {
            isForced ? try await two.refresh(leaf).value : try await two.value(of: leaf)
        }
        try await waitUntil("the leaf") { two.waiters(of: leaf.erased) == 1 }
        await fleet.spawner.settle()
        gate.end(1, value: "go on")
        let clock = fleet.runClock()
        #expect(try await first.value == "leaf")
        #expect(try await root.value == "leaf")
        #expect(try await last.value == "leaf")
        clock.cancel()
    }

    @Test(
        "one forced load answers those that had no place when they came, who keep none while they wait for it",
        arguments: [0, 9]
    )
    func forcedElsewhere(seconds: Int) async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let here = try await wait(on: node, for: other, isForced: true)
        await fleet.spawner.advance(by: .milliseconds(1))
        let there = fleet.spawner.task { try await elsewhere.refresh(other) }
        try await source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(seconds))
        fleet.source.end(1, value: "long")
        _ = try await first.value
        await fleet.spawner.settle()
        let third = field("third", ControlledSource { _ in .success(.value("third")) })
        #expect(try await node.value(of: third) == "third")
        source.end(1, value: "forced")
        #expect(try await there.value.isStored)
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await here.value == "forced")
        #expect(source.loads == 1)
    }

    @Test("who forces a load joins one that waits for its place, however long it has", arguments: [false, true])
    func forcedLater(isAnsweredElsewhere: Bool) async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let early = try await wait(on: node, for: other, isForced: true)
        if isAnsweredElsewhere {
            await fleet.spawner.advance(by: .milliseconds(1))
            let there = fleet.spawner.task { try await elsewhere.refresh(other) }
            try await source.waitForLoads(1)
            source.end(1, value: "elsewhere")
            _ = try await there.value
        }
        await fleet.spawner.advance(by: .seconds(6))
        let late = try await wait(on: node, for: other, isForced: true, waiters: 2)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        let loads = isAnsweredElsewhere ? 2 : 1
        try await source.waitForLoads(loads)
        await fleet.spawner.advance(by: .seconds(6))
        source.end(loads, value: "forced")
        #expect(try await early.value == "forced")
        await fleet.spawner.settle()
        try #require(source.loads == loads)
        #expect(try await late.value == "forced")
    }

    @Test("a forced refresh that comes while the store is asked is not answered by a forced load that began too early")
    func forcedWhileAsking() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source)
        let there = fleet.spawner.task { try await elsewhere.refresh(other) }
        try await source.waitForLoads(1)
        source.end(1, value: "elsewhere")
        _ = try await there.value
        await fleet.spawner.advance(by: .milliseconds(4900))
        store.inject(.delayAfterwards(.milliseconds(300)), into: [.lease])
        let early = try await wait(on: node, for: other, isForced: true)
        await fleet.spawner.advance(by: .milliseconds(200))
        let late = try await wait(on: node, for: other, isForced: true, waiters: 2)
        store.recover()
        await fleet.spawner.advance(by: .milliseconds(100))
        try await source.waitForLoads(2)
        source.end(2, value: "forced")
        for task in [early, late] { #expect(try await task.value == "forced") }
    }

    @Test(
        "C1: a forced load that was overtaken while it had no place overtakes in turn what has come since",
        arguments: [true, false],
        [Invalidation.expire, .remove]
    )
    func forcedLate(hasStore: Bool, invalidation: Invalidation) async throws {
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source)
        let first = try await takePlace(of: node)
        let forced = try await overtakenForce(on: node, of: other, source, invalidation, by: elsewhere)
        #expect(try await node.read(other).tier == .l2)
        if !hasStore { store.inject(.fail(CacheError(.storeUnavailable, "away"))) }
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        #expect(node.cached(other.erased)?.status != .hit)
        source.end(2, value: "forced")
        #expect(try await forced.value == "forced")
        #expect(node.cached(other.erased)?.status != .hit)
        if hasStore { #expect(try await node.value(of: other) == "forced") }
    }

    @Test(
        "C1: nothing older than a forced load is fresh for those who wait in a flight whose load has yet to begin",
        arguments: [StoreOperation.allCases, [.lease, .fill, .invalidate]],
        [Invalidation.expire, .remove]
    )
    func forcedBesideWaiting(failing: [StoreOperation], invalidation: Invalidation) async throws {
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let first = try await takePlace(of: node)
        let forced = try await overtakenForce(on: node, of: other, source, invalidation, by: elsewhere)
        // It wants nothing that old.
        await fleet.spawner.advance(by: .milliseconds(1))
        let younger = fleet.spawner.task { try await node.read(other, maxAge: .zero) }
        try await waitUntil("who wants more") { node.waiters(of: other.erased) == 2 }
        await fleet.spawner.settle()
        #expect(try await node.value(of: other) == "before")
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: failing)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        await fleet.spawner.advance(by: .milliseconds(1))
        let late = fleet.spawner.task { try await node.read(other) }
        await fleet.spawner.settle()
        #expect(node.waiters(of: other.erased) == 3)
        source.end(2, value: "forced")
        #expect(try await forced.value == "forced")
        try await source.waitForLoads(3)
        source.end(3, .failure(SourceIsDown()))
        await #expect(throws: CacheError.self) { try await younger.value }
        switch await late.result {
        case .success(let read): #expect(read.status == .stale && invalidation == .expire)
        case .failure(let error): #expect((error as? CacheError)?.code == .sourceFailed && invalidation == .remove)
        }
    }

    @Test("C1: what a purge has dropped does not come back with a forced refresh that came before it began")
    func purgedBesideForced() async throws {
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let first = try await takePlace(of: node)
        let purge = try await overtakenForce(on: node, of: other, source, .remove, by: elsewhere)
        #expect(try await node.value(of: other) == "before")
        let forced = try await wait(on: node, for: other, isForced: true, waiters: 2)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        // Longer than forced loads answer for others.
        await fleet.spawner.advance(by: .seconds(6))
        source.end(2, .failure(SourceIsDown()))
        await #expect(throws: CacheError.self) { try await purge.value }
        try await source.waitForLoads(3)
        let reader = fleet.spawner.task { try await node.value(of: other) }
        await fleet.spawner.settle()
        source.end(3, .failure(SourceIsDown()))
        for task in [forced, reader] { await #expect(throws: CacheError.self) { try await task.value } }
    }

    @Test("C1: what a purge has dropped does not come back with a forced refresh that asks for its lease")
    func purgedBesideAsking() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let first = try await takePlace(of: node)
        let purge = try await overtakenForce(on: node, of: other, source, .remove, by: elsewhere)
        #expect(try await node.value(of: other) == "before")
        store.inject(.hang, into: [.lease])
        let forced = try await wait(on: node, for: other, isForced: true, waiters: 2)
        try await waitUntil("the lease") { store.hangingCalls == 1 }
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        await fleet.spawner.advance(by: .milliseconds(500))
        #expect(node.cached(other.erased) == nil)
        source.end(2, value: "forced")
        #expect(try await purge.value == "forced")
        try await source.waitForLoads(3)
        source.end(3, value: "last")
        #expect(try await forced.value == "last")
        store.recover()
        await node.shutdown()
    }

    @Test("C1: what the store had said before a forced load began is not fresh after it")
    func forcedBesideAsking() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let forced = try await overtakenForce(on: node, of: other, source, by: elsewhere)
        store.inject(.delayAfterwards(.milliseconds(100)), into: [.read])
        let reader = try await wait(on: node, for: other, waiters: 2)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.lease, .fill, .invalidate])
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        await fleet.spawner.advance(by: .milliseconds(200))
        #expect(node.cached(other.erased)?.status != .hit)
        source.end(2, value: "forced")
        #expect(try await forced.value == "forced")
        try await source.waitForLoads(3)
        source.end(3, value: "after")
        #expect(try await reader.value == "after")
    }

    @Test("C1: what a flight hands out after a forced load has begun beside it is not fresh")
    func answeredAfterForced() async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let forced = try await overtakenForce(on: node, of: other, source, by: elsewhere)
        await fleet.spawner.advance(by: .milliseconds(1))
        let younger = fleet.spawner.task { try await node.read(other, maxAge: .zero) }
        try await waitUntil("who wants more") { node.waiters(of: other.erased) == 2 }
        await fleet.spawner.settle()
        let waiting = try #require(node.desk.state.withLockedValue { $0.runs.keys.max() })
        let before = try #require(node.tools.l1.entry("other"))
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        let answer = FlightAnswer(entry: before, origin: .cached(.l2))
        node.desk.answerReaders(waiting, InterimAnswer(answer: answer, isLate: false))
        let late = try await wait(on: node, for: other, waiters: 3)
        source.end(2, value: "forced")
        for task in [forced, late] { #expect(try await task.value == "forced") }
        #expect(try await younger.value.value == "forced")
    }

    @Test("C1: what the store had been asked for before a forced load began goes to nobody who came after that")
    func askedBeforeForced() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source)
        let first = try await takePlace(of: node)
        let forced = try await wait(on: node, for: other, isForced: true)
        try await node.expire(other)
        let starved = try await wait(on: node, for: other, waiters: 2)
        let there = fleet.spawner.task { try await elsewhere.value(of: other) }
        try await source.waitForLoads(1)
        source.end(1, value: "before")
        _ = try await there.value
        await fleet.spawner.advance(by: .milliseconds(4900))
        store.inject(.delay(.milliseconds(300)), into: [.lease])
        store.inject(.delayAfterwards(.milliseconds(400)), into: [.read])
        fleet.source.end(1, value: "long")
        _ = try await first.value
        await fleet.spawner.settle()
        await fleet.spawner.advance(by: .milliseconds(100))
        await fleet.spawner.advance(by: .milliseconds(200))
        try await source.waitForLoads(2)
        await fleet.spawner.advance(by: .milliseconds(100))
        let late = try await wait(on: node, for: other, waiters: 3)
        store.recover()
        await fleet.spawner.advance(by: .milliseconds(100))
        #expect(try await starved.value == "before")
        source.end(2, value: "forced")
        #expect(try await forced.value == "forced")
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await late.value == "forced")
    }

    @Test("C1: what another node's forced load brings is not fresh where an overtaken one has begun without a lease")
    func cooledDownBesideForced() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let overtaken = try await wait(on: node, for: other, isForced: true)
        try await node.expire(other)
        let there = fleet.spawner.task { try await elsewhere.refresh(other).value }
        try await source.waitForLoads(1)
        let cooling = try await wait(on: node, for: other, isForced: true, waiters: 2)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.lease])
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        source.end(1, value: "before")
        #expect(try await there.value == "before")
        await fleet.spawner.advance(by: .seconds(1))
        #expect(node.cached(other.erased)?.status != .hit)
        source.end(2, value: "overtaken")
        #expect(try await overtaken.value == "overtaken")
        try await source.waitForLoads(3)
        source.end(3, value: "last")
        #expect(try await cooling.value == "last")
        store.recover()
        await node.shutdown()
    }

    @Test("a value that the store confirms is served while its successor waits for a place, though it was not given it")
    func confirmed() async throws {
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        try await elsewhere.expire(other)
        let snapshot = try await fleet.store.readEntry("other", EntryRead(freshFor: .seconds(9)))
        let generation = try #require(snapshot.generation)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.lease])
        let loading = fleet.spawner.task { try await node.value(of: other) }
        try await source.waitForLoads(1)
        source.end(1, value: "unstored")
        _ = try await loading.value
        store.recover()
        await fleet.spawner.advance(by: .seconds(3))
        let first = try await takePlace(of: node)
        let younger = fleet.spawner.task { try await node.read(other, maxAge: .zero) }
        try await waitUntil("who wants more") { node.waiters(of: other.erased) == 1 }
        await fleet.spawner.settle()
        // It hears late of what the store had said before the load.
        node.desk.tell("other", generation, isInvalidation: true) {
            $0.invalidate("other", .expire, unlessOf: generation)
        }
        let late = fleet.spawner.task { try await node.value(of: other) }
        await fleet.spawner.settle()
        #expect(node.waiters(of: other.erased) == 1)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(2)
        source.end(2, value: "younger")
        #expect(try await late.value == "unstored")
        #expect(try await younger.value.value == "younger")
    }

    @Test("a forced load that had no place when it was asked for answers who comes shortly after it has begun")
    func forcedShortlyAfter() async throws {
        let node = try await node(limit: 1)
        let source = ControlledSource<String>()
        let other = field("other", source, hardDeadline: .seconds(30))
        let first = try await takePlace(of: node)
        let forced = try await wait(on: node, for: other, isForced: true)
        await fleet.spawner.advance(by: .seconds(9))
        fleet.source.end(1, value: "long")
        _ = try await first.value
        try await source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(1))
        let late = try await wait(on: node, for: other, isForced: true, waiters: 2)
        await fleet.spawner.advance(by: .seconds(9))
        source.end(1, value: "forced")
        #expect(try await forced.value == "forced")
        await fleet.spawner.settle()
        try #require(source.loads == 1)
        #expect(try await late.value == "forced")
    }

    @Test(
        "C1: who waits for a place while the store is away, or gives no lease, asks it again when there is one",
        arguments: [StoreOperation.allCases, [.lease]]
    )
    func storeBackMeanwhile(failing: [StoreOperation]) async throws {
        let source = ControlledSource<String> { load in
            load == 1 ? .success(.value("old")) : .failure(CacheError(.sourceFailed, "down"))
        }
        let other = field("other", source, hardDeadline: .seconds(30), staleIfError: .seconds(600))
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await node(limit: 1, store: store), try await self.node(limit: 1))
        #expect(try await node.value(of: other) == "old")
        await fleet.spawner.advance(by: .seconds(10))
        let first = try await takePlace(of: node)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: failing)
        let early = try await wait(on: node, for: other)
        store.recover()
        try await elsewhere.remove(other)
        await fleet.spawner.advance(by: .seconds(20))
        let late = try await wait(on: node, for: other, waiters: 2)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        for reader in [early, late] {
            #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceFailed)
        }
    }

    @Test("who waits for another node's load keeps no place meanwhile")
    func heldElsewhere() async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let other = field("other", source)
        let first = try await takePlace(of: node)
        let here = try await wait(on: node, for: other)
        let there = fleet.spawner.task { try await elsewhere.value(of: other) }
        try await source.waitForLoads(1)
        fleet.source.end(1, value: "long")
        _ = try await first.value
        await fleet.spawner.settle()
        let third = field("third", ControlledSource { _ in .success(.value("third")) })
        #expect(try await node.value(of: third) == "third")
        source.end(1, value: "other")
        #expect(try await there.value == "other")
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await here.value == "other")
    }

    @Test("a load that reads another field is not held up, be it shared or of a field that is not kept")
    func nestedLoads() async throws {
        let node = try await node(limit: 1)
        let outer = Field<String>("outer", policy: FieldPolicy(ttl: .seconds(9))) { _ in
            let inner = Field("inner", ttl: .milliseconds(1)) { "inner" }
            var details = LoadDetails()
            details.isCacheable = false
            return .value(try await node.value(of: inner) + ", outer", details)
        }
        for _ in 0..<3 {
            let reader = fleet.spawner.task { try await node.value(of: outer) }
            let clock = fleet.runClock()
            #expect(try await reader.value == "inner, outer")
            clock.cancel()
        }
    }

    @Test("a load that reads another field by way of another field cache is not held up")
    func nestedOverCaches() async throws {
        let (node, other) = (try await node(limit: 1), try await self.node(limit: 1))
        let inner = Field<String>("inner", ttl: .milliseconds(1)) { "inner" }
        let middle = Field<String>("middle", ttl: .milliseconds(1)) { try await node.value(of: inner) }
        let outer = Field<String>("outer", policy: FieldPolicy(ttl: .seconds(9))) { _ in
            var details = LoadDetails()
            details.isCacheable = false
            return .value(try await other.value(of: middle) + ", outer", details)
        }
        for _ in 0..<3 {
            await fleet.spawner.advance(by: .seconds(1))
            let reader = fleet.spawner.task { try await node.value(of: outer) }
            let clock = fleet.runClock()
            #expect(try await reader.value == "inner, outer")
            clock.cancel()
        }
    }

    /// A field whose loads, once the gate is open, read another one of another field cache.
    private func field(
        _ name: String,
        behind gate: ControlledSource<String>,
        reading inner: Field<String>,
        of other: FieldCache
    ) -> Field<String> {
        Field(name, policy: FieldPolicy(ttl: .seconds(9))) { context in
            _ = try await gate.load(context)
            return .value(try await other.value(of: inner) + ", " + name)
        }
    }

    @Test("loads of two field caches that read each other's fields are not held up", arguments: [true, false])
    func nestedBothWays(isCacheable: Bool) async throws {
        let (one, two) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String> { _ in .success(.value("inner", LoadDetails(isCacheable: isCacheable))) }
        let inner = [field("i1", source), field("i2", source)]
        if !isCacheable {
            for (node, inner) in [(one, inner[0]), (two, inner[1])] { _ = try await node.value(of: inner) }
        }
        let gate = ControlledSource<String>()
        let outer = [
            field("o1", behind: gate, reading: inner[1], of: two),
            field("o2", behind: gate, reading: inner[0], of: one),
        ]
        var readers: [Task<String, any Error>] = []
        for (number, node) in zip(1..., [one, two]) {
            readers.append(fleet.spawner.task { try await node.value(of: outer[number - 1]) })
            try await gate.waitForLoads(number)
        }
        for number in 1...2 { gate.end(number, value: "go on") }
        let clock = fleet.runClock()
        for (number, reader) in zip(1..., readers) { #expect(try await reader.value == "inner, o\(number)") }
        clock.cancel()
    }

    @Test("a load that joins one of the cache service's does not keep the place that this needs")
    func joined() async throws {
        let node = try await node(limit: 1)
        let gate = ControlledSource<String>()
        let inner = field("i", ControlledSource<String> { _ in .success(.value("inner")) })
        let load: @Sendable () async throws -> String = {
            try await node.cache.getOrLoad(key: "k", ttl: .seconds(9)) {
                _ = try await gate.load(LoadContext())
                return try await node.value(of: inner)
            }
        }
        let first = fleet.spawner.task { try await load() }
        try await gate.waitForLoads(1)
        let outer = Field<String>("o", policy: FieldPolicy(ttl: .seconds(9))) { _ in .value(try await load()) }
        let second = fleet.spawner.task { try await node.value(of: outer) }
        await fleet.spawner.settle()
        gate.end(1, value: "go on")
        let clock = fleet.runClock()
        #expect(try await first.value == "inner")
        #expect(try await second.value == "inner")
        clock.cancel()
    }

    @Test(
        "C8: loads that others' loads wait for are bounded in number, where nobody's loads wait for those others",
        arguments: [true, false]
    )
    func nestedOneWay(asksOthers: Bool) async throws {
        let (node, other) = (try await node(limit: 2), try await self.node(limit: 1))
        let (gate, source) = (ControlledSource<String> { _ in .success(.value("")) }, ControlledSource<String>())
        if asksOthers {
            let last = try await self.node(limit: 1)
            _ = try await other.value(of: field("m", behind: gate, reading: field("l", gate), of: last))
        }
        let readers = (1...2).map { number in
            let outer = field("o\(number)", behind: gate, reading: field("i\(number)", source), of: other)
            return fleet.spawner.task { try await node.value(of: outer) }
        }
        for number in 1...2 {
            try await source.waitForLoads(number)
            await fleet.spawner.settle()
            #expect(source.loads == number)
            source.end(number, value: "inner")
        }
        for (number, reader) in zip(1..., readers) { #expect(try await reader.value == "inner, o\(number)") }
    }

    @Test("a load that reads another field is not held up by loads of that field that have to end first")
    func nestedBehindOthers() async throws {
        let node = try await node(limit: 1)
        let (gate, source) = (ControlledSource<String>(), ControlledSource<String>())
        let inner = field("inner", source)
        let outer = Field<String>("outer", policy: FieldPolicy(ttl: .seconds(9))) { context in
            _ = try await gate.load(context)
            return .value(try await node.value(of: inner) + ", outer")
        }
        let reader = fleet.spawner.task { try await node.value(of: outer) }
        try await gate.waitForLoads(1)
        var others: [Task<String, any Error>] = []
        for count in 1...2 {
            others.append(fleet.spawner.task { try await node.value(of: inner) })
            try await waitUntil("reader \(count)") { node.waiters(of: inner.erased) == count }
            try await node.expire(inner)
        }
        gate.end(1, value: "go on")
        try await source.waitForLoads(1)
        source.end(1, value: "inner")
        let clock = fleet.runClock()
        #expect(try await reader.value == "inner, outer")
        for other in others { #expect(try await other.value == "inner") }
        clock.cancel()
    }

    @Test(
        "a load that reads another field is not held up by a later load of it, which waits for the place without the lease"
    )
    func nestedBehindLater() async throws {
        let (node, elsewhere) = (try await node(limit: 1), try await self.node(limit: 1))
        let source = ControlledSource<String>()
        let inner = field("inner", source)
        let outer = Field<String>("outer", policy: FieldPolicy(ttl: .seconds(9))) { _ in
            .value(try await node.value(of: inner) + ", outer")
        }
        let overtaken = fleet.spawner.task { try await elsewhere.value(of: inner) }
        try await source.waitForLoads(1)
        let reader = fleet.spawner.task { try await node.value(of: outer) }
        try await waitUntil("the load inside") { node.waiters(of: inner.erased) == 1 }
        await fleet.spawner.settle()
        let refresh = fleet.spawner.task { try await node.refresh(inner).value }
        try await waitUntil("the refresh") { node.waiters(of: inner.erased) == 2 }
        await fleet.spawner.advance(by: .milliseconds(500))
        try await source.waitForLoads(2)
        source.end(2, value: "inner")
        #expect(try await reader.value == "inner, outer")
        try await source.waitForLoads(3)
        source.end(3, value: "refreshed")
        #expect(try await refresh.value == "refreshed")
        source.end(1, value: "overtaken")
        _ = try await overtaken.value
    }

    @Test("C3: a fetcher that never ends keeps its place no longer than its hard deadline")
    func endless() async throws {
        let logs = RecordedLogs()
        let node = try await node(limit: 1, logger: logs.logger)
        let endless = fleet.spawner.task { try await node.value(of: field("endless", fleet.source)) }
        try await fleet.source.waitForLoads(1)
        let other = ControlledSource<String> { _ in .success(.value("other")) }
        let waiting = try await wait(on: node, for: field("other", other))
        #expect(other.loads == 0)
        await fleet.spawner.advance(by: .seconds(5))
        #expect((await errorOf { try await endless.value } as? CacheError)?.code == .sourceTimedOut)
        _ = await errorOf { try await waiting.value }
        #expect(try await node.value(of: field("third", other)) == "other")
        #expect(logs.entries.contains { $0.message.contains("a fetcher is cancelled at its hard deadline") })
        // What is given back once is not given back again.
        fleet.source.end(1, value: "late")
        await fleet.spawner.settle()
        let source = ControlledSource<String>()
        let readers = (0..<2).map { number in
            fleet.spawner.task { try await node.value(of: field("f\(number)", source)) }
        }
        try await source.waitForLoads(1)
        await fleet.spawner.settle()
        #expect(source.loads == 1)
        source.end(1, value: "one")
        try await source.waitForLoads(2)
        source.end(2, value: "two")
        for reader in readers { _ = try await reader.value }
    }
}
