import FreshetTesting
import TestSupport
import Testing

@testable import Freshet

@Suite("Forced refresh", .timeLimit(.minutes(1)))
struct ForcedRefreshTests {
    @Test("never answers with what was loaded before it was asked for")
    func fresh() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node()
        #expect(try await node.value(of: fleet.field) == "v1")
        let forced = try await node.read(fleet.field, forceRefresh: true)
        #expect((forced.value, forced.status, forced.isStored, forced.detail) == ("v2", .refreshed, true, nil))
        #expect(try await node.read(fleet.field).status == .hit)
        #expect(fleet.source.contexts.map(\.isForced) == [false, true])
    }

    @Test("within the cooldown, on every node, the forced load that began answers")
    func cooldown() async throws {
        let fleet = Fleet(source: .counting)
        let a = try await fleet.node()
        let b = try await fleet.node()
        #expect(try await a.refresh(fleet.field).value == "v1")
        await fleet.spawner.advance(by: .milliseconds(4_999))
        for node in [a, b] {
            let forced = try await node.refresh(fleet.field)
            #expect((forced.value, forced.status, forced.detail) == ("v1", .refreshed, .cooldown))
        }
        await fleet.spawner.advance(by: .milliseconds(1))
        let next = try await b.refresh(fleet.field)
        #expect((next.value, next.detail) == ("v2", nil))
    }

    @Test("at most one load runs and one waits, however many ask")
    func queue() async throws {
        let fleet = Fleet { $0.minRefreshInterval = .zero }
        let node = try await fleet.node()
        let first = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(1))
        let others = (0..<50).map { _ in fleet.spawner.task { try await node.refresh(fleet.field).value } }
        try await waitUntil("the queue") { node.waiters(of: fleet.field.erased) == 51 }
        #expect(fleet.source.loads == 1)
        fleet.source.end(1, value: "v1")
        #expect(try await first.value == "v1")
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        for other in others { #expect(try await other.value == "v2") }
        #expect(fleet.source.loads == 2)
    }

    @Test("if the load fails, the caller gets the error and readers what there was", arguments: [false, true])
    func failure(purge: Bool) async throws {
        let fleet = Fleet { $0.minRefreshInterval = .zero }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        let error = await errorOf { try await node.refresh(fleet.field, purge: purge) } as? CacheError
        #expect(error?.code == .sourceFailed)
        if purge {
            #expect(await errorOf { try await node.read(fleet.field) } != nil)
        } else {
            let reading = try await node.read(fleet.field)
            #expect((reading.value, reading.status, reading.detail) == ("v1", .stale, .sourceFailed))
        }
    }

    @Test("readers of a stale value are not held up by it, on this node or another, however long it takes")
    func readersMeanwhile() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let nodes = [try await fleet.node(), try await fleet.node()]
        try await fleet.load(1, on: nodes[0])
        let forced = fleet.spawner.task { try await nodes[0].refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        for second in 0..<29 {
            for node in nodes {
                let stale = try #require(await fleet.promptRead(on: node), "at \(second)")
                #expect((stale.value, stale.status, stale.age) == ("v1", .stale, .seconds(second)))
            }
            await fleet.spawner.advance(by: .seconds(1))
        }
        #expect(fleet.source.loads == 2)
        fleet.source.end(2, value: "v2")
        #expect(try await forced.value == "v2")
        #expect(try await nodes[0].read(fleet.field).value == "v2")
    }

    @Test(
        "readers wait for it where the value was removed, or is not to be served while it is loaded",
        arguments: [true, false]
    )
    func readersWait(purge: Bool) async throws {
        let fleet = Fleet { if purge { $0.staleWhileRevalidate = .seconds(30) } }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        let forced = fleet.spawner.task { try await node.refresh(fleet.field, purge: purge).value }
        try await fleet.source.waitForLoads(2)
        let reader = fleet.spawner.task { try await node.read(fleet.field).value }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 2 }
        await fleet.spawner.advance(by: .seconds(20))
        #expect(node.waiters(of: fleet.field.erased) == 2)
        fleet.source.end(2, value: "v2")
        #expect(try await reader.value == "v2")
        #expect(try await forced.value == "v2")
    }

    @Test("C1: a removal during it leaves readers nothing of what there was")
    func removedMeanwhile() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let (a, b) = (try await fleet.node(), try await fleet.node())
        try await fleet.load(1, on: a)
        let forced = fleet.spawner.task { try await a.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        #expect(try await a.read(fleet.field).value == "v1")
        try await b.remove(fleet.field)
        // No backplane tells: what is held is believed no longer than two seconds.
        await fleet.spawner.advance(by: .seconds(2))
        let reader = fleet.spawner.task { try await a.read(fleet.field) }
        try await waitUntil("the reader") { a.waiters(of: fleet.field.erased) == 2 }
        await fleet.spawner.advance(by: .seconds(1))
        #expect(a.waiters(of: fleet.field.erased) == 2)
        fleet.source.end(2, value: "v2")
        _ = try await (forced.value, reader.value)
        #expect(a.cached(fleet.field.erased) == nil)
    }

    @Test("C1: what was removed between the look into the store and the lease is no answer when the load fails")
    func removedBeforeTheLease() async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(61))
        store.inject(.hang, into: [.lease])
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the lease") { store.hangingCalls == 1 }
        try await fleet.store.invalidateEntry("agents_list", .remove)
        store.recover()
        try await fleet.source.waitForLoads(2)
        #expect(fleet.source.contexts.last?.etag == nil)
        fleet.source.end(2, .failure(SourceIsDown()))
        let error = await #expect(throws: CacheError.self) { try await reader.value }
        #expect(error?.code == .sourceFailed)
    }

    @Test("at the soft deadline readers get what there is")
    func softDeadline() async throws {
        let fleet = Fleet { $0.softDeadline = .seconds(3) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 2 }
        await fleet.spawner.advance(by: .seconds(3))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 1 }
        #expect(try await reader.value.value == "v1")
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        fleet.source.end(2, value: "v2")
        #expect(try await forced.value == "v2")
    }

    @Test("readers of a stale value are not held up by it while the store is away, either")
    func readersMeanwhileWithoutStore() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load(1, on: node)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        for _ in 0..<10 {
            #expect(await fleet.promptRead(on: node)?.value == "v1")
            await fleet.spawner.advance(by: .seconds(1))
        }
        fleet.source.end(2, value: "v2")
        #expect(try await forced.value == "v2")
    }

    @Test("C3: nobody waits for it any more: it is given up, though there is something stale")
    func leaving() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(2)
        forced.cancel()
        #expect(await errorOf { try await forced.value } is CancellationError)
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [2] }
        fleet.source.end(2, value: "late")
    }

    @Test("on another node it takes the load away from whoever has it")
    func elsewhere() async throws {
        let fleet = Fleet()
        let a = try await fleet.node()
        let b = try await fleet.node()
        let loading = fleet.spawner.task { try await b.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        let forced = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "new")
        #expect(try await forced.value.value == "new")
        fleet.source.end(1, value: "old")
        #expect(try await loading.value.isStored == false)
        #expect(try await b.value(of: fleet.field) == "new")
    }
}
