import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Freshet

/// The contract's lines, as far as one store that answers shows them.
@Suite("Contract", .timeLimit(.minutes(1)))
struct ContractTests {
    private enum Verb: CaseIterable { case expire, remove, refresh }

    @Test(
        "C1: a load that an invalidation overtakes is not kept; later readers open a new flight",
        arguments: Verb.allCases
    )
    private func overtaken(by verb: Verb) async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let before = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        let forcing: Task<FieldRead<String>, any Error>?
        switch verb {
        case .expire: #expect(try await node.expire(fleet.field) == .done)
        case .remove: #expect(try await node.remove(fleet.field) == .done)
        case .refresh: break
        }
        forcing = verb == .refresh ? fleet.spawner.task { try await node.refresh(fleet.field) } : nil
        if verb == .refresh { try await fleet.source.waitForLoads(2) }
        let after = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "new")
        #expect(try await after.value.value == "new")
        if let forcing { #expect(try await forcing.value.value == "new") }
        fleet.source.end(1, value: "old")
        let early = try await before.value
        #expect((early.value, early.isStored) == ("old", false))
        #expect(try await node.read(fleet.field).value == "new")
        #expect(try await fleet.store.get("agents_list").map { String(buffer: $0) } == "\"new\"")
        #expect(fleet.source.loads == 2)
    }

    @Test("C1: an invalidation on another node refuses the fill of a load that began before it")
    func overtakenElsewhere() async throws {
        let fleet = Fleet()
        let a = try await fleet.node()
        let b = try await fleet.node()
        let loading = fleet.spawner.task { try await a.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await b.remove(fleet.field)
        fleet.source.end(1, value: "old")
        let early = try await loading.value
        #expect((early.value, early.isStored) == ("old", false))
        #expect(a.cached(fleet.field.erased) == nil)
        #expect(try await fleet.store.get("agents_list") == nil)
    }

    @Test("C1: what another node removed is not served once L1's trust is over", arguments: [true, false])
    func removedElsewhere(hard: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let a = try await fleet.node()
        let b = try await fleet.node()
        _ = try await a.value(of: fleet.field)
        _ = hard ? try await b.remove(fleet.field) : try await b.expire(fleet.field)
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await a.value(of: fleet.field) == "v2")
    }

    @Test("C1: a foreign write during a load refuses the fill, and is what is read then")
    func foreignWriteDuringLoad() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let loading = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await fleet.write("theirs")
        fleet.source.end(1, value: "old")
        #expect(try await loading.value.isStored == false)
        #expect(try await node.value(of: fleet.field) == "theirs")
    }

    /// On several threads: what the clock of a ``Fleet`` runs is on one.
    @Test("C1: what was removed before a read began is no answer to it, however many do what at once")
    func manyAtOnce() async throws {
        let cache = CacheService(store: MemoryStore(), logger: Logger(label: "test"))
        try await cache.initialize()
        let (version, removed) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        var policy = FieldPolicy(ttl: .seconds(60))
        policy.minRefreshInterval = .zero
        let field = Field<Int>("version", policy: policy) { _ in
            let loaded = version.withLockedValue { $0 }
            // Long enough for others to come between.
            for _ in 0..<20 { await Task.yield() }
            return .value(loaded)
        }
        let node = FieldCache(cache: cache, catalog: try FieldCatalog([field]), logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for step in 0..<500 {
                        switch (worker + step) % 10 {
                        case 0:
                            let next = version.withLockedValue { version in
                                version += 1
                                return version
                            }
                            try await node.remove(field)
                            removed.withLockedValue { $0 = max($0, next) }
                        case 1:
                            let least = version.withLockedValue { $0 }
                            #expect(try await node.refresh(field).value >= least)
                        case 2: try await node.expire(field)
                        case 3:
                            let reader = Task { try await node.value(of: field) }
                            reader.cancel()
                            _ = await reader.result
                        default:
                            let least = removed.withLockedValue { $0 }
                            #expect(try await node.value(of: field) >= least)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(node.waiters(of: field.erased) == 0)
        await node.shutdown()
    }

    @Test("C2: ten thousand readers on four nodes cost one load")
    func oneLoad() async throws {
        let fleet = Fleet()
        var nodes: [FieldCache] = []
        for _ in 0..<4 { nodes.append(try await fleet.node()) }
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<10_000 {
                let node = nodes[number % 4]
                group.addTask { try await node.value(of: fleet.field) }
            }
            try await fleet.source.waitForLoads(1)
            fleet.source.end(1, value: "one")
            let clock = fleet.runClock()
            defer { clock.cancel() }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers == ["one"])
        #expect(fleet.source.loads == 1)
    }

    @Test("C2: a node that dies while it loads holds the others up no longer than its lease")
    func deadHolder() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("v")) }) { $0.hardDeadline = .seconds(3) }
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(8), freshFor: .seconds(60))
        guard case .granted = try await fleet.store.leaseEntry("agents_list", request) else {
            Issue.record("no lease")
            return
        }
        let node = try await fleet.node()
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        let clock = fleet.runClock()
        defer { clock.cancel() }
        #expect(try await reader.value == "v")
        #expect(fleet.spawner.now() >= MonotonicInstant(nanoseconds: 7_900_000_000))
    }

    @Test("C3: a caller that is cancelled leaves alone, and the last one takes the load along")
    func cancellation() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let second = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await waitUntil("the second reader") { node.waiters(of: fleet.field.erased) == 2 }
        first.cancel()
        #expect(await errorOf { try await first.value } is CancellationError)
        #expect(fleet.source.cancelled.isEmpty)
        second.cancel()
        #expect(await errorOf { try await second.value } is CancellationError)
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [1] }
        // The key is not stuck, though the load never ends.
        let third = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await third.value == "v2")
        fleet.source.end(1, value: "v1")
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    /// - Parameter isInTime: whether the loads end before their deadline.
    @Test("C2: of a key no more than two loads run, though they heed no cancellation", arguments: [true, false])
    func readersWhoLeave(isInTime: Bool) async throws {
        let fleet = Fleet { $0.hardDeadline = .seconds(5) }
        let node = try await fleet.node()
        let reader = try await fleet.readerBehindTwo(on: node)
        await fleet.spawner.settle()
        #expect(fleet.source.loads == 2)
        if isInTime { fleet.source.end(2, value: "v2") } else { await fleet.spawner.advance(by: .seconds(5)) }
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, value: "v3")
        #expect(try await reader.value == "v3")
        fleet.source.end(1, value: "v1")
        if !isInTime { fleet.source.end(2, value: "v2") }
        await fleet.spawner.settle()
        #expect(try await node.value(of: fleet.field) == "v3")
    }

    @Test("C3: a load ends at its hard deadline, whether or not it heeds it")
    func hardDeadline() async throws {
        let fleet = Fleet { $0.hardDeadline = .seconds(5) }
        let node = try await fleet.node()
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(5))
        #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceTimedOut)
        #expect(fleet.source.cancelled == [1])
        await fleet.spawner.advance(by: .seconds(1))
        let next = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await next.value == "v2")
        fleet.source.end(1, value: "late")
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    private func node(_ spawner: TestSpawner) async throws -> FieldCache {
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: .init(label: "test"))
        try await cache.initialize()
        return FieldCache(cache: cache, catalog: try FieldCatalog(), spawner: spawner, logger: .init(label: "test"))
    }

    @Test("C3: a load that asks for its own key gets an error, directly and around a circle")
    func circles() async throws {
        let node = try await node(TestSpawner())
        let names = ["a": "b", "b": "c", "c": "a", "self": "self"]
        @Sendable func field(_ name: String) -> Field<String> {
            Field(name, ttl: .seconds(60)) { try await node.value(of: field(names[name] ?? "")) }
        }
        for name in ["self", "a"] {
            let error = await errorOf { try await node.value(of: field(name)) } as? CacheError
            #expect(error?.code == .circularLoad, "\(name)")
        }
    }

    @Test("C3: loads around a circle get an error, though one of them is shared under a key", .timeLimit(.minutes(1)))
    func circlesAroundSharedLoads() async throws {
        let node = try await node(TestSpawner())
        @Sendable func shared() async throws -> String {
            try await node.cache.getOrLoad(key: "k", ttl: .seconds(60)) { try await node.value(of: field()) }
        }
        @Sendable func field() -> Field<String> { Field("a", ttl: .seconds(60)) { try await shared() } }
        #expect((await errorOf { try await node.value(of: field()) } as? CacheError)?.code == .circularLoad)
        #expect((await errorOf { try await shared() } as? CacheError)?.code == .circularLoad)
    }

    @Test("C3: loads around a circle get an error, though another field cache has one of them")
    func circlesAroundCaches() async throws {
        let spawner = TestSpawner()
        let (node, other) = (try await node(spawner), try await self.node(spawner))
        @Sendable func field() -> Field<String> {
            Field("a", ttl: .seconds(60)) {
                try await other.value(of: Field<String>("b", ttl: .seconds(60)) { try await node.value(of: field()) })
            }
        }
        let reader = spawner.task { try await node.value(of: field()) }
        await spawner.advance(by: .seconds(60))
        #expect((await errorOf { try await reader.value } as? CacheError)?.code == .circularLoad)
    }

    @Test("C3: a load that asks another field cache for the same key is in no circle, be the value to be kept or not")
    func sameKeyElsewhere() async throws {
        let spawner = TestSpawner()
        let (node, other) = (try await node(spawner), try await self.node(spawner))
        func field(_ load: @escaping @Sendable () async throws -> String) -> Field<String> {
            Field("a", policy: FieldPolicy(ttl: .seconds(60))) { _ in
                .value(try await load(), LoadDetails(isCacheable: false))
            }
        }
        let inner = field { "inner" }
        let outer = field { try await other.value(of: inner) }
        for _ in 0..<3 { #expect(try await node.value(of: outer) == "inner") }
    }

    @Test("C3: a load that forces a refresh which would wait for that load gets an error", .timeLimit(.minutes(1)))
    func circleAroundACooldown() async throws {
        let spawner = TestSpawner()
        let node = try await node(spawner)
        @Sendable func field() -> Field<String> {
            Field("a", policy: FieldPolicy(ttl: .seconds(60))) { context in
                .value(context.isForced ? "forced" : try await node.refresh(field()).value)
            }
        }
        #expect(try await node.refresh(field()).value == "forced")
        await spawner.advance(by: .seconds(1))
        let error = await errorOf { try await node.read(field(), maxAge: .milliseconds(1)) } as? CacheError
        #expect(error?.code == .circularLoad)
    }

    @Test("C3: a load inherits nothing from the reader that started it")
    func taskLocals() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let seen = NIOLockedValueBox<String?>(nil)
        let field = Field("x", ttl: .seconds(1)) {
            seen.withLockedValue { $0 = RequestScope.name }
            return 1
        }
        _ = try await RequestScope.$name.withValue("request") { try await node.value(of: field) }
        #expect(seen.withLockedValue { $0 } == "none")
    }

    @Test("C4: a source that asks for hours is left alone for ten minutes, which all readers are told")
    func longPause() async throws {
        let fleet = Fleet(
            source: ControlledSource { _ in
                .failure(CacheError(.sourceFailed, "busy", retryAfter: .seconds(5000)))
            }
        )
        let node = try await fleet.node()
        for _ in 0..<2 {
            let error = await errorOf { try await node.value(of: fleet.field) } as? CacheError
            #expect(error?.retryAfter == .seconds(600))
        }
        #expect(fleet.source.loads == 1)
    }

    @Test(
        "C4: who waits for a failing load gets its failure, and the source is left alone for the backoff, on every node"
    )
    func sharedFailure() async throws {
        let fleet = Fleet { $0.errorBackoff = .seconds(4) }
        let a = try await fleet.node()
        let b = try await fleet.node()
        let readers = (0..<100).map { _ in fleet.spawner.task { try await a.value(of: fleet.field) } }
        try await fleet.source.waitForLoads(1)
        try await waitUntil("the readers") { a.waiters(of: fleet.field.erased) == 100 }
        fleet.source.end(1, .failure(SourceIsDown()))
        for reader in readers {
            #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceFailed)
        }
        for node in [a, b] {
            let error = await errorOf { try await node.value(of: fleet.field) } as? CacheError
            #expect(error?.code == .sourceFailed)
            #expect(error?.retryAfter == .seconds(4))
        }
        #expect(fleet.source.loads == 1)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await fleet.spawner.advance(by: .seconds(4))
        #expect(await errorOf { try await b.value(of: fleet.field) } != nil)
        #expect(fleet.source.loads == 2)
        await fleet.spawner.advance(by: .seconds(7))
        #expect(await errorOf { try await b.value(of: fleet.field) } != nil)
        #expect(fleet.source.loads == 2, "the backoff doubles")
        await fleet.spawner.advance(by: .seconds(1))
        fleet.source.answerFromNowOn { _ in .success(.value("well")) }
        #expect(try await b.value(of: fleet.field) == "well")
        #expect(try await a.value(of: fleet.field) == "well")
    }

    @Test("C4: who wants something younger, and waits for another node's load, gets its failure", arguments: [0, 60])
    func sharedFailureOfYounger(staleIfError: Int) async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(staleIfError) }
        let nodes = [try await fleet.node(), try await fleet.node(), try await fleet.node()]
        try await fleet.load("v1", on: nodes[0])
        await fleet.spawner.advance(by: .seconds(5))
        let readers = nodes.map { node in
            fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(1)) }
        }
        try await fleet.source.waitForLoads(2)
        for node in nodes { try await waitUntil("a reader") { node.waiters(of: fleet.field.erased) == 1 } }
        await fleet.spawner.settle()
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        fleet.source.end(2, .failure(SourceIsDown()))
        let clock = fleet.runClock()
        for reader in readers {
            #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceFailed)
        }
        clock.cancel()
        #expect(fleet.source.loads == 2)
        #expect(try await nodes[1].value(of: fleet.field) == "v1")
    }

    @Test("C4: a removal forgets the failure, on every node that knows it", arguments: [false, true])
    func removalForgetsFailures(storeIsAway: Bool) async throws {
        let fleet = Fleet(source: .down) { $0.errorBackoff = .seconds(60) }
        let (a, store) = try await fleet.faultyNode()
        let b = try await fleet.node()
        if storeIsAway { store.inject(.fail(CacheError(.storeUnavailable, "away"))) }
        #expect(await errorOf { try await a.value(of: fleet.field) } != nil)
        store.recover()
        if !storeIsAway { #expect(await errorOf { try await b.value(of: fleet.field) } != nil) }
        #expect(fleet.source.loads == 1)
        fleet.source.answerFromNowOn { .success(.value("v\($0)")) }
        #expect(await errorOf { try await a.value(of: fleet.field) } != nil)
        try await a.remove(fleet.field)
        #expect(try await b.value(of: fleet.field) == "v2")
        #expect(try await a.value(of: fleet.field) == "v2")
    }

    @Test("C5: stale while it is loaded again: answered at once, one load in the background")
    func staleWhileRevalidate() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        for _ in 0..<3 {
            let stale = try await node.read(fleet.field)
            #expect((stale.value, stale.status, stale.age) == ("v1", .stale, .seconds(60)))
        }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        try await waitUntil("the new value") { try await node.read(fleet.field).value == "v2" }
        #expect(fleet.source.loads == 2)
    }

    @Test("C5: what another program wrote is stale as any other value", arguments: [true, false])
    func staleForeign(ends: Bool) async throws {
        let source = ControlledSource<String> { _ in .failure(SourceIsDown()) }
        let fleet = Fleet(source: source) { $0.staleIfError = .seconds(100) }
        let node = try await fleet.node()
        let options = ends ? CacheOptions(expiry: .after(.seconds(30))) : CacheOptions()
        _ = try await fleet.store.set("agents_list", ByteBuffer(string: "\"theirs\""), options: options)
        #expect(try await node.read(fleet.field).status == .hit)
        await fleet.spawner.advance(by: .seconds(61))
        for node in [node, try await fleet.node()] {
            let reading = try await node.read(fleet.field)
            #expect((reading.value, reading.status) == ("theirs", .stale))
        }
        // The hundred seconds count from the end of its freshness.
        await fleet.spawner.advance(by: .seconds(ends ? 70 : 100))
        #expect((await errorOf { try await node.value(of: fleet.field) } as? CacheError)?.code == .sourceFailed)
    }

    @Test("C5: stale if the source fails, asked once a throttle period; neither age nor end moves")
    func staleIfError() async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(100) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await fleet.spawner.advance(by: .seconds(70))
        for _ in 0..<3 {
            let stale = try await node.read(fleet.field)
            #expect((stale.value, stale.status, stale.detail) == ("v1", .stale, .sourceFailed))
            #expect((stale.age, stale.timeToLive) == (.seconds(70), .seconds(-10)))
        }
        #expect(fleet.source.loads == 2)
        await fleet.spawner.advance(by: .seconds(29))
        _ = try await node.read(fleet.field)
        #expect(fleet.source.loads == 2)
        await fleet.spawner.advance(by: .seconds(1))
        _ = try await node.read(fleet.field)
        #expect(fleet.source.loads == 3)
        await fleet.spawner.advance(by: .seconds(60))
        #expect((await errorOf { try await node.read(fleet.field) } as? CacheError)?.code == .sourceFailed)
    }

    @Test("C5: a value that was softly expired serves if the source fails, until it would have been gone")
    func staleAfterExpire() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        try await node.expire(fleet.field)
        #expect(try await node.read(fleet.field).value == "v1")
        #expect(fleet.source.loads == 2)
        await fleet.spawner.advance(by: .seconds(60))
        #expect(await errorOf { try await node.read(fleet.field) } != nil)
    }

    @Test("C5: at the soft deadline readers get what there is, and the load goes on")
    func softDeadline() async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(2)
        }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(70))
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        #expect(node.waiters(of: fleet.field.erased) == 1)
        await fleet.spawner.advance(by: .seconds(2))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 0 }
        let stale = try await reader.value
        #expect((stale.value, stale.status, stale.age) == ("v1", .stale, .seconds(72)))
        // Whoever comes later does not wait at all, even when L1 has to be checked with the store.
        for _ in 0..<3 {
            #expect(await fleet.promptRead(on: node)?.value == "v1")
            await fleet.spawner.advance(by: .seconds(2))
        }
        #expect(fleet.source.cancelled.isEmpty)
        fleet.source.end(2, value: "v2")
        try await waitUntil("the new value") { try await node.read(fleet.field).value == "v2" }
        #expect(fleet.source.loads == 2)
    }

    @Test("C3: with background completion a load outlives its waiters")
    func backgroundCompletion() async throws {
        let fleet = Fleet { $0.backgroundCompletion = true }
        let node = try await fleet.node()
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        reader.cancel()
        #expect(await errorOf { try await reader.value } is CancellationError)
        fleet.source.end(1, value: "v1")
        try await waitUntil("the value") { node.cached(fleet.field.erased) != nil }
        #expect(fleet.source.cancelled.isEmpty)
        #expect(fleet.source.loads == 1)
    }

    @Test("C6: jitter shortens a value's freshness, once, for both tiers")
    func jitter() async throws {
        let fleet = Fleet(source: .counting) { $0.jitter = 0.5 }
        let a = try await fleet.node()
        let b = try await fleet.node()
        _ = try await a.value(of: fleet.field)
        let here = try await a.read(fleet.field).timeToLive
        let there = try await b.read(fleet.field).timeToLive
        #expect(here == there)
        #expect(here < .seconds(60) && here >= .seconds(30))
    }

    @Test("C6: a copy out of the store lives no longer in L1 than there")
    func boundedAge() async throws {
        let fleet = Fleet()
        let a = try await fleet.node()
        try await fleet.load(1, on: a)
        await fleet.spawner.advance(by: .seconds(50))
        let b = try await fleet.node()
        let copy = try await b.read(fleet.field)
        #expect((copy.tier, copy.age, copy.timeToLive) == (.l2, .seconds(50), .seconds(10)))
        await fleet.spawner.advance(by: .seconds(10))
        #expect(b.cached(fleet.field.erased) == nil)
    }

    @Test("C8: invalidations that follow upon each other hold up no reader")
    func storm() async throws {
        let fleet = Fleet(source: .counting)
        let store = HookedStore(fleet.store)
        let node = try await fleet.node(store)
        let key = fleet.field.erased.key
        let expire: @Sendable () -> Void = {
            node.desk.invalidate(fleet.field.erased) { $0.invalidate(key, .expire) }
            node.tools.backlog.keep(.expire, of: key, after: CacheError(.storeUnavailable, "away"))
        }
        store.hook.withLockedValue { $0 = expire }
        expire()
        #expect(await fleet.promptRead(on: node)?.value == "v1")
        store.hook.withLockedValue { $0 = {} }
        await node.shutdown()
    }
}

/// Runs a hook with every invalidation that it is told of, before it answers.
private final class HookedStore: ForwardingStore {
    private let base: any CacheStore
    let hook = NIOLockedValueBox<@Sendable () -> Void>({})

    init(_ base: any CacheStore) { self.base = base }

    package func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        let value = try await body(base)
        if operation == .invalidate { hook.withLockedValue { $0 }() }
        return value
    }
}

enum RequestScope {
    @TaskLocal static var name = "none"
}
