import FreshetTesting
import Logging
import TestSupport
import Testing

@testable import Freshet

@Suite("Forced refreshes beside another node's", .timeLimit(.minutes(1)))
struct ForcedLoadElsewhereTests {
    @Test("who comes too late for another node's forced load has one that begins afterwards")
    func tooLate() async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(4))
        let second = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await waitUntil("the wait for the lease") { fleet.spawner.sleepers == 2 }
        await fleet.spawner.advance(by: .seconds(4))
        let third = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await waitUntil("the third") { a.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(1, value: "v1")
        #expect(try await first.value.value == "v1")
        await fleet.spawner.advance(by: .seconds(1))
        let answer = try await second.value
        #expect((answer.value, answer.detail) == ("v1", .cooldown))
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        let late = try await third.value
        #expect((late.value, late.detail) == ("v2", nil))
    }

    @Test("who comes in time for it is answered by it")
    func inTime() async throws {
        let fleet = Fleet()
        let (a, b) = (try await fleet.node(), try await fleet.node())
        let first = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(1))
        let second = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await waitUntil("the wait for the lease") { fleet.spawner.sleepers == 2 }
        await fleet.spawner.advance(by: .seconds(3))
        let third = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await waitUntil("the third") { a.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(1, value: "v1")
        await fleet.spawner.advance(by: .seconds(1))
        for waiting in [first, second, third] { #expect(try await waiting.value.value == "v1") }
        #expect(fleet.source.loads == 1)
    }

    @Test("C1: where nothing answers it after all, it loads, and an invalidation overtakes that load as any other")
    func invalidatedMeanwhile() async throws {
        let fleet = Fleet()
        let (a, b, c) = (try await fleet.node(), try await fleet.node(), try await fleet.node())
        let waiting = try await Self.waitForAForcedLoad(fleet, a, b, c)
        try await a.expire(fleet.field)
        await fleet.spawner.advance(by: .seconds(1))
        try await fleet.source.waitForLoads(3)
        try await a.expire(fleet.field)
        fleet.source.end(3, value: "v3")
        let answer = try await waiting.value
        #expect((answer.value, answer.isStored) == ("v3", false))
        let reader = fleet.spawner.task { try await c.value(of: fleet.field) }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        #expect(try await reader.value == "v4")
    }

    @Test("C1: where the store goes away while it waits, it loads, and the store is told later")
    func awayMeanwhile() async throws {
        let fleet = Fleet()
        let store = FaultyStore(fleet.store)
        let (a, b, c) = (try await fleet.node(), try await fleet.node(), try await fleet.node(store))
        let waiting = try await Self.waitForAForcedLoad(fleet, a, b, c)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        await fleet.spawner.advance(by: .seconds(1))
        try await fleet.source.waitForLoads(3)
        let reader = fleet.spawner.task { try await c.value(of: fleet.field) }
        try await waitUntil("the reader") { c.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(3, value: "v3")
        let answer = try await waiting.value
        #expect((answer.value, answer.detail) == ("v3", .queued))
        #expect(try await reader.value == "v3")
        #expect(try await c.value(of: fleet.field) == "v3")
        store.recover()
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60))).freshFor <= .zero)
    }

    @Test("a purge that waited for a forced load which came to nothing removes after all")
    func purgedAfterAll() async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (a, b) = (try await fleet.node(), try await fleet.node())
        try await fleet.load("v1", on: a)
        let forced = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        let sleepers = fleet.spawner.sleepers
        let purge = fleet.spawner.task { try await b.refresh(fleet.field, purge: true) }
        try await waitUntil("the wait for the lease") { fleet.spawner.sleepers > sleepers }
        forced.cancel()
        _ = await errorOf { try await forced.value }
        await fleet.spawner.advance(by: .seconds(1))
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, .failure(SourceIsDown()))
        #expect((await errorOf { try await purge.value } as? CacheError)?.code == .sourceFailed)
        #expect(try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60))).content == .gone)
    }

    /// Two hold "v1". A third one forces a load, for which the second's forced refresh waits.
    private static func waitForAForcedLoad(
        _ fleet: Fleet,
        _ a: FieldCache,
        _ b: FieldCache,
        _ c: FieldCache
    ) async throws -> Task<FieldRead<String>, any Error> {
        try await fleet.load("v1", on: a)
        #expect(try await c.value(of: fleet.field) == "v1")
        _ = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        let sleepers = fleet.spawner.sleepers
        let waiting = fleet.spawner.task { try await c.refresh(fleet.field) }
        try await waitUntil("the wait for the lease") { fleet.spawner.sleepers > sleepers }
        return waiting
    }

    @Test("within the cooldown what a forced load brought answers, though another load has the lease by then")
    func besideALoad() async throws {
        for answer in [LoadResult.value("v1"), .absent] {
            let fleet = Fleet { $0.negativeTTL = .seconds(60) }
            let (a, b, c) = (try await fleet.node(), try await fleet.node(), try await fleet.node())
            let first = fleet.spawner.task { try await a.refresh(fleet.field) }
            try await fleet.source.waitForLoads(1)
            fleet.source.end(1, .success(answer))
            _ = await first.result
            await fleet.spawner.advance(by: .seconds(1))
            let reader = fleet.spawner.task { try await b.read(fleet.field, maxAge: .milliseconds(1)) }
            try await fleet.source.waitForLoads(2)
            let second = fleet.spawner.task { try await c.refresh(fleet.field) }
            await fleet.spawner.settle()
            #expect(c.waiters(of: fleet.field.erased) == 0, "the other load is not waited for")
            fleet.source.end(2, value: "v2")
            #expect(try await reader.value.value == "v2")
            await fleet.spawner.advance(by: .seconds(1))
            if case .value = answer {
                let reading = try await second.value
                #expect((reading.value, reading.detail) == ("v1", .cooldown))
            } else {
                #expect((await errorOf { try await second.value } as? CacheError)?.code == .absent)
            }
        }
    }

    @Test("within the cooldown an absence answers on every node, though readers are not told of it")
    func absence() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.absent) })
        let nodes = [try await fleet.node(), try await fleet.node()]
        for second in 0..<5 {
            for node in nodes {
                let error = await errorOf { try await node.refresh(fleet.field) } as? CacheError
                #expect(error?.code == .absent, "after \(second) seconds")
            }
            await fleet.spawner.advance(by: .seconds(1))
        }
        #expect(fleet.source.loads == 1)
        _ = await errorOf { try await nodes[1].refresh(fleet.field) }
        #expect(fleet.source.loads == 2)
        await fleet.spawner.advance(by: .milliseconds(1))
        _ = await errorOf { try await nodes[1].read(fleet.field) }
        #expect(fleet.source.loads == 3, "a reader asks the source")
    }

    @Test("an absence answers those, too, who came while it was loaded; but not those of them who only read")
    func absenceMeanwhile() async throws {
        let fleet = Fleet()
        let nodes = [try await fleet.node(), try await fleet.node(), try await fleet.node()]
        var refreshes = [fleet.spawner.task { try await nodes[0].refresh(fleet.field) }]
        try await fleet.source.waitForLoads(1)
        for node in nodes.dropFirst() { refreshes.append(fleet.spawner.task { try await node.refresh(fleet.field) }) }
        try await waitUntil("the waits for the lease") { fleet.spawner.sleepers == 3 }
        let reader = fleet.spawner.task { try await nodes[1].read(fleet.field) }
        try await waitUntil("the reader") { nodes[1].waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(1, .success(.absent))
        for (number, refresh) in refreshes.enumerated() {
            if number == 1 { await fleet.spawner.advance(by: .seconds(1)) }
            #expect((await errorOf { try await refresh.value } as? CacheError)?.code == .absent)
        }
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await reader.value.value == "v2")
    }

    @Test("an absence answers those who came while it was loaded, however long that took")
    func absenceAfterALongLoad() async throws {
        let fleet = Fleet()
        let nodes = [try await fleet.node(), try await fleet.node(), try await fleet.node()]
        let first = fleet.spawner.task { try await nodes[0].refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await fleet.spawner.advance(by: .seconds(3))
        let others = nodes.dropFirst().map { node in fleet.spawner.task { try await node.refresh(fleet.field) } }
        try await waitUntil("the waits for the lease") { fleet.spawner.sleepers == 3 }
        await fleet.spawner.advance(by: .seconds(5))
        fleet.source.end(1, .success(.absent))
        #expect((await errorOf { try await first.value } as? CacheError)?.code == .absent)
        await fleet.spawner.advance(by: .seconds(1))
        for other in others { #expect((await errorOf { try await other.value } as? CacheError)?.code == .absent) }
        #expect(fleet.source.loads == 1)
    }

    @Test(
        "C4: a forced load answers those who force one meanwhile, though it fails or the store is away",
        arguments: [true, false]
    )
    func oneForAll(fails: Bool) async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        let warm = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        _ = try await warm.value
        if !fails { store.inject(.fail(CacheError(.storeUnavailable, "away"))) }
        var refreshes = [fleet.spawner.task { try await node.refresh(fleet.field) }]
        try await fleet.source.waitForLoads(2)
        await fleet.spawner.advance(by: .seconds(3))
        refreshes.append(fleet.spawner.task { try await node.refresh(fleet.field) })
        try await waitUntil("the second") { node.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(2, fails ? .failure(SourceIsDown()) : .success(.value("v2")))
        for refresh in refreshes {
            if fails {
                #expect((await errorOf { try await refresh.value } as? CacheError)?.code == .sourceFailed)
            } else {
                #expect(try await refresh.value.value == "v2")
            }
        }
        #expect(fleet.source.loads == 2)
        store.recover()
        await node.shutdown()
    }

    @Test("a forced load that was given up answers nobody with a failure from before, the store away or not")
    func givenUp() async throws {
        let fleet = Fleet(source: .down)
        let (node, store) = try await fleet.faultyNode()
        _ = await errorOf { try await node.read(fleet.field) }
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        fleet.source.holdFromNowOn()
        let first = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        first.cancel()
        fleet.source.end(2, .failure(CancellationError()))
        _ = await errorOf { try await first.value }
        try await waitUntil("the end of the load") { node.waiters(of: fleet.field.erased) == 0 }
        await fleet.spawner.settle()
        fleet.source.answerFromNowOn { .success(.value("v\($0)")) }
        #expect(try await node.refresh(fleet.field).value == "v3")
        store.recover()
        await node.shutdown()
    }

    @Test(
        "a forced load that another node gave up, or that was invalidated since, answers nobody with an old failure",
        arguments: [true, false]
    )
    func givenUpElsewhere(isCancelled: Bool) async throws {
        let fleet = Fleet(source: .down)
        let (a, b) = (try await fleet.node(), try await fleet.node())
        _ = await errorOf { try await a.read(fleet.field) }
        await fleet.spawner.advance(by: .seconds(60))
        fleet.source.holdFromNowOn()
        let first = fleet.spawner.task { try await a.refresh(fleet.field) }
        try await fleet.source.waitForLoads(2)
        let second = fleet.spawner.task { try await b.refresh(fleet.field) }
        try await waitUntil("the wait for the lease") { b.waiters(of: fleet.field.erased) == 1 }
        await fleet.spawner.settle()
        fleet.source.answerFromNowOn { .success(.value("v\($0)")) }
        if isCancelled {
            first.cancel()
            fleet.source.end(2, .failure(CancellationError()))
        } else {
            try await fleet.node().expire(fleet.field)
        }
        let clock = fleet.runClock()
        defer { clock.cancel() }
        #expect(try await second.value.value == "v3")
        if !isCancelled { fleet.source.end(2, value: "v2") }
        _ = await first.result
    }

    @Test("a load is forced, though whoever forced it has gone, as long as it answers others who do")
    func forcerLeft() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode()
        store.inject(.hang)
        let forcer = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await waitUntil("the refresh") { node.waiters(of: fleet.field.erased) == 1 }
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 2 }
        forcer.cancel()
        _ = await errorOf { try await forcer.value }
        store.recover()
        let clock = fleet.runClock()
        try await fleet.source.waitForLoads(1)
        clock.cancel()
        await clock.value
        fleet.source.end(1, value: "v1")
        _ = try await reader.value
        #expect(fleet.source.contexts[0].isForced)
    }

    @Test("an invalidation ends the cooldown, without the store, too", arguments: [Invalidation.expire, .remove])
    func invalidated(invalidation: Invalidation) async throws {
        let fleet = Fleet(source: .down)
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        for _ in 0..<2 { #expect(await errorOf { try await node.refresh(fleet.field) } != nil) }
        #expect(fleet.source.loads == 1)
        fleet.source.answerFromNowOn { .success(.value("v\($0)")) }
        _ = invalidation == .expire ? try await node.expire(fleet.field) : try await node.remove(fleet.field)
        #expect(try await node.refresh(fleet.field).value == "v2")
        // What waits for the store is sent at the end.
        store.recover()
        await node.shutdown()
    }
}
