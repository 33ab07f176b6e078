import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Freshet

/// A backplane whose events the test makes.
private final class ManualBackplane: Backplane {
    private let receivers = NIOLockedValueBox<[@Sendable (BackplaneEvent) -> Void]>([])

    var listeners: Int { receivers.withLockedValue { $0.count } }

    func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async {
        receivers.withLockedValue { $0.append(receive) }
        try? await Task.sleep(for: .seconds(3600))
    }

    func send(_ event: BackplaneEvent) {
        for receive in receivers.withLockedValue({ $0 }) { receive(event) }
    }
}

@Suite("Backplane", .timeLimit(.minutes(1)))
struct BackplaneTests {
    private struct Node {
        let fleet: Fleet
        let backplane = ManualBackplane()
        let store: FaultyStore
        let cache: FieldCache
        let run: Task<Void, any Error>

        init(_ fleet: Fleet) async throws {
            let store = FaultyStore(fleet.store, spawner: fleet.spawner)
            let cache = CacheService(store: store, spawner: fleet.spawner, logger: Logger(label: "test"))
            try await cache.initialize()
            let fields = FieldCache(
                cache: cache,
                catalog: try FieldCatalog([fleet.field]),
                backplane: backplane,
                spawner: fleet.spawner,
                logger: Logger(label: "test")
            )
            (self.fleet, self.store, self.cache) = (fleet, store, fields)
            run = fleet.spawner.task { try await fields.run() }
            let backplane = backplane
            try await waitUntil("the node's listening") { backplane.listeners == 1 }
            backplane.send(.live)
            await fleet.spawner.advance(by: .milliseconds(1))
        }

        var generation: Generation {
            get async throws {
                let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60)))
                return try #require(snapshot.generation)
            }
        }

        /// Another node invalidates, and this one hears of it.
        func hear(_ invalidation: Invalidation) async throws {
            try await fleet.store.invalidateEntry("agents_list", invalidation)
            backplane.send(.changed(key: "agents_list", .invalidated(invalidation), try await generation))
        }

        /// A reader to whom the store does not answer, some time after the first load.
        func heldReader(
            in call: StoreOperation,
            after time: Duration
        ) async throws -> Task<FieldRead<String>, any Error> {
            try await fleet.load(1, on: cache)
            await fleet.spawner.advance(by: time)
            store.inject(.hang, into: [call])
            let reader = fleet.spawner.task { try await cache.read(fleet.field) }
            try await waitUntil("the \(call)") { store.hangingCalls == 1 }
            return reader
        }
    }

    @Test("the store is asked once for what has been removed since the question was put")
    func removedMeanwhile() async throws {
        let node = try await Node(Fleet())
        node.store.inject(.delay(.milliseconds(10)), into: [.read])
        let reader = node.fleet.spawner.task { try await node.cache.value(of: node.fleet.field) }
        await node.fleet.spawner.settle()
        try await node.hear(.remove)
        await node.fleet.spawner.advance(by: .milliseconds(50))
        try await node.fleet.source.waitForLoads(1)
        #expect(node.store.calls(of: .read) == 1)
        node.fleet.source.end(1, value: "v1")
        #expect(try await reader.value == "v1")
        node.run.cancel()
    }

    @Test("a shutdown waits for no comparison of what is held with a store that is away")
    func shutdownWhileComparing() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        node.store.inject(.fail(CacheError(.storeUnavailable, "away")))
        node.backplane.send(.lost)
        node.backplane.send(.live)
        await node.fleet.spawner.settle()
        #expect(node.store.calls(of: .check) > 0)
        let isOver = NIOLockedValueBox(false)
        node.fleet.spawner.spawn {
            await node.cache.shutdown()
            isOver.withLockedValue { $0 = true }
        }
        await node.fleet.spawner.settle()
        #expect(isOver.withLockedValue { $0 })
        node.run.cancel()
        let clock = node.fleet.runClock()
        _ = await node.run.result
        clock.cancel()
    }

    @Test("C9: while it is live, the store is asked again a tenth as often; once it is lost, as before")
    func trust() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        let reads = node.store.calls(of: .read)
        await node.fleet.spawner.advance(by: .seconds(19))
        #expect(try await node.cache.read(node.fleet.field).tier == .l1)
        #expect(node.store.calls(of: .read) == reads)
        node.backplane.send(.lost)
        #expect(try await node.cache.read(node.fleet.field).tier == .l2)
        #expect(node.store.calls(of: .read) == reads + 1)
        node.run.cancel()
    }

    @Test("C8: when it is lost or live again, the store is looked after at once")
    func storePulse() async throws {
        let node = try await Node(Fleet(source: .counting))
        #expect(node.cache.isStoreAvailable)
        node.store.inject(.fail(CacheError(.storeUnavailable, "away")))
        node.backplane.send(.lost)
        await node.fleet.spawner.advance(by: .seconds(1))
        #expect(!node.cache.isStoreAvailable)
        await node.fleet.spawner.advance(by: .seconds(60))
        node.store.recover()
        node.backplane.send(.live)
        await node.fleet.spawner.settle()
        #expect(node.cache.isStoreAvailable)
        node.run.cancel()
    }

    @Test("C9: when it is live again, what was held before is checked before it is served")
    func gap() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        node.backplane.send(.lost)
        try await node.fleet.store.invalidateEntry("agents_list", .remove)
        node.backplane.send(.live)
        #expect(try await node.cache.value(of: node.fleet.field) == "v2")
        node.run.cancel()
    }

    @Test("C1: what was invalidated in the minute before a gap is invalidated again: before a read, and after the gap")
    func repeated() async throws {
        let node = try await Node(Fleet(source: .counting))
        let (cache, field, store, clock) = (node.cache, node.fleet.field, node.store, node.fleet.spawner)
        func gap(of time: Duration = .milliseconds(1)) async {
            await clock.advance(by: .seconds(2))
            node.backplane.send(.lost)
            await clock.advance(by: time)
            node.backplane.send(.live)
            await clock.settle()
        }
        _ = try await cache.value(of: field)
        try await cache.expire(field)
        await clock.advance(by: .seconds(61))
        await gap()
        #expect(store.calls(of: .invalidate) == 1, "too old")

        try await cache.expire(field)
        await clock.advance(by: .seconds(57))
        await gap(of: .seconds(90))
        #expect(store.calls(of: .invalidate) == 3, "a gap makes nothing too old")
        #expect(!cache.isDegraded)

        try await cache.remove(field)
        node.backplane.send(.lost)
        _ = try await cache.value(of: field)
        #expect(store.calls(of: .invalidate) == 5, "before the store is read")
        node.backplane.send(.live)
        await clock.settle()
        #expect(store.calls(of: .invalidate) == 6)
        await gap()
        await gap()
        #expect(store.calls(of: .invalidate) == 8)
        await gap()
        #expect(store.calls(of: .invalidate) == 8, "not for ever")
        node.run.cancel()
    }

    @Test("C1: what another node has invalidated is invalidated again if the store has lost it, and only then")
    func repeatedOfOthers() async throws {
        let node = try await Node(Fleet(source: .counting))
        let (fleet, cache, store) = (node.fleet, node.cache, node.store)
        func gap() async {
            for event in [BackplaneEvent.lost, .live] { node.backplane.send(event) }
            await fleet.spawner.settle()
        }
        _ = try await cache.value(of: fleet.field)
        let old = fleet.store.record("agents_list", at: fleet.spawner.now())
        try await node.hear(.remove)
        await gap()
        #expect(try await cache.value(of: fleet.field) == "v2")
        await gap()
        #expect(store.calls(of: .invalidate) == 0)
        try fleet.store.update("agents_list") { record, _ in record = old }
        node.backplane.send(.lost)
        #expect(try await cache.value(of: fleet.field) == "v2", "what is held is believed for a while")
        node.backplane.send(.live)
        await fleet.spawner.settle()
        #expect(store.calls(of: .invalidate) == 1)
        #expect(try await cache.value(of: fleet.field) == "v3")
        node.run.cancel()
    }

    @Test("what is told of other keys is not this node's to repeat")
    func keysOfOthers() async throws {
        let node = try await Node(Fleet(source: .counting))
        try await node.fleet.store.invalidateEntry("other", .expire)
        node.backplane.send(.changed(key: "other", .invalidated(.expire), Generation("1")))
        for event in [BackplaneEvent.lost, .live] { node.backplane.send(event) }
        await node.fleet.spawner.settle()
        #expect((node.store.calls(of: .check), node.store.calls(of: .invalidate)) == (0, 0))
        node.run.cancel()
    }

    @Test("C1: so is what the store took before a gap, and confirms only behind it")
    func repeatedAfterLateAnswer() async throws {
        let node = try await Node(Fleet(source: .counting))
        let clock = node.fleet.spawner
        _ = try await node.cache.value(of: node.fleet.field)
        node.store.inject(.hang, into: [.invalidate])
        let expiring = clock.task { try await node.cache.expire(node.fleet.field) }
        try await waitUntil("the invalidation") { node.store.hangingCalls == 1 }
        node.backplane.send(.lost)
        node.backplane.send(.live)
        node.store.recover()
        #expect(try await expiring.value == .done)
        await clock.advance(by: .seconds(1))
        #expect(node.store.calls(of: .invalidate) == 2)
        await clock.advance(by: .seconds(5))
        #expect(node.store.calls(of: .invalidate) == 2)
        node.run.cancel()
    }

    @Test("C1: after a gap, what the store has never taken goes before what it is told again")
    func newOnesFirst() async throws {
        let node = try await Node(Fleet(source: .counting))
        let (cache, store, clock) = (node.cache, node.store, node.fleet.spawner)
        let fields = (0..<50).map {
            Field("f\($0)", policy: FieldPolicy(ttl: .seconds(60)), load: node.fleet.source.load)
        }
        for field in fields {
            _ = try await cache.value(of: field)
            try await cache.expire(field)
        }
        let last = fields[20]
        _ = try await cache.value(of: last)
        node.backplane.send(.lost)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.invalidate])
        #expect(try await cache.expire(last) == .queued)
        func generation() async throws -> Generation? {
            try await node.fleet.store.readEntry(last.erased.key, EntryRead(freshFor: .seconds(60))).generation
        }
        let before = try await generation()
        store.inject(.delayAfterwards(.milliseconds(100)), into: [.invalidate])
        let calls = store.calls(of: .invalidate)
        node.backplane.send(.live)
        await clock.settle()
        #expect(store.calls(of: .invalidate) == calls + 1)
        #expect(try await generation() != before)
        node.run.cancel()
    }

    @Test("C2: what loads ended in the seconds before a gap have their leases released again, once")
    func releasedAgain() async throws {
        let node = try await Node(Fleet(source: .counting))
        let clock = node.fleet.spawner
        func gap() async {
            node.backplane.send(.lost)
            node.backplane.send(.live)
            await clock.settle()
        }
        _ = try await node.cache.value(of: node.fleet.field)
        await clock.advance(by: .seconds(9))
        await gap()
        #expect(node.store.calls(of: .release) == 1)
        await gap()
        #expect(node.store.calls(of: .release) == 1)
        _ = try await node.cache.refresh(node.fleet.field)
        await clock.advance(by: .seconds(11))
        await gap()
        #expect(node.store.calls(of: .release) == 1)
        node.run.cancel()
    }

    /// The backplane is lost then, too.
    @Test("a shutdown repeats nothing")
    func shutdownAfterInvalidation() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        try await node.cache.expire(node.fleet.field)
        node.backplane.send(.lost)
        await node.cache.shutdown()
        #expect(node.store.calls(of: .invalidate) == 1)
        node.run.cancel()
    }

    @Test("what a forced refresh has stored, and the store has over a gap, is not invalidated again")
    func kept() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.refresh(node.fleet.field)
        node.backplane.send(.lost)
        #expect(try await node.cache.value(of: node.fleet.field) == "v1")
        node.backplane.send(.live)
        await node.fleet.spawner.settle()
        #expect(node.store.calls(of: .invalidate) == 0)
        #expect(try await node.cache.value(of: node.fleet.field) == "v1")
        node.run.cancel()
    }

    @Test("C1: what is invalidated before the first messages, while there are none, is invalidated again")
    func neverLive() async throws {
        let node = try await Node(Fleet(source: .counting))
        let late = ManualBackplane()
        let fields = FieldCache(
            cache: node.cache.cache,
            catalog: try FieldCatalog([node.fleet.field]),
            backplane: late,
            spawner: node.fleet.spawner,
            logger: Logger(label: "test")
        )
        let run = node.fleet.spawner.task { try await fields.run() }
        try await waitUntil("the listener") { late.listeners == 1 }
        late.send(.lost)
        try await fields.expire(node.fleet.field)
        late.send(.live)
        await node.fleet.spawner.settle()
        #expect(node.store.calls(of: .invalidate) == 2)
        run.cancel()
        node.run.cancel()
    }

    @Test("C9: after a gap, what the store has not changed is compared in bulk, and served without being read again")
    func comparedInBulk() async throws {
        let node = try await Node(Fleet(source: .counting))
        let source = ControlledSource { .success(.value("w\($0)")) }
        let others = (0..<1500).map { Field("other\($0)", policy: FieldPolicy(ttl: .seconds(60)), load: source.load) }
        _ = try await node.cache.value(of: node.fleet.field)
        for other in others { _ = try await node.cache.value(of: other) }
        node.backplane.send(.lost)
        await node.fleet.spawner.advance(by: .milliseconds(1))
        try await node.fleet.store.invalidateEntry("agents_list", .remove)
        node.backplane.send(.live)
        await node.fleet.spawner.settle()
        #expect(node.store.calls(of: .check) == 3, "1,501 keys, 512 at a time")
        await node.fleet.spawner.advance(by: .milliseconds(1))
        let reads = node.store.calls(of: .read)
        for other in others { #expect(try await node.cache.read(other).tier == .l1) }
        #expect(node.store.calls(of: .read) == reads, "neither flushed …")
        #expect(try await node.cache.value(of: node.fleet.field) == "v2", "… nor trusted")
        #expect(source.loads == others.count)
        node.run.cancel()
    }

    @Test("C9: a store that fails the comparison is asked again; meanwhile nothing is served unchecked")
    func comparedLater() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        node.backplane.send(.lost)
        node.store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.check])
        node.backplane.send(.live)
        await node.fleet.spawner.advance(by: .milliseconds(20))
        #expect(node.store.calls(of: .check) == 1)
        #expect(try await node.cache.read(node.fleet.field).tier == .l2)
        node.backplane.send(.lost)
        node.backplane.send(.live)
        node.store.recover()
        await node.fleet.spawner.advance(by: .seconds(1))
        #expect(try await node.cache.read(node.fleet.field).tier == .l1)
        node.run.cancel()
        try await node.run.value
        #expect(node.fleet.spawner.runningTasks == 0)
    }

    @Test(
        "C9: what was loaded while the store was away is looked up once messages come again, however long L1 is trusted"
    )
    func loadedWithoutStore() async throws {
        let node = try await Node(Fleet(source: .counting))
        node.store.inject(.fail(CacheError(.storeUnavailable, "away")))
        node.backplane.send(.lost)
        #expect(try await node.cache.value(of: node.fleet.field) == "v1")
        node.store.recover()
        let other = try await node.fleet.node()
        #expect(try await other.value(of: node.fleet.field) == "v2")
        #expect(try await node.cache.value(of: node.fleet.field) == "v1")
        node.backplane.send(.live)
        #expect(try await node.cache.value(of: node.fleet.field) == "v2")
        node.run.cancel()
    }

    @Test("C9: an invalidation that is told while the comparison is under way is not undone by it")
    func toldMeanwhile() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        let old = try await node.generation
        node.backplane.send(.lost)
        await node.fleet.spawner.advance(by: .milliseconds(1))
        node.store.inject(.hang, into: [.check])
        node.backplane.send(.live)
        try await waitUntil("the comparison") { node.store.hangingCalls == 1 }
        await node.fleet.spawner.advance(by: .milliseconds(1))
        try await node.hear(.expire)
        #expect(try await node.generation != old)
        node.store.recover()
        await node.fleet.spawner.settle()
        #expect(try await node.cache.value(of: node.fleet.field) == "v2")
        node.run.cancel()
    }

    @Test(
        "C1: what another node invalidated is not served any more, nor kept by a load that began before",
        arguments: [true, false]
    )
    func invalidated(hard: Bool) async throws {
        let node = try await Node(Fleet())
        try await node.fleet.load(1, on: node.cache)
        let invalidation: Invalidation = hard ? .remove : .expire
        try await node.hear(invalidation)
        let before = node.fleet.spawner.task { try await node.cache.read(node.fleet.field) }
        try await node.fleet.source.waitForLoads(2)
        try await node.hear(invalidation)
        let after = node.fleet.spawner.task { try await node.cache.read(node.fleet.field) }
        try await node.fleet.source.waitForLoads(3)
        node.fleet.source.end(3, value: "v3")
        #expect(try await after.value.value == "v3")
        node.fleet.source.end(2, value: "v2")
        #expect(try await before.value.isStored == false)
        #expect(try await node.cache.read(node.fleet.field).value == "v3")
        node.run.cancel()
    }

    @Test("C1: what another node removed is not served while a third one's load is waited for", arguments: [nil, 3])
    func removedWhileWaiting(softDeadline: Int?) async throws {
        let node = try await Node(
            Fleet {
                if let softDeadline {
                    $0.softDeadline = .seconds(softDeadline)
                    $0.staleIfError = .seconds(60)
                } else {
                    $0.staleWhileRevalidate = .seconds(60)
                }
            }
        )
        let fleet = node.fleet
        let other = try await fleet.node()
        try await fleet.load(1, on: node.cache)
        await fleet.spawner.advance(by: .seconds(61))
        let loading = fleet.spawner.task { try await other.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        let early = fleet.spawner.task { try await node.cache.read(fleet.field) }
        if softDeadline != nil {
            try await waitUntil("the reader") { node.cache.waiters(of: fleet.field.erased) == 1 }
            await fleet.spawner.advance(by: .seconds(4))
        }
        #expect(try await early.value.value == "v1")
        try await node.hear(.remove)
        let late = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await waitUntil("the reader") { node.cache.waiters(of: fleet.field.erased) == 1 }
        await fleet.spawner.advance(by: .seconds(5))
        try await fleet.source.waitForLoads(3)
        #expect(node.cache.waiters(of: fleet.field.erased) == 1)
        fleet.source.end(3, value: "v3")
        #expect(try await late.value.value == "v3")
        fleet.source.end(2, value: "v2")
        _ = try await loading.value
        node.run.cancel()
    }

    @Test("what the store answered before another node stored something newer is asked for again")
    func filledDuringRead() async throws {
        let node = try await Node(Fleet(source: .counting))
        let fleet = node.fleet
        _ = try await fleet.node().value(of: fleet.field)
        node.store.inject(.delayAfterwards(.milliseconds(100)), into: [.read])
        let reader = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        try await waitUntil("the read") { node.store.calls(of: .read) == 1 }
        await fleet.spawner.settle()
        let request = LeaseRequest(purpose: .renew, holdFor: .seconds(9), freshFor: .seconds(60))
        guard case .granted(let lease, _) = try await fleet.store.leaseEntry("agents_list", request) else {
            Issue.record("no lease")
            return
        }
        let bytes = ByteBuffer(string: "\"v2\"")
        let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: .seconds(60))
        _ = try await fleet.store.fillEntry("agents_list", lease, with: fill)
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), lease.generation))
        node.store.recover()
        await fleet.spawner.advance(by: .milliseconds(100))
        #expect(try await reader.value == "v2")
        #expect(try await node.cache.value(of: fleet.field) == "v2")
        node.run.cancel()
    }

    @Test(
        "C1: what is removed while the store does not answer a read does not come back out of L1",
        arguments: [true, false]
    )
    func removedDuringRead(sourceFails: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let early = try await node.heldReader(in: .read, after: .seconds(21))
        try await node.hear(.remove)
        let late = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await waitUntil("the late reader") { node.cache.waiters(of: fleet.field.erased) == 2 }
        await fleet.spawner.advance(by: .milliseconds(500))
        try await fleet.source.waitForLoads(2)
        #expect(node.cache.cached(fleet.field.erased) == nil)
        fleet.source.end(2, sourceFails ? .failure(SourceIsDown()) : .success(.value("v2")))
        for reader in [early, late] {
            let answer = try? await reader.value.value
            #expect(answer == (sourceFails ? nil : "v2"))
        }
        node.store.recover()
        node.run.cancel()
    }

    @Test("C5: what is expired while the store does not answer a read is kept for a source that fails")
    func expiredDuringRead() async throws {
        let node = try await Node(Fleet { $0.staleIfError = .seconds(600) })
        let fleet = node.fleet
        let reader = try await node.heldReader(in: .read, after: .seconds(21))
        try await node.hear(.expire)
        await fleet.spawner.advance(by: .milliseconds(500))
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .failure(SourceIsDown()))
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v1", .stale))
        node.store.recover()
        node.run.cancel()
    }

    @Test("C1: what the store gave no leave to load, and another node removes, is not served to who comes then")
    func removedWithoutLease() async throws {
        let source = ControlledSource<String> { .success(.value("v\($0)", .init(etag: "e\($0)"))) }
        let node = try await Node(Fleet(source: source, ttl: .seconds(600)))
        let fleet = node.fleet
        node.store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.lease])
        #expect(try await node.cache.value(of: fleet.field) == "v1")
        await fleet.spawner.advance(by: .seconds(3))
        node.store.inject(.hang, into: [.lease])
        #expect(try await node.cache.value(of: fleet.field) == "v1")
        try await waitUntil("the lease") { node.store.hangingCalls == 1 }
        try await node.hear(.remove)
        let late = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        try await waitUntil("the late reader") { node.cache.waiters(of: fleet.field.erased) == 1 }
        await fleet.spawner.advance(by: .milliseconds(500))
        #expect(try await late.value == "v2")
        #expect(source.contexts.map(\.etag) == [nil, nil])
        node.store.recover()
        node.run.cancel()
    }

    /// With the clock standing still: nobody waits for the end of a pause.
    @Test(
        "what another node stored while its load was waited for is asked for at once, and once",
        arguments: [false, true]
    )
    func filledDuringLease(isForced: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let other = try await fleet.node()
        let loading = fleet.spawner.task {
            try await isForced ? other.refresh(fleet.field).value : other.value(of: fleet.field)
        }
        try await fleet.source.waitForLoads(1)
        let waiting = fleet.spawner.task {
            try await isForced ? node.cache.refresh(fleet.field).value : node.cache.value(of: fleet.field)
        }
        try await waitUntil("the wait for the lease") { node.store.calls(of: .lease) == 1 }
        await fleet.spawner.advance(by: .seconds(4))
        fleet.source.end(1, value: "v1")
        #expect(try await loading.value == "v1")
        let asked = (node.store.calls(of: .lease), node.store.calls(of: .read))
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), try await node.generation))
        #expect(try await waiting.value == "v1")
        #expect(node.store.calls(of: .lease) + node.store.calls(of: .read) == asked.0 + asked.1 + 1)
        #expect(fleet.source.loads == 1)
        node.run.cancel()
    }

    @Test("what another node stored is asked for at once, too, by those who waited before the key was invalidated")
    func filledDuringOvertakenWait() async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let others = (try await fleet.node(), try await fleet.node())
        let overtaken = fleet.spawner.task { try await others.0.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let waiting = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        try await waitUntil("the wait for the lease") { node.store.calls(of: .lease) == 1 }
        await fleet.spawner.settle()
        try await node.cache.expire(fleet.field)
        let loading = fleet.spawner.task { try await others.1.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await loading.value == "v2")
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), try await node.generation))
        #expect(try await waiting.value == "v2")
        fleet.source.end(1, value: "v1")
        _ = try await overtaken.value
        node.run.cancel()
    }

    @Test("what is told while the store answers that another node has the lease is not missed")
    func toldDuringLease() async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let other = try await fleet.node()
        let loading = fleet.spawner.task { try await other.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        node.store.inject(.hang, into: [.lease])
        let waiting = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        try await waitUntil("the lease") { node.store.hangingCalls == 1 }
        node.backplane.send(.changed(key: "agents_list", .invalidated(.expire), try await node.generation))
        node.store.recover()
        try await waitUntil("another look") { node.store.calls(of: .lease) == 2 }
        fleet.source.end(1, value: "v1")
        #expect(try await loading.value == "v1")
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), try await node.generation))
        #expect(try await waiting.value == "v1")
        node.run.cancel()
    }

    @Test("where another node's load is invalidated, whoever waits for it loads at once", arguments: [false, true])
    func invalidatedDuringLease(hard: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let other = try await fleet.node()
        let loading = fleet.spawner.task { try await other.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let waiting = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        try await waitUntil("the wait for the lease") { node.store.calls(of: .lease) == 1 }
        await fleet.spawner.advance(by: .seconds(4))
        try await node.hear(hard ? .remove : .expire)
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await waiting.value == "v2")
        fleet.source.end(1, value: "v1")
        _ = try await loading.value
        node.run.cancel()
    }

    @Test("C1: what is removed while the store grants no lease is not kept for a source that fails")
    func removedDuringLease() async throws {
        let node = try await Node(Fleet { $0.staleIfError = .seconds(600) })
        let fleet = node.fleet
        let early = try await node.heldReader(in: .lease, after: .seconds(61))
        try await node.hear(.remove)
        let late = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await waitUntil("the late reader") { node.cache.waiters(of: fleet.field.erased) == 2 }
        await fleet.spawner.advance(by: .milliseconds(500))
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .failure(SourceIsDown()))
        await #expect(throws: CacheError.self) { try await late.value }
        _ = try? await early.value
        node.store.recover()
        node.run.cancel()
    }

    @Test("C1: what is removed while the store does not answer a forced refresh does not answer it")
    func removedDuringForce() async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let first = fleet.spawner.task { try await node.cache.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        #expect(try await first.value.value == "v1")
        node.store.inject(.hang, into: [.lease])
        let second = fleet.spawner.task { try await node.cache.refresh(fleet.field) }
        try await waitUntil("the lease") { node.store.hangingCalls == 1 }
        try await node.hear(.remove)
        await fleet.spawner.advance(by: .milliseconds(500))
        try await fleet.source.waitForLoads(2)
        #expect(node.cache.cached(fleet.field.erased) == nil)
        fleet.source.end(2, value: "v2")
        #expect(try await second.value.value == "v2")
        node.store.recover()
        node.run.cancel()
    }

    @Test(
        "C1: what is removed while the store's answer is on its way does not answer those who ask later",
        arguments: [true, false]
    )
    func removedBeforeAnswer(forced: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let other = try await fleet.node()
        let late = FaultyStore.Fault.delayAfterwards(.milliseconds(100))
        let reads = node.store.calls(of: .read)
        node.store.inject(late, into: [.read, .lease])
        // Reads that there is nothing, and finds the other's value when it asks for a lease.
        let early = forced ? nil : fleet.spawner.task { try await node.cache.read(fleet.field) }
        if !forced { try await waitUntil("the read") { node.store.calls(of: .read) > reads } }
        let loading = fleet.spawner.task { try await other.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        #expect(try await loading.value.value == "v1")
        let forcing = forced ? fleet.spawner.task { try await node.cache.refresh(fleet.field) } : nil
        if !forced { await fleet.spawner.advance(by: .milliseconds(100)) }
        try await waitUntil("the lease") { node.store.calls(of: .lease) == 1 }
        await fleet.spawner.settle()
        try await node.hear(.remove)
        let reader = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await waitUntil("the reader") { node.cache.waiters(of: fleet.field.erased) == 2 }
        let clock = fleet.runClock()
        defer { clock.cancel() }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await reader.value.value == "v2")
        if let early { #expect(try await early.value.value == "v2") }
        if let forcing { #expect(try await forcing.value.value == "v2") }
        node.run.cancel()
    }

    @Test("C1: a load without a lease is overtaken by what another node invalidates", arguments: [true, false])
    func invalidatedWithoutLease(hard: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        node.store.inject(.fail(CacheError(.storeUnavailable, "away")))
        let early = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await node.hear(hard ? .remove : .expire)
        let late = fleet.spawner.task { try await node.cache.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await late.value.value == "v2")
        fleet.source.end(1, value: "v1")
        #expect(try await early.value.isStored == false)
        #expect(try await node.cache.read(fleet.field).value == "v2")
        node.run.cancel()
    }

    @Test("a node's own messages cost it one look into the store, and nothing it has loaded")
    func own() async throws {
        let node = try await Node(Fleet())
        let forced = node.fleet.spawner.task { try await node.cache.refresh(node.fleet.field) }
        try await node.fleet.source.waitForLoads(1)
        node.backplane.send(.changed(key: "agents_list", .invalidated(.expire), try await node.generation))
        node.fleet.source.end(1, value: "v1")
        #expect(try await forced.value.isStored)
        #expect(try await node.cache.read(node.fleet.field).tier == .l1)
        let reads = node.store.calls(of: .read)
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), try await node.generation))
        for _ in 0..<3 { #expect(try await node.cache.read(node.fleet.field).value == "v1") }
        #expect(node.store.calls(of: .read) == reads + 1, "one look at what the message may have been about")
        #expect(node.fleet.source.loads == 1)
        node.run.cancel()
    }

    @Test(
        "a node's own messages do not cost it what it has loaded and the store cannot take",
        arguments: [true, false]
    )
    func ownWithoutFill(isForced: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        let loading = fleet.spawner.task {
            isForced ? try await node.cache.refresh(fleet.field) : try await node.cache.read(fleet.field)
        }
        try await fleet.source.waitForLoads(1)
        let change: BackplaneEvent.Change = isForced ? .invalidated(.expire) : .filled(under: nil)
        node.backplane.send(.changed(key: "agents_list", change, try await node.generation))
        node.store.inject(.fail(CacheError(.storeUnavailable, "full")), into: [.fill])
        fleet.source.end(1, value: "v1")
        #expect(try await loading.value.value == "v1")
        #expect(try await node.cache.read(fleet.field).value == "v1")
        #expect(fleet.source.loads == 1)
        node.run.cancel()
    }

    @Test("what another node filled is fetched from the store at the next read")
    func filled() async throws {
        let node = try await Node(Fleet(source: .counting))
        _ = try await node.cache.value(of: node.fleet.field)
        let other = try await node.fleet.node()
        #expect(try await other.refresh(node.fleet.field).value == "v2")
        node.backplane.send(.changed(key: "agents_list", .filled(under: nil), try await node.generation))
        let reading = try await node.cache.read(node.fleet.field)
        #expect((reading.value, reading.tier) == ("v2", .l2))
        node.run.cancel()
    }

    @Test("what the store says of another generation than was told of, as a replica may, is soon asked again")
    func contested() async throws {
        let node = try await Node(Fleet(source: .counting))
        let (fleet, cache) = (node.fleet, node.cache)
        _ = try await cache.value(of: fleet.field)
        node.backplane.send(.changed(key: "agents_list", .invalidated(.remove), Generation("of another node")))
        for tier in [FieldReading.Tier.l2, .l1] { #expect(try await cache.read(fleet.field).tier == tier) }
        // The replica hears of it.
        try await fleet.store.invalidateEntry("agents_list", .remove)
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await cache.value(of: fleet.field) == "v2")
        node.run.cancel()
    }

    @Test("C4: the store is asked for a failure once in a while, and at once after a change")
    func failing() async throws {
        let node = try await Node(Fleet(source: .down) { $0.errorBackoff = .seconds(60) })
        let (fleet, cache) = (node.fleet, node.cache)
        func lookups() async -> Int {
            let reads = node.store.calls(of: .read)
            for _ in 0..<3 { #expect(await errorOf { try await cache.value(of: fleet.field) } is CacheError) }
            return node.store.calls(of: .read) - reads
        }
        // Once before the load, once after it.
        #expect(await lookups() == 2)
        #expect(await lookups() == 0)
        await fleet.spawner.advance(by: .seconds(2))
        #expect(await lookups() == 1)
        try await node.hear(.expire)
        #expect(await lookups() == 1)
        node.backplane.send(.everythingWritten)
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(await lookups() == 1)
        for event in [BackplaneEvent.lost, .live] { node.backplane.send(event) }
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(await lookups() == 1)
        #expect(fleet.source.loads == 1)
        try await Self.write("foreign", to: node)
        #expect(try await cache.value(of: fleet.field) == "foreign")
        node.run.cancel()
    }

    @Test(
        "C4: a failure that the store told of before a change, a gap or a flood is asked for again",
        arguments: [[.everythingWritten], [.lost, .live], []] as [[BackplaneEvent]]
    )
    func failureBeforeChange(events: [BackplaneEvent]) async throws {
        let node = try await Node(Fleet(source: .down) { $0.errorBackoff = .seconds(60) })
        let (fleet, cache, clock) = (node.fleet, node.cache, node.fleet.spawner)
        let other = try await fleet.node()
        // The other node's load fails between the look and the request for a lease, whose answer is the failure.
        node.store.inject(.delayAfterwards(.milliseconds(10)), into: [.read])
        node.store.inject(.delayAfterwards(.milliseconds(10)), into: [.lease])
        let reader = clock.task { await errorOf { try await cache.value(of: fleet.field) } }
        try await waitUntil("the look") { node.store.calls(of: .read) == 1 }
        await clock.advance(by: .milliseconds(5))
        #expect(await errorOf { try await other.value(of: fleet.field) } is CacheError)
        await clock.advance(by: .milliseconds(10))
        #expect(node.store.calls(of: .lease) == 1)
        if events.isEmpty { try await node.hear(.remove) }
        for event in events { node.backplane.send(event) }
        await clock.advance(by: .milliseconds(10))
        #expect(try await reader.value is CacheError)
        node.store.recover()
        let reads = node.store.calls(of: .read)
        #expect(await errorOf { try await cache.value(of: fleet.field) } is CacheError)
        #expect(node.store.calls(of: .read) > reads)
        #expect(fleet.source.loads == (events.isEmpty ? 2 : 1))
        node.run.cancel()
    }

    @Test("who reads while a load is under way waits for it, though the last one has failed")
    func failedBefore() async throws {
        let node = try await Node(Fleet(source: .down) { $0.errorBackoff = .seconds(60) })
        let (fleet, cache) = (node.fleet, node.cache)
        for _ in 0..<2 { #expect(await errorOf { try await cache.value(of: fleet.field) } is CacheError) }
        fleet.source.holdFromNowOn()
        let refresh = fleet.spawner.task { try await cache.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        let reader = fleet.spawner.task { try await cache.value(of: fleet.field) }
        try await waitUntil("the reader") { cache.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(2, value: "v2")
        for task in [refresh, reader] { #expect(try await task.value == "v2") }
        node.run.cancel()
    }

    private static func write(_ value: String, to node: Node) async throws {
        try await node.fleet.write(value)
        node.backplane.send(.written(key: "agents_list"))
    }

    @Test("what another program writes is served once it is told of, and the store asked for it once")
    func written() async throws {
        let node = try await Node(Fleet())
        try await node.fleet.load(1, on: node.cache)
        try await Self.write("foreign", to: node)
        let reads = node.store.calls(of: .read)
        for tier in [FieldReading.Tier.l2, .l1] {
            let reading = try await node.cache.read(node.fleet.field)
            #expect(reading.value == "foreign" && reading.tier == tier)
        }
        #expect(node.store.calls(of: .read) == reads + 1)
        node.run.cancel()
    }

    @Test(
        "what another program writes while the store is asked, or given what was loaded, is served once it is told of",
        arguments: [true, false]
    )
    func writtenMeanwhile(isRead: Bool) async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        if isRead { try await fleet.load(1, on: node.cache) }
        if isRead { node.backplane.send(.written(key: "agents_list")) }
        node.store.inject(.delayAfterwards(.milliseconds(100)), into: isRead ? [.read] : [.fill])
        let reader = fleet.spawner.task { try await node.cache.value(of: fleet.field) }
        if isRead {
            try await waitUntil("the read") { node.store.calls(of: .read) == 2 }
        } else {
            try await fleet.source.waitForLoads(1)
            fleet.source.end(1, value: "v1")
            try await waitUntil("the fill") { node.store.calls(of: .fill) == 1 }
        }
        await fleet.spawner.settle()
        try await Self.write("foreign", to: node)
        node.store.recover()
        await fleet.spawner.advance(by: .milliseconds(100))
        #expect(try await reader.value == (isRead ? "foreign" : "v1"))
        #expect(try await node.cache.value(of: fleet.field) == "foreign")
        node.run.cancel()
    }

    @Test("what was told of before the store was given what was loaded is no reason to ask it again")
    func writtenBefore() async throws {
        let node = try await Node(Fleet())
        let reader = node.fleet.spawner.task { try await node.cache.value(of: node.fleet.field) }
        try await node.fleet.source.waitForLoads(1)
        node.backplane.send(.written(key: "agents_list"))
        node.fleet.source.end(1, value: "v1")
        #expect(try await reader.value == "v1")
        #expect(try await node.cache.read(node.fleet.field).tier == .l1)
        node.run.cancel()
    }

    @Test("that a value has come to its end is no reason for readers of the stale one to wait")
    func ended() async throws {
        let node = try await Node(Fleet { $0.staleWhileRevalidate = .seconds(600) })
        let fleet = node.fleet
        try await fleet.load(1, on: node.cache)
        await fleet.spawner.advance(by: .seconds(45))
        _ = try await node.cache.read(fleet.field)
        await fleet.spawner.advance(by: .milliseconds(15_500))
        node.backplane.send(.written(key: "agents_list"))
        node.store.inject(.hang)
        let reading = try await node.cache.read(fleet.field)
        #expect((reading.value, reading.status, reading.tier) == ("v1", .stale, .l1))
        node.store.recover()
        node.run.cancel()
    }

    @Test("what another program writes while the field is loaded is served once it is told of, and stays")
    func writtenDuringLoad() async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        try await fleet.load(1, on: node.cache)
        await fleet.spawner.advance(by: .seconds(1))
        let loading = fleet.spawner.task { try await node.cache.read(fleet.field, maxAge: .zero) }
        try await fleet.source.waitForLoads(2)
        #expect(try await node.cache.value(of: fleet.field) == "v1")
        try await Self.write("foreign", to: node)
        #expect(try await node.cache.value(of: fleet.field) == "foreign")
        fleet.source.end(2, value: "v2")
        _ = try? await loading.value
        #expect(try await node.cache.value(of: fleet.field) == "foreign")
        node.run.cancel()
    }

    @Test("what somebody puts right by hand while the source fails is served once it is told of")
    func writtenInEmergency() async throws {
        let node = try await Node(Fleet { ($0.staleWhileRevalidate, $0.staleIfError) = (.seconds(600), .seconds(600)) })
        let fleet = node.fleet
        try await fleet.load(1, on: node.cache)
        await fleet.spawner.advance(by: .seconds(62))
        #expect(try await node.cache.read(fleet.field).status == .stale)
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .failure(SourceIsDown()))
        await fleet.spawner.settle()
        #expect(try await node.cache.read(fleet.field).value == "v1")
        try await Self.write("repaired", to: node)
        #expect(try await node.cache.read(fleet.field).value == "repaired")
        node.run.cancel()
    }

    @Test("where anything may have been written, the store is asked for all that is held, once")
    func everythingWritten() async throws {
        let node = try await Node(Fleet())
        let fleet = node.fleet
        try await fleet.load(1, on: node.cache)
        try await fleet.write("foreign")
        await fleet.spawner.advance(by: .seconds(1))
        node.backplane.send(.everythingWritten)
        await fleet.spawner.advance(by: .seconds(1))
        for tier in [FieldReading.Tier.l2, .l1] {
            let reading = try await node.cache.read(fleet.field)
            #expect(reading.value == "foreign" && reading.tier == tier)
        }
        node.run.cancel()
    }

    @Test("what this process writes without the field is served at once, too, and its deletion followed by a load")
    func ownWrite() async throws {
        let node = try await Node(Fleet(source: .counting))
        let (service, field) = (node.cache.cache, node.fleet.field)
        #expect(try await node.cache.value(of: field) == "v1")
        _ = try await service.strict.set("agents_list", "by hand")
        #expect(try await node.cache.value(of: field) == "by hand")
        _ = try await service.strict.del("agents_list")
        #expect(try await node.cache.value(of: field) == "v2")
        node.run.cancel()
    }
}
