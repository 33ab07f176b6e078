import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Freshet

/// C8: reads go on while the store is away, and nothing invalidated meanwhile is served when it is back.
@Suite("Store outage", .timeLimit(.minutes(1)))
struct StoreOutageTests {
    private static let away = CacheError(.storeUnavailable, "away")

    @Test("C8: what this process holds is served on, whatever its trust", arguments: [true, false])
    func l1GoesOn(hangs: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(hangs ? .hang : .fail(Self.away))
        await fleet.spawner.advance(by: .seconds(10))
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        let clock = fleet.runClock()
        defer { clock.cancel() }
        let reading = try await reader.value
        #expect((reading.value, reading.status, reading.tier) == ("v1", .hit, .l1))
        #expect(fleet.source.loads == 1)
        store.recover()
    }

    @Test("C8: what is gone is loaded from the source, once, and kept in this process", arguments: [true, false])
    func sourceGoesOn(hangs: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        store.inject(hangs ? .hang : .fail(Self.away))
        let clock = fleet.runClock()
        defer { clock.cancel() }
        let readers = (0..<100).map { _ in fleet.spawner.task { try await node.value(of: fleet.field) } }
        for reader in readers { #expect(try await reader.value == "v1") }
        #expect(try await node.read(fleet.field).tier == .l1)
        #expect(fleet.source.loads == 1)
        store.recover()
    }

    @Test("what is too large for this process is stored only if the store took it", arguments: [true, false])
    func tooLarge(isTaken: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode(l1MaxBytes: 1)
        if !isTaken { store.inject(.fail(CacheError(.storeRejected, "too large")), into: [.fill]) }
        let reading = try await node.read(fleet.field)
        #expect((reading.value, reading.status, reading.isStored) == ("v1", .loaded, isTaken))
    }

    @Test("a forced load whose value neither could keep answers those who have joined it")
    func tooLargeForThose() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode(l1MaxBytes: 1)
        store.inject(.fail(CacheError(.storeRejected, "too large")), into: [.fill])
        let first = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(2.5))
        let second = fleet.spawner.task { try await node.refresh(fleet.field).value }
        await fleet.spawner.settle()
        fleet.source.end(1, value: "v1")
        let clock = fleet.runClock()
        defer { clock.cancel() }
        #expect(try await first.value == "v1")
        #expect(try await second.value == "v1")
    }

    @Test(
        "C8: an invalidation that could not be sent is sent before the store is believed again",
        arguments: [true, false]
    )
    func queued(hard: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (a, store) = try await fleet.faultyNode()
        _ = try await a.value(of: fleet.field)
        store.inject(.fail(Self.away))
        #expect(try await (hard ? a.remove(fleet.field) : a.expire(fleet.field)) == .queued)
        #expect(try await a.value(of: fleet.field) == "v2", "the store's old value is not to be had")
        store.recover()
        await fleet.spawner.advance(by: .seconds(40))
        let b = try await fleet.node()
        #expect(try await b.read(fleet.field).value == "v3", "replayed without anybody reading here")
        #expect(try await a.value(of: fleet.field) == "v3")
        await a.shutdown()
    }

    @Test("C8: of each outage the log says once that invalidations are queued, however many are, and why")
    func queuedIsTold() async throws {
        let fleet = Fleet(source: .counting)
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let logs = RecordedLogs()
        let node = try await fleet.node(store, logger: logs.logger)
        for outage in 1...2 {
            _ = try await node.value(of: fleet.field)
            store.inject(.fail(Self.away))
            for _ in 0..<10 { #expect(try await node.remove(fleet.field) == .queued) }
            let told = logs.entries.filter { $0.message.contains("queued") }
            #expect(told.count == outage && told.allSatisfy { $0.metadata["error"]?.contains("away") == true })
            store.recover()
            await fleet.spawner.advance(by: .seconds(40))
        }
    }

    @Test("C8: a forced refresh that the store has yet to be told of says so, as the log does, and that it was")
    func forcedIsTold() async throws {
        let fleet = Fleet(source: .counting)
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let logs = RecordedLogs()
        let node = try await fleet.node(store, logger: logs.logger)
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(CacheError(.storeRejected, "NOREPLICAS")), into: [.lease, .invalidate])
        let queued = try await node.refresh(fleet.field)
        #expect((queued.value, queued.detail) == ("v2", .queued))
        #expect(logs.entries.count { $0.message.contains("queued") } == 1)
        store.recover()
        await fleet.spawner.advance(by: .seconds(10))
        let told = logs.entries.filter { $0.message.contains("told of all invalidations") }
        #expect(told.map { $0.metadata["invalidations.queued"] } == ["1"])
        let next = try await node.refresh(fleet.field)
        #expect((next.value, next.detail) == ("v3", nil))
        await node.shutdown()
    }

    @Test("C8: the catalogue calls nothing fresh of which the store has yet to be told", arguments: [true, false])
    func stateWhilePending(hard: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(Self.away), into: [.invalidate])
        #expect(try await (hard ? node.remove(fleet.field) : node.expire(fleet.field)) == .queued)
        #expect(node.isDegraded)
        let freshness = await node.state(of: fleet.field.erased).freshness
        #expect(freshness == (hard ? .unknown : .stale))
        store.recover()
        #expect(await node.state(of: fleet.field.erased).freshness == (hard ? .gone : .stale))
        await fleet.spawner.advance(by: .seconds(1))
        #expect(!node.isDegraded)
    }

    @Test("C8: the invalidation goes first even if a read comes before the replay")
    func flushedByRead() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(Self.away), into: [.invalidate])
        #expect(try await node.remove(fleet.field) == .queued)
        store.recover()
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("C2: a removal is sent once, though a reader comes meanwhile who needs it sent, and costs one load")
    func sentOnce() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.hang, into: [.invalidate])
        let remover = fleet.spawner.task { try await node.remove(fleet.field) }
        try await waitUntil("the removal") { store.hangingCalls == 1 }
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 1 }
        await fleet.spawner.settle()
        store.recover()
        #expect(try await remover.value == .done)
        #expect(try await reader.value == "v2")
        #expect(store.calls(of: .invalidate) == 1)
        #expect(fleet.source.loads == 2)
    }

    @Test("C8: an invalidation whose answer was lost is sent again, and done")
    func answerLost() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.failAfterwards(Self.away), into: [.invalidate])
        #expect(try await node.remove(fleet.field) == .queued)
        store.recover()
        #expect(try await node.value(of: fleet.field) == "v2")
        await fleet.spawner.advance(by: .seconds(5))
        #expect(try await node.value(of: fleet.field) == "v2", "not invalidated twice")
        #expect(fleet.source.loads == 2)
    }

    @Test("a forced refresh works without the store, and within its cooldown too")
    func forced() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(Self.away))
        #expect(try await node.refresh(fleet.field).value == "v2")
        let again = try await node.refresh(fleet.field)
        #expect((again.value, again.detail) == ("v2", .cooldown))
        #expect(try await node.value(of: fleet.field) == "v2")
        store.recover()
        await node.shutdown()
    }

    @Test("within the cooldown a forced load that the store has not taken answers, unless something has come since")
    func forcedAndNotTaken() async throws {
        let fleet = Fleet(source: .counting)
        let ((node, store), elsewhere) = (try await fleet.faultyNode(), try await fleet.node())
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.fill])
        #expect(try await node.refresh(fleet.field).value == "v2")
        await fleet.spawner.settle()
        for purge in [false, true] {
            let again = try await node.refresh(fleet.field, purge: purge)
            #expect((again.value, again.detail) == ("v2", .cooldown))
        }
        try await node.expire(fleet.field)
        #expect(try await node.refresh(fleet.field).value == "v3")
        await fleet.spawner.settle()
        try await elsewhere.expire(fleet.field)
        #expect(try await elsewhere.value(of: fleet.field) == "v4")
        // For that long nobody tells this process.
        await fleet.spawner.advance(by: .seconds(2))
        let last = try await node.refresh(fleet.field)
        #expect((last.value, last.detail) == ("v5", nil))
        await node.shutdown()
    }

    @Test("a forced load that is given up does not end the cooldown of the next one", arguments: 0..<64)
    func forcedTwice(seed: UInt64) async throws {
        let fleet = Fleet(spawner: TestSpawner(seed: seed, isShuffled: true))
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(Self.away))
        // Opens the breaker: from now on no call takes a while.
        for _ in 0..<5 { _ = try? await node.remove(fleet.field) }
        let first = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        let second = fleet.spawner.task {
            first.cancel()
            return try await node.refresh(fleet.field)
        }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await second.value.value == "v2")
        fleet.source.answerFromNowOn { .success(.value("v\($0)")) }
        #expect(try await node.refresh(fleet.field).detail == .cooldown)
        fleet.source.end(1, value: "v1")
        store.recover()
    }

    /// A field whose old value is in the store, and the one that was loaded while that took nothing, in a node.
    private func divided(
        forced: Bool,
        _ answer: @escaping @Sendable (Int) -> ControlledSource<String>.Answer
    ) async throws -> (fleet: Fleet, node: FieldCache) {
        let fleet = Fleet(source: ControlledSource(answer)) {
            $0.staleWhileRevalidate = .seconds(600)
            $0.staleIfError = .seconds(600)
            $0.minRefreshInterval = .zero
        }
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(5))
        store.inject(.fail(Self.away), into: [.invalidate, .lease, .fill])
        if forced {
            #expect(try await node.refresh(fleet.field).value == "v2")
        } else {
            try await node.expire(fleet.field)
            #expect(try await node.read(fleet.field, maxAge: .zero).value == "v2")
        }
        #expect(try await node.value(of: fleet.field) == "v2")
        store.recover()
        return (fleet, node)
    }

    @Test(
        "C1: a store that is back does not bring back what was there before",
        arguments: [true, false],
        [true, false]
    )
    func nothingOlder(forced: Bool, readsFirst: Bool) async throws {
        let (fleet, node) = try await divided(forced: forced) {
            $0 < 3 ? .success(.value("v\($0)")) : .failure(SourceIsDown())
        }
        if !readsFirst { await fleet.spawner.advance(by: .seconds(40)) }
        for _ in 0..<3 {
            #expect(try await node.value(of: fleet.field) == "v2")
            #expect(await node.state(of: fleet.field.erased).freshness == .stale)
            await fleet.spawner.advance(by: .seconds(3))
        }
        fleet.source.answerFromNowOn { _ in .success(.value("v9")) }
        #expect(try await node.refresh(fleet.field).value == "v9")
        #expect(try await fleet.node().value(of: fleet.field) == "v9")
    }

    @Test("the catalogue tells what readers get of what the store does not take")
    func stateOfWhatIsNotTaken() async throws {
        let fleet = Fleet(source: .counting) { $0.staleIfError = .seconds(600) }
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(61))
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.lease, .fill, .release])
        #expect(try await node.value(of: fleet.field) == "v2")
        await fleet.spawner.advance(by: .seconds(3))
        let reading = try await node.read(fleet.field)
        #expect((reading.value, reading.status) == ("v2", .hit))
        #expect(await node.state(of: fleet.field.erased).freshness == .fresh)
        store.recover()
    }

    @Test(
        "C1: a store that is back brings nothing older back while a forced load goes on, or when it has failed",
        arguments: [true, false]
    )
    func nothingOlderMeanwhile(forced: Bool) async throws {
        let (fleet, node) = try await divided(forced: forced) { .success(.value("v\($0)")) }
        await fleet.spawner.advance(by: .seconds(40))
        fleet.source.holdFromNowOn()
        let refresh = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await fleet.source.waitForLoads(3)
        let reading = await fleet.promptRead(on: node)
        #expect((reading?.value, reading?.status, reading?.tier) == ("v2", .stale, .l1))
        fleet.source.end(3, .failure(SourceIsDown()))
        _ = await refresh.result
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("C1: a source that says that nothing has changed says so of what it gave last", arguments: [true, false])
    func unmodified(forced: Bool) async throws {
        let (fleet, node) = try await divided(forced: forced) {
            let details = LoadDetails(etag: "\($0)")
            return .success($0 < 3 ? .value("v\($0)", details) : .notModified(details))
        }
        await fleet.spawner.advance(by: .seconds(40))
        #expect(try await node.value(of: fleet.field) == "v2")
        await fleet.spawner.settle()
        #expect(fleet.source.contexts.last?.etag == "2")
        #expect(try await fleet.node().value(of: fleet.field) == "v2")
    }

    @Test("C1: what was removed while it was loaded without the store gives way to what the store has had since")
    func removedWhileLoading() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(600) }
        let store = FaultyStore(fleet.store)
        let (node, elsewhere) = (try await fleet.node(store), try await fleet.node())
        store.inject(.fail(Self.away))
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(5))
        try await elsewhere.remove(fleet.field)
        try await fleet.load(2, on: elsewhere)
        await fleet.spawner.advance(by: .seconds(5))
        fleet.source.end(1, value: "removed")
        #expect(try await reader.value == "removed", "who came before the removal")
        await fleet.spawner.advance(by: .seconds(58))
        store.recover()
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await node.read(fleet.field).value == "v2")
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, value: "v3")
        await fleet.spawner.settle()
        await node.shutdown()
        await elsewhere.shutdown()
    }

    @Test("a removal elsewhere ends what was loaded while the store took nothing", arguments: [true, false])
    func removedElsewhere(forced: Bool) async throws {
        let (fleet, node) = try await divided(forced: forced) {
            $0 < 3 ? .success(.value("v\($0)")) : .failure(SourceIsDown())
        }
        try await fleet.node().remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(40))
        #expect(await errorOf { try await node.value(of: fleet.field) } is CacheError)
    }

    @Test("a store that goes away during the load loses nothing for who waits")
    func awayDuringLoad() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode()
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        store.inject(.fail(Self.away))
        fleet.source.end(1, value: "v1")
        #expect(try await reader.value == "v1")
        #expect(try await node.read(fleet.field).tier == .l1)
    }

    @Test(
        "C3: a lease whose grant, fill or failure got lost on the way holds nobody up",
        arguments: [StoreOperation.lease, .fill, .fail],
        [true, false]
    )
    func lostAnswer(operation: StoreOperation, isDone: Bool) async throws {
        let fleet = Fleet(
            source: ControlledSource { number in
                operation == .fail && number == 1 ? .failure(SourceIsDown()) : .success(.value("v\(number)"))
            }
        )
        let (node, store) = try await fleet.faultyNode()
        store.inject(isDone ? .failAfterwards(Self.away) : .fail(Self.away), into: [operation, .release])
        _ = try? await node.value(of: fleet.field)
        // It is tried once in vain.
        await fleet.spawner.advance(by: .seconds(1))
        store.recover()
        // The lease that the store holds for nobody is given up within a second or so, not after a minute.
        await fleet.spawner.advance(by: .seconds(3))
        let other = try await fleet.node()
        let reader = fleet.spawner.task { try await other.read(fleet.field) }
        try await waitUntil("the other node's answer, or its wait") {
            await fleet.spawner.settle()
            return fleet.spawner.sleepers > 0 || fleet.source.loads > 1 || other.cached(fleet.field.erased) != nil
        }
        let lease = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(1))).leaseFor
        try #require(lease == nil)
        #expect(try await reader.value.value.hasPrefix("v"))
        await node.shutdown()
    }

    @Test("C3: a lease that was written before its script was stopped holds nobody up")
    func halfDoneLease() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        let error = CacheError(.storeRejected, "ACL failure in script").because(of: .credentials)
        store.inject(.failAfterwards(error.halfDone(true)), into: [.lease])
        #expect(try await node.value(of: fleet.field) == "v1")
        await fleet.spawner.settle()
        let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(1)))
        #expect(snapshot.leaseFor == nil)
        await node.shutdown()
    }

    @Test(
        "the log names the field whose key holds something else, and none where the store fails for all",
        arguments: [true, false]
    )
    func fieldIsNamed(isOfKey: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let logs = RecordedLogs()
        let node = try await fleet.node(store, logger: logs.logger)
        store.inject(.fail(CacheError(.storeRejected, "refused").ofKey(isOfKey)), into: [.read])
        _ = try await node.value(of: fleet.field)
        let errors = logs.entries.filter { $0.message.contains("the store failed") }
        #expect(errors.map { $0.metadata["field.name"] } == [isOfKey ? "agents" : nil])
        await node.shutdown()
    }

    @Test("a lease that comes to its end while the store is away is not given up once it is back")
    func leaseThatEnded() async throws {
        let fleet = Fleet(source: .counting) { $0.hardDeadline = .seconds(5) }
        let store = FaultyStore(fleet.store)
        let node = try await fleet.node(store)
        store.inject(.failAfterwards(Self.away), into: [.lease])
        store.inject(.fail(Self.away), into: [.release])
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(30))
        store.recover()
        let calls = store.calls(of: .release)
        #expect(calls > 0)
        await fleet.spawner.advance(by: .seconds(30))
        #expect(store.calls(of: .release) == calls)
    }

    @Test("C4: a source that fails is left alone also where the store reads but refuses to write")
    func readOnlyStore() async throws {
        let fleet = Fleet(source: .down) { $0.errorBackoff = .seconds(4) }
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.lease, .fill, .fail, .release])
        for _ in 0..<5 { #expect(await errorOf { try await node.value(of: fleet.field) } != nil) }
        #expect(fleet.source.loads == 1)
        await fleet.spawner.advance(by: .seconds(4))
        for _ in 0..<5 { #expect(await errorOf { try await node.value(of: fleet.field) } != nil) }
        #expect(fleet.source.loads == 2)
    }

    @Test("C7: bytes that do not decode do not undo the backoff of a failing source")
    func badBytesAndFailingSource() async throws {
        let fleet = Fleet(source: .down) { $0.errorBackoff = .seconds(4) }
        _ = try await fleet.store.set("agents_list", ByteBuffer(string: "[1]"), options: CacheOptions())
        for node in [try await fleet.node(), try await fleet.node()] {
            for _ in 0..<3 { #expect(await errorOf { try await node.value(of: fleet.field) } != nil) }
        }
        #expect(fleet.source.loads == 1)
    }

    @Test("C6: L1 counts from when the fill was sent, and so never outlives the store's value")
    func slowFill() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("v")) })
        let (node, store) = try await fleet.faultyNode()
        store.inject(.delay(.milliseconds(300)), into: [.fill])
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        let clock = fleet.runClock()
        _ = try await reader.value
        clock.cancel()
        let here = try #require(node.cached(fleet.field.erased)).timeToLive
        guard case .remaining(let there) = try await fleet.store.ttl("agents_list") else {
            Issue.record("nothing is stored")
            return
        }
        #expect(here <= there)
    }

    @Test("C8: an invalidation that the store refuses for good does not hold up the others")
    func refusedInvalidation() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        let hash = Field("hash", ttl: .seconds(9)) { "x" }
        _ = try await fleet.store.hset("hash", ["a": ByteBuffer(string: "b")])
        let refused = await errorOf { try await node.remove(hash) } as? CacheError
        #expect(refused?.code == .storeRejected)
        // Who merely reads has no part in it.
        store.inject(.hang, into: [.lease])
        let refresh = fleet.spawner.task { try await node.refresh(hash) }
        try await waitUntil("the refresh") { store.hangingCalls == 1 }
        let reader = fleet.spawner.task { try await node.value(of: hash) }
        try await waitUntil("the reader") { node.waiters(of: hash.erased) == 2 }
        store.recover()
        #expect((await errorOf { try await refresh.value } as? CacheError)?.code == .storeRejected)
        #expect(try await reader.value == "x")
        await fleet.spawner.settle()
        store.inject(.fail(Self.away), into: [.invalidate])
        #expect(try await node.remove(hash) == .queued)
        #expect(try await node.remove(fleet.field) == .queued)
        store.recover()
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await fleet.store.get("agents_list") == nil)
        #expect(fleet.spawner.sleepers == 0, "nothing is left to be replayed")
    }

    @Test(
        "C8: an invalidation that the store refuses, and that it could serve without, is queued",
        arguments: ["OOM no memory", "NOPERM no", "ERR max daily request limit exceeded"]
    )
    func refusedForNow(text: String) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(CacheError(.storeRejected, text)), into: [.invalidate, .lease])
        #expect(try await node.remove(fleet.field) == .queued)
        #expect(try await node.value(of: fleet.field) == "v2")
        #expect(try await node.refresh(fleet.field).value == "v3")
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await node.value(of: fleet.field) == "v3")
        store.recover()
        await fleet.spawner.advance(by: .seconds(10))
        #expect(try await fleet.store.get("agents_list") == nil)
        await node.shutdown()
    }

    @Test("what a store refuses is asked again less and less often, one thing a round")
    func refusedOften() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.invalidate])
        for number in 0..<5 { #expect(try await node.remove(Field("key\(number)", ttl: .seconds(9)) { 1 }) == .queued) }
        #expect(store.calls(of: .invalidate) == 5)
        // After 1, 3, 7, 15, 25, 35, 45 and 55 seconds.
        await fleet.spawner.advance(by: .seconds(60))
        #expect(store.calls(of: .invalidate) == 13)
        store.recover()
        await fleet.spawner.advance(by: .seconds(10))
        #expect(store.calls(of: .invalidate) == 18)
        #expect(fleet.spawner.sleepers == 0)
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.invalidate])
        #expect(try await node.remove(fleet.field) == .queued)
        store.recover()
        await fleet.spawner.advance(by: .seconds(1))
        #expect(store.calls(of: .invalidate) == 20, "what is refused later is sent as well")
        await node.shutdown()
    }

    @Test(
        "a lease that the store has refused is none to be given up",
        arguments: [
            CacheError(.storeRejected, "NOPERM"), CacheError(.storeUnavailable, "max requests").because(of: .quota),
        ]
    )
    func refusedLease(_ error: CacheError) async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(error), into: [.lease, .release])
        for _ in 0..<10 {
            #expect(try await node.value(of: fleet.field) == "v1")
            await fleet.spawner.advance(by: .seconds(3))
        }
        #expect(store.calls(of: .release) == 0)
        #expect(fleet.spawner.sleepers == 0)
    }

    @Test("what the store never knew is loaded again before the store could forget its removal")
    func neverKnown() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.lease])
        for seconds in stride(from: 0, to: 70, by: 10) {
            #expect(try await node.value(of: fleet.field) == (seconds < 50 ? "v1" : "v2"))
            #expect(await node.state(of: fleet.field.erased).freshness == .fresh, "as readers get it")
            await fleet.spawner.advance(by: .seconds(10))
        }
    }

    @Test(
        "where the store reads but refuses to write, what was loaded is kept to its own end",
        arguments: [[StoreOperation.lease, .release], [.fill, .release]],
        [true, false]
    )
    func keptWithoutFill(refused: [StoreOperation], isKnown: Bool) async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let (node, store) = try await fleet.faultyNode()
        // The key has a generation before the load, or none.
        if isKnown { try await fleet.store.invalidateEntry("agents_list", .remove) }
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: refused)
        for _ in 0..<5 {
            #expect(try await node.value(of: fleet.field) == "v1")
            await fleet.spawner.advance(by: .seconds(10))
        }
        #expect(fleet.source.loads == 1)
        try await fleet.store.invalidateEntry("agents_list", .remove)
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await node.value(of: fleet.field) == "v2", "another node has removed it")
        // By then the store has forgotten whether anything was removed.
        try await fleet.store.invalidateEntry("agents_list", .remove)
        await fleet.spawner.advance(by: .seconds(90))
        #expect(try await node.value(of: fleet.field) == "v3")
        await node.shutdown()
    }

    @Test("what the store gave no leave to load, it gets once it does")
    func storedLater() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeRejected, "OOM")), into: [.lease, .release])
        #expect(try await node.value(of: fleet.field) == "v1")
        store.recover()
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await node.value(of: fleet.field) == "v1", "nobody waits for that")
        try await waitUntil("the store's value") { try await fleet.store.get("agents_list") != nil }
        await fleet.spawner.settle()
        #expect(try await node.value(of: fleet.field) == "v2")
        #expect(fleet.source.loads == 2)
        await node.shutdown()
    }

    @Test("C8: whoever waits for a load whose store hangs by then waits for one time limit of the store, not for two")
    func hangsAtTheEnd() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode()
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        store.inject(.hang)
        fleet.source.end(1, value: "v1")
        try await waitUntil("the fill") { store.hangingCalls == 1 }
        await fleet.spawner.advance(by: .milliseconds(700))
        #expect(try await reader.value == "v1")
        store.recover()
    }

    @Test("C3: nobody waits for loads whose callers have gone while the store hangs")
    func turns() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        store.inject(.hang, into: [.lease])
        for count in 1...2 {
            let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
            try await waitUntil("a lease") { store.hangingCalls == count }
            reader.cancel()
            await #expect(throws: CancellationError.self) { try await reader.value }
        }
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        await fleet.spawner.settle()
        #expect(store.hangingCalls == 3)
        store.recover()
        let clock = fleet.runClock()
        #expect(try await reader.value == "v1")
        clock.cancel()
        await node.shutdown()
    }

    @Test("a store that comes back is not told of leases that it was never asked for")
    func leasesNeverAskedFor() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        #expect(try await node.refresh(fleet.field).value == "v1")
        store.inject(.fail(Self.away))
        for _ in 0..<100 { #expect(try await node.refresh(fleet.field).detail == .cooldown) }
        store.recover()
        await fleet.spawner.advance(by: .seconds(40))
        #expect(store.calls(of: .release) < 30)
        await node.shutdown()
    }

    @Test("what another program has replaced by something of another type is gone, and is loaded by each process")
    func anotherType() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let nodes = [try await fleet.node(), try await fleet.node()]
        for node in nodes { #expect(try await node.value(of: fleet.field) == "v1") }
        try await fleet.writeHash()
        for _ in 0..<3 {
            await fleet.spawner.advance(by: .seconds(3))
            #expect(try await nodes[0].value(of: fleet.field) == "v2")
            #expect(try await nodes[1].value(of: fleet.field) == "v3")
        }
        #expect(try await fleet.store.hget("agents_list", "a") != nil)
        _ = try await fleet.store.del(["agents_list"])
        await fleet.spawner.advance(by: .seconds(3))
        for node in nodes { #expect(try await node.value(of: fleet.field) == "v4") }
    }

    @Test("what was replaced by something of another type while the store was away is gone, too")
    func anotherTypeMeanwhile() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let (node, store) = try await fleet.faultyNode()
        #expect(try await node.value(of: fleet.field) == "v1")
        store.inject(.fail(Self.away))
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await node.value(of: fleet.field) == "v1")
        try await fleet.writeHash()
        store.recover()
        await fleet.spawner.advance(by: .seconds(30))
        #expect(try await node.value(of: fleet.field) == "v2")
    }

    @Test("what was replaced by something of another type answers no reader while a forced load goes on")
    func anotherTypeForced() async throws {
        let fleet = Fleet(ttl: .seconds(600)) { $0.staleWhileRevalidate = .seconds(600) }
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        #expect(try await first.value == "v1")
        try await fleet.writeHash()
        await fleet.spawner.settle()
        let refresh = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        for _ in 0..<5 { await fleet.spawner.advance(by: .seconds(1)) }
        fleet.source.end(2, value: "v2")
        #expect(try await reader.value == "v2")
        #expect((await errorOf { try await refresh.value } as? CacheError)?.code == .storeRejected)
    }

    @Test(
        "what a key of another type is refused with is thrown to whoever forces a load, or logged where the load fails",
        arguments: [false, true]
    )
    func anotherTypeIsSaid(isDown: Bool) async throws {
        let fleet = Fleet(source: isDown ? .down : .counting)
        let logs = RecordedLogs()
        let node = try await fleet.node(logger: logs.logger)
        try await fleet.writeHash()
        let error = await errorOf { try await node.refresh(fleet.field) } as? CacheError
        #expect(error?.code == (isDown ? .sourceFailed : .storeRejected))
        let said = logs.entries.filter { $0.level > .info }.map { $0.metadata["cache.operation"] }
        #expect(said == (isDown ? ["lease"] : []))
    }

    @Test(
        "C3: a lease that is granted after its flight was given up, or after the store's time limit, is given back then",
        arguments: [true, false]
    )
    func grantedLate(isCancelled: Bool) async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        store.inject(.hang, into: [.lease])
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await waitUntil("the request") { store.hangingCalls == 1 }
        if isCancelled {
            reader.cancel()
            #expect(await errorOf { try await reader.value } is CancellationError)
            await fleet.spawner.settle()
        } else {
            await fleet.spawner.advance(by: .milliseconds(600))
            #expect(try await reader.value == "v1")
        }
        store.recover()
        await fleet.spawner.advance(by: isCancelled ? .zero : .seconds(1))
        let other = try await fleet.node()
        let next = fleet.spawner.task { try await other.value(of: fleet.field) }
        try await waitUntil("the load") { fleet.source.loads == (isCancelled ? 1 : 2) }
        #expect(try await next.value == (isCancelled ? "v1" : "v2"))
    }

    @Test("C5: what ends while a slow store is told of a failure is not served after it")
    func endsMeanwhile() async throws {
        let fleet = Fleet(ttl: .seconds(1)) { $0.staleIfError = .seconds(2) }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load("v1", on: node)
        await fleet.spawner.advance(by: .milliseconds(2900))
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        store.inject(.hang, into: [.fail])
        fleet.source.end(2, .failure(SourceIsDown()))
        try await waitUntil("the call") { store.hangingCalls == 1 }
        await fleet.spawner.advance(by: .milliseconds(300))
        store.recover()
        #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceFailed)
    }

    @Test("what another node has loaded since replaces what the store was not given")
    func replacedByAnother() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(600))
        let store = FaultyStore(fleet.store)
        let (a, b) = (try await fleet.node(store), try await fleet.node())
        store.inject(.fail(Self.away), into: [.fill, .release])
        #expect(try await a.value(of: fleet.field) == "v1")
        store.recover()
        await fleet.spawner.advance(by: .seconds(3))
        #expect(try await b.value(of: fleet.field) == "v2")
        #expect(try await a.value(of: fleet.field) == "v2")
        await a.shutdown()
    }
}

extension Fleet {
    /// Moves the clock on until the task is cancelled.
    func runClock() -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                await spawner.advance(by: .milliseconds(10))
                await Task.yield()
            }
        }
    }
}
