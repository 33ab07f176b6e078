import FreshetTesting
import NIOCore
import TestSupport
import Testing

@testable import Freshet

@Suite("Loads that the store refuses", .timeLimit(.minutes(1)))
struct RefusedLoadTests {
    private enum Change: CaseIterable { case expire, remove, write }

    @Test(
        "C1: a load that was overtaken elsewhere answers nobody who came when L1's trust was over",
        arguments: Change.allCases
    )
    private func late(change: Change) async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(2))
        let second = fleet.spawner.task { try await b.read(fleet.field) }
        try await waitUntil("the second reader") { b.waiters(of: fleet.field.erased) == 2 }
        switch change {
        case .expire: try await a.expire(fleet.field)
        case .remove: try await a.remove(fleet.field)
        case .write:
            try await fleet.write("theirs")
        }
        await fleet.spawner.advance(by: .milliseconds(1))
        let third = fleet.spawner.task { try await b.read(fleet.field) }
        let younger = fleet.spawner.task { try await b.read(fleet.field, maxAge: .seconds(1)) }
        try await waitUntil("the later readers") { b.waiters(of: fleet.field.erased) == 4 }
        fleet.source.end(1, value: "old")
        for reader in [first, second] {
            let reading = try await reader.value
            #expect((reading.value, reading.isStored) == ("old", false))
        }
        if change == .write {
            for reader in [third, younger] { #expect(try await reader.value.value == "theirs") }
        } else {
            try await fleet.source.waitForLoads(2)
            fleet.source.end(2, value: "new")
            for reader in [third, younger] {
                let reading = try await reader.value
                #expect((reading.value, reading.isStored) == ("new", true))
            }
        }
        #expect(fleet.source.loads == (change == .write ? 1 : 2))
    }

    @Test("C1: a load without a lease is believed no longer than from its beginning, and answers nobody who came later")
    func withoutLease() async throws {
        let fleet = Fleet()
        let (a, (b, store)) = (try await fleet.node(), try await fleet.faultyNode())
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        let first = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        store.recover()
        try await a.remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(3))
        let late = fleet.spawner.task { try await b.read(fleet.field) }
        try await waitUntil("the late reader") { b.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(1, value: "old")
        #expect(try await first.value.value == "old")
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "new")
        #expect(try await late.value.value == "new")
        #expect(try await b.read(fleet.field).value == "new")
    }

    @Test(
        "C2: a load whose lease a forced one took away before it was heard of does not begin",
        arguments: [false, true]
    )
    func lostLease(isScheduled: Bool) async throws {
        let fleet = Fleet { $0.refreshEvery = isScheduled ? .every(.seconds(1)) : nil }
        let (node, store) = try await fleet.faultyNode()
        store.inject(.delayAfterwards(.milliseconds(300)), into: [.lease])
        var reader: Task<FieldRead<String>, any Error>?
        if isScheduled {
            node.schedule.start()
            for _ in 0..<40 where store.calls(of: .lease) == 0 { await fleet.spawner.advance(by: .milliseconds(50)) }
        } else {
            reader = fleet.spawner.task { try await node.read(fleet.field) }
        }
        try await waitUntil("the lease") { store.calls(of: .lease) == 1 }
        store.recover()
        let forced = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .milliseconds(300))
        try #require(fleet.source.loads == 1)
        fleet.source.end(1, value: "forced")
        #expect(try await forced.value.value == "forced")
        await fleet.spawner.advance(by: .milliseconds(500))
        if let reader { #expect(try await reader.value.value == "forced") }
        await node.shutdown()
    }

    @Test(
        "C1: a load that is not to be kept, and was overtaken elsewhere, answers nobody who came too late for L1's trust",
        arguments: [false, true]
    )
    func uncacheable(isForced: Bool) async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.read(fleet.field, forceRefresh: isForced) }
        try await fleet.source.waitForLoads(1)
        try await a.remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(3))
        let late = fleet.spawner.task { try await b.read(fleet.field, forceRefresh: isForced) }
        try await waitUntil("the late reader") { b.waiters(of: fleet.field.erased) == 2 }
        var details = LoadDetails()
        details.isCacheable = false
        fleet.source.end(1, .success(.value("old", details)))
        #expect(try await first.value.value == "old")
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "new")
        #expect(try await late.value.value == "new")
    }

    @Test("a load that is not to be kept, and was overtaken elsewhere, leaves what is newer", arguments: [false, true])
    func uncacheableBesideNewer(isForced: Bool) async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (a, b) = (try await fleet.node(), try await fleet.node())
        try await fleet.load("old", on: b)
        await fleet.spawner.advance(by: .seconds(60))
        let reader = fleet.spawner.task { try await b.read(fleet.field, forceRefresh: isForced) }
        try await fleet.source.waitForLoads(2)
        try await a.expire(fleet.field)
        try await fleet.load("newer", on: a)
        fleet.source.end(2, .success(.value("once", LoadDetails(isCacheable: false))))
        #expect(try await reader.value.value == "once")
        #expect(try await fleet.store.get("agents_list") == ByteBuffer(string: "\"newer\""))
    }

    @Test("C1: what such a load makes obsolete goes later, where the store does not take it now")
    func uncacheableLater() async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load("old", on: node)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.drop, .invalidate])
        let reader = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .success(.value("once", LoadDetails(isCacheable: false))))
        #expect(try await reader.value == "once")
        store.recover()
        await fleet.spawner.advance(by: .seconds(20))
        let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60)))
        #expect((snapshot.content, snapshot.leaseFor) == (.gone, nil))
    }

    @Test("nothing newer goes with that, whether or not the store has taken it before", arguments: [false, true])
    func uncacheableLaterBesideNewer(isTaken: Bool) async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (elsewhere, (node, store)) = (try await fleet.node(), try await fleet.faultyNode())
        try await fleet.load("old", on: node)
        let error = CacheError(.storeUnavailable, "away")
        store.inject(isTaken ? .failAfterwards(error) : .fail(error), into: [.drop])
        let reader = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .success(.value("once", LoadDetails(isCacheable: false))))
        #expect(try await reader.value == "once")
        try await elsewhere.expire(fleet.field)
        try await fleet.load("newer", on: elsewhere)
        store.recover()
        await fleet.spawner.advance(by: .seconds(20))
        #expect(try await fleet.store.get("agents_list") == ByteBuffer(string: "\"newer\""))
        #expect(store.calls(of: .drop) == 2)
    }

    @Test("C1: what there was before a load that failed goes to nobody who came when L1's trust was over")
    func failed() async throws {
        let fleet = Fleet(ttl: .seconds(1)) { $0.staleIfError = .seconds(3600) }
        let (a, b) = (try await fleet.node(), try await fleet.node())
        try await fleet.load("removed", on: b)
        await fleet.spawner.advance(by: .seconds(2))
        let first = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        try await a.remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(3))
        let late = fleet.spawner.task { try await b.read(fleet.field) }
        try await waitUntil("the late reader") { b.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(2, .failure(SourceIsDown()))
        #expect(try await first.value.value == "removed")
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, value: "new")
        #expect(try await late.value.value == "new")
    }

    @Test(
        "C5: a reader whose load was overtaken and fails gets what another node has brought since",
        arguments: [true, false]
    )
    func failedBesideAnother(isTold: Bool) async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await a.remove(fleet.field)
        if isTold { try await b.remove(fleet.field) }
        let other = fleet.spawner.task { try await a.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "theirs")
        _ = try await other.value
        fleet.source.end(1, .failure(SourceIsDown()))
        let reading = try await first.value
        #expect((reading.value, reading.status, reading.tier) == ("theirs", .hit, .l2))
        #expect(try await b.read(fleet.field).value == "theirs")
    }

    @Test("C5: a reader whose load gets no leave after a failure gets what the store has kept of an expired value")
    func refusedLeave() async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (a, b, c) = (try await fleet.node(), try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await a.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        let sleepers = fleet.spawner.sleepers
        let waiting = fleet.spawner.task { try await b.read(fleet.field) }
        try await waitUntil("the wait for the lease") { fleet.spawner.sleepers > sleepers }
        fleet.source.end(1, value: "v1")
        _ = try await first.value
        try await b.expire(fleet.field)
        let forced = fleet.spawner.task { try await c.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, .failure(SourceIsDown()))
        _ = await errorOf { try await forced.value }
        await fleet.spawner.advance(by: .seconds(1))
        let reading = try await waiting.value
        #expect((reading.value, reading.status, reading.detail) == ("v1", .stale, .sourceFailed))
        #expect(fleet.source.loads == 2)
    }

    @Test("C6: what a fill took on its way counts to the value's age on every node")
    func lateFill() async throws {
        let fleet = Fleet()
        let (a, (b, store)) = (try await fleet.node(), try await fleet.faultyNode())
        let loading = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        store.inject(.delay(.milliseconds(400)), into: [.fill])
        await fleet.spawner.advance(by: .seconds(1))
        let sleepers = fleet.spawner.sleepers
        fleet.source.end(1, value: "v1")
        try await waitUntil("the fill") { fleet.spawner.sleepers > sleepers }
        await fleet.spawner.advance(by: .milliseconds(400))
        _ = try await loading.value
        #expect(try await a.read(fleet.field).age == .milliseconds(400))
    }

    @Test(
        "C1: a forced load that was overtaken elsewhere answers nobody who came later, not even another forced refresh"
    )
    func forced() async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await a.remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(3))
        let second = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await waitUntil("the second") { b.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(1, value: "old")
        #expect(try await first.value.value == "old")
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "new")
        #expect(try await second.value.value == "new")
    }
}
