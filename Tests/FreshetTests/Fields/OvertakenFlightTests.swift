import FreshetTesting
import TestSupport
import Testing

@testable import Freshet

/// Loads that were overtaken, and hang, hold up nobody who may have a stale value.
@Suite("Overtaken flights", .timeLimit(.minutes(1)))
struct OvertakenFlightTests {
    @Test("C3: a load that was overtaken and that nobody waits for ends; it holds up no reader and no forced refresh")
    func abandoned() async throws {
        let fleet = Fleet(source: ControlledSource(heedsCancellation: true)) { $0.staleWhileRevalidate = .seconds(30) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        for number in 2...4 {
            if number > 2 { try await node.expire(fleet.field) }
            #expect(await fleet.promptRead(on: node)?.status == .stale)
            try await fleet.source.waitForLoads(number)
        }
        try await waitUntil("the loads' cancellation") { fleet.source.cancelled == [2, 3] }
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(5)
        fleet.source.end(5, value: "v5")
        #expect(try await forced.value == "v5")
        #expect(fleet.source.cancelled == [2, 3, 4])
        #expect(try await node.value(of: fleet.field) == "v5")
    }

    /// A node with an old "v1", of which two loads go on that have been overtaken, each with somebody who waits for it.
    private func busyNode(of fleet: Fleet) async throws -> (FieldCache, [Task<FieldRead<String>, any Error>]) {
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        var waiting: [Task<FieldRead<String>, any Error>] = []
        for number in 2...3 {
            waiting.append(fleet.spawner.task { try await node.read(fleet.field, maxAge: .zero) })
            try await fleet.source.waitForLoads(number)
            try await node.expire(fleet.field)
        }
        return (node, waiting)
    }

    @Test("C5: readers whose flight waits for its turn get what is stale, and nothing that has been removed")
    func queued() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let (node, waiting) = try await busyNode(of: fleet)
        for _ in 0..<2 {
            for _ in 0..<2 { #expect(await fleet.promptRead(on: node)?.status == .stale) }
            try await node.expire(fleet.field)
        }
        #expect(fleet.source.loads == 3)
        #expect(fleet.source.cancelled.isEmpty)
        try await node.remove(fleet.field)
        let late = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await waitUntil("the late reader") { node.waiters(of: fleet.field.erased) == 3 }
        await fleet.spawner.settle()
        #expect(node.waiters(of: fleet.field.erased) == 3)
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for (number, reader) in zip(2..., waiting) { #expect(try await reader.value.value == "v\(number)") }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        #expect(try await late.value == "v4")
    }

    @Test("C5: at the soft deadline they get what there is")
    func queuedUntilSoftDeadline() async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(2)
        }
        let (node, waiting) = try await busyNode(of: fleet)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 3 }
        await fleet.spawner.advance(by: .seconds(2))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 2 }
        #expect(try await reader.value.status == .stale)
        try await node.expire(fleet.field)
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for (number, reader) in zip(2..., waiting) { #expect(try await reader.value.value == "v\(number)") }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        try await waitUntil("the new value") { try await node.value(of: fleet.field) == "v4" }
    }

    @Test(
        "C1: readers in the queue do not get what another node or program has replaced since the store confirmed it",
        arguments: [false, true]
    )
    func replacedWhileQueued(isForeign: Bool) async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let (node, waiting) = try await busyNode(of: fleet)
        // Later than what is told when a value has come to its end.
        await fleet.spawner.advance(by: .seconds(1))
        #expect(await fleet.promptRead(on: node)?.value == "v1")
        if isForeign {
            try await fleet.write("new")
            node.desk.tellWritten("agents_list")
        } else {
            let elsewhere = try await fleet.node()
            let loading = fleet.spawner.task { try await elsewhere.read(fleet.field, maxAge: .zero) }
            try await fleet.source.waitForLoads(4)
            fleet.source.end(4, value: "new")
            #expect(try await loading.value.value == "new")
            let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60)))
            let generation = try #require(snapshot.generation)
            node.desk.tell("agents_list", generation, isInvalidation: false) {
                $0.suspect("agents_list", unlessLoadedUnder: nil)
            }
        }
        #expect(await fleet.promptRead(on: node)?.value == "new")
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for (number, reader) in zip(2..., waiting) { #expect(try await reader.value.value == "v\(number)") }
        #expect(try await node.value(of: fleet.field) == "new")
        #expect(fleet.source.loads == (isForeign ? 3 : 4))
    }

    @Test(
        "C1: at the soft deadline readers in the queue get nothing that was removed elsewhere; in their turn, what there is"
    )
    func removedWhileQueued() async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(1)
        }
        let (node, elsewhere) = (try await fleet.node(), try await fleet.node())
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(70))
        let reader = try await fleet.readerBehindTwo(on: node)
        try await elsewhere.remove(fleet.field)
        await fleet.spawner.advance(by: .seconds(1))
        try #require(node.waiters(of: fleet.field.erased) == 1)
        try await fleet.load(4, on: elsewhere)
        try await elsewhere.expire(fleet.field)
        fleet.source.end(2, value: "late")
        try await fleet.source.waitForLoads(5)
        await fleet.spawner.advance(by: .seconds(1))
        try #require(node.waiters(of: fleet.field.erased) == 0)
        #expect(try await reader.value == "v4")
        for number in [3, 5] { fleet.source.end(number, value: "late") }
    }

    @Test("what waits for the soft deadline of those who wait for their turn ends with the turn")
    func softDeadlineUntilTurn() async throws {
        let fleet = Fleet { $0.softDeadline = .seconds(2) }
        let node = try await fleet.node()
        let reader = try await fleet.readerBehindTwo(on: node)
        for number in 1...2 { fleet.source.end(number, value: "late") }
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, value: "v3")
        #expect(try await reader.value == "v3")
        await fleet.spawner.settle()
        #expect(fleet.spawner.sleepers == 0)
    }

    enum Act: CaseIterable { case expire, expireTwiceHeardOnce, refresh, expireElsewhere, expireElsewhereTwice }

    @Test("C5: the soft deadline of those who came before an invalidation is theirs after it", arguments: Act.allCases)
    func softDeadline(act: Act) async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(2)
        }
        let (node, elsewhere) = (try await fleet.node(), try await fleet.node())
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        await fleet.spawner.advance(by: .seconds(1))
        var forced: Task<String, any Error>?
        switch act {
        case .expire: try await node.expire(fleet.field)
        case .expireTwiceHeardOnce:
            try await fleet.expire(on: node, telling: node)
            try await node.expire(fleet.field)
        case .expireElsewhere: try await fleet.expire(on: elsewhere, telling: node)
        case .expireElsewhereTwice:
            for _ in 0..<2 { try await fleet.expire(on: elsewhere, telling: node) }
        case .refresh:
            forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
            try await fleet.source.waitForLoads(3)
        }
        await fleet.spawner.advance(by: .seconds(1))
        let others = forced == nil ? 0 : 1
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == others }
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v1", .stale))
        for number in 2...fleet.source.loads { fleet.source.end(number, value: "new") }
        if let forced { #expect(try await forced.value == "new") }
    }

    @Test("C5: the soft deadline is that of the first who waited for a turn, not one that begins with it")
    func softDeadlineSinceQueued() async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(2)
        }
        let (node, elsewhere) = (try await fleet.node(), try await fleet.node())
        let reader = try await fleet.readerBehindTwo(on: node)
        await fleet.spawner.advance(by: .seconds(1))
        try await fleet.load(3, on: elsewhere)
        try await elsewhere.expire(fleet.field)
        for number in 1...2 { fleet.source.end(number, value: "late") }
        try await fleet.source.waitForLoads(4)
        await fleet.spawner.advance(by: .seconds(1))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 0 }
        #expect(try await reader.value == "v3")
        fleet.source.end(4, value: "v4")
    }

    /// A node with an old "v1", whose readers get that while its question for a lease hangs.
    private func nodeWithoutLease(of fleet: Fleet) async throws -> (FieldCache, FaultyStore) {
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        store.inject(.hang, into: [.lease])
        try #require(await fleet.promptRead(on: node)?.status == .stale)
        return (node, store)
    }

    @Test(
        "C5: they get what is stale though a second message comes while the store is asked after the first",
        arguments: [true, false]
    )
    func toldTwice(isHeld: Bool) async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(3600) }
        let (node, store) = try await nodeWithoutLease(of: fleet)
        let elsewhere = try await fleet.node()
        if !isHeld { node.desk.change { $0.drop(fleet.field.erased.key) } }
        store.inject(.delayAfterwards(.milliseconds(100)), into: [.read])
        try await fleet.expire(on: elsewhere, telling: node)
        let reads = store.calls(of: .read)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        for number in 1...2 {
            try await waitUntil("question \(number)") { store.calls(of: .read) == reads + number }
            if number == 1 { try await fleet.expire(on: elsewhere, telling: node) }
            await fleet.spawner.advance(by: .milliseconds(100))
        }
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 0 }
        #expect(try await reader.value.status == .stale)
        store.recover()
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
    }

    @Test("C5: they get what is stale once the message comes that tells of what the store has answered already")
    func toldLate() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(3600) }
        let (node, store) = try await nodeWithoutLease(of: fleet)
        let elsewhere = try await fleet.node()
        try await fleet.expire(on: elsewhere, telling: node)
        try await elsewhere.expire(fleet.field)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 1 }
        await fleet.spawner.settle()
        try #require(node.waiters(of: fleet.field.erased) == 1, "what the store says is news")
        try await fleet.tellExpired(node)
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 0 }
        #expect(try await reader.value.status == .stale)
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        store.recover()
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
    }

    @Test("C1: while they wait for that message they get nothing the store has disproved, and ask it no more")
    func notToldYet() async throws {
        let fleet = Fleet {
            $0.staleWhileRevalidate = .seconds(3600)
            $0.staleIfError = .seconds(3600)
        }
        let (node, store) = try await nodeWithoutLease(of: fleet)
        let elsewhere = try await fleet.node()
        try await fleet.expire(on: elsewhere, telling: node)
        try await elsewhere.remove(fleet.field)
        try await fleet.load(2, on: elsewhere)
        var readers: [Task<FieldRead<String>, any Error>] = []
        func wait() async throws {
            readers.append(fleet.spawner.task { try await node.read(fleet.field) })
            let count = readers.count
            try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == count }
            await fleet.spawner.settle()
        }
        let reads = store.calls(of: .read)
        for _ in 0..<10 { try await wait() }
        #expect(store.calls(of: .read) - reads <= 2)
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.read])
        try await wait()
        store.recover()
        for reader in readers { #expect(try await reader.value.value == "v2") }
    }

    @Test("messages ask the store nothing for a queue in which nobody waits")
    func toldInVain() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        let elsewhere = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        var waiting: [Task<FieldRead<String>, any Error>] = []
        for number in 2...3 {
            waiting.append(fleet.spawner.task { try await node.read(fleet.field, maxAge: .zero) })
            try await fleet.source.waitForLoads(number)
            try await node.expire(fleet.field)
        }
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        let reads = store.calls(of: .read)
        for _ in 0..<10 {
            try await fleet.expire(on: elsewhere, telling: node)
            await fleet.spawner.settle()
        }
        #expect(store.calls(of: .read) == reads)
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for reader in waiting { _ = try await reader.value }
    }

    @Test("C5: who hears of another node's failure gets what is stale though he has heard of an invalidation, too")
    func failedElsewhere() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(10)) { $0.staleIfError = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        let elsewhere = try await fleet.node()
        #expect(try await elsewhere.value(of: fleet.field) == "v1")
        await fleet.spawner.advance(by: .seconds(20))
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        store.inject(.hang, into: [.lease])
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the question for leave") { store.hangingCalls == 1 }
        #expect(try await elsewhere.read(fleet.field).detail == .sourceFailed)
        fleet.tellExpired(node, of: Generation("before"))
        store.recover()
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v1", .stale))
        #expect(fleet.source.loads == 2)
    }

    enum Between: CaseIterable { case expire, expireElsewhere, expireElsewhereUnheld }

    @Test(
        "C5: readers of a forced load get what is stale though it is expired while the lease is asked for",
        arguments: Between.allCases,
        [false, true]
    )
    func forced(between: Between, isSoft: Bool) async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(3600)
            if isSoft { $0.softDeadline = .seconds(1) } else { $0.staleWhileRevalidate = .seconds(3600) }
        }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load(1, on: between == .expireElsewhereUnheld ? fleet.node() : node)
        store.inject(.delayAfterwards(.milliseconds(100)), into: [.lease])
        let leases = store.calls(of: .lease)
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await waitUntil("the question for a lease") { store.calls(of: .lease) == leases + 1 }
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 2 }
        switch between {
        case .expire: try await node.expire(fleet.field)
        // The message of one before it comes first, and that of the lease's own after its answer.
        case .expireElsewhere, .expireElsewhereUnheld: fleet.tellExpired(node, of: Generation("before"))
        }
        await fleet.spawner.advance(by: .milliseconds(100))
        try await fleet.source.waitForLoads(2)
        if between != .expire { try await fleet.tellExpired(node) }
        await fleet.spawner.advance(by: .seconds(1))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 1 }
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v1", .stale))
        fleet.source.end(2, value: "v2")
        #expect(try await forced.value == "v2")
    }

    @Test("C5: they get what is stale though their node expires it while the store is asked")
    func expiredMeanwhile() async throws {
        let source = ControlledSource<String>(heedsCancellation: true)
        let fleet = Fleet(source: source) { $0.staleWhileRevalidate = .seconds(3600) }
        try await fleet.load(1, on: fleet.node())
        await fleet.spawner.advance(by: .seconds(60))
        let (node, store) = try await fleet.faultyNode()
        store.inject(.delayAfterwards(.milliseconds(100)), into: [.read])
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        for number in 1...2 {
            try await waitUntil("question \(number)") { store.calls(of: .read) == number }
            if number == 1 { try await node.expire(fleet.field) }
            await fleet.spawner.advance(by: .milliseconds(100))
        }
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 0 }
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v1", .stale))
        try await waitUntil("the end of the load") { source.cancelled.count + 1 == source.loads }
    }

    @Test("C5: where store and source are away they get what an invalidation has left", arguments: [false, true])
    func withoutStore(isRemoved: Bool) async throws {
        let fleet = Fleet { $0.staleIfError = .seconds(3600) }
        let (node, store) = try await fleet.faultyNode()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        store.inject(.hang)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the look into the store") { store.hangingCalls == 1 }
        let invalidation = fleet.spawner.task {
            if isRemoved { try await node.remove(fleet.field) } else { try await node.expire(fleet.field) }
        }
        await fleet.spawner.settle()
        await fleet.spawner.advance(by: .seconds(1))
        if isRemoved {
            #expect((await errorOf { try await reader.value } as? CacheError)?.code == .sourceFailed)
        } else {
            let reading = try await reader.value
            #expect((reading.value, reading.detail) == ("v1", .sourceFailed))
        }
        store.recover()
        _ = try? await invalidation.value
    }
}

extension Fleet {
    /// One node expires the value, and another is told.
    fileprivate func expire(on node: FieldCache, telling other: FieldCache) async throws {
        try await node.expire(field)
        try await tellExpired(other)
    }

    /// Tells a node of the last invalidation.
    fileprivate func tellExpired(_ node: FieldCache) async throws {
        let snapshot = try await store.readEntry(field.erased.key, EntryRead(freshFor: .seconds(60)))
        tellExpired(node, of: try #require(snapshot.generation))
    }

    fileprivate func tellExpired(_ node: FieldCache, of generation: Generation) {
        node.desk.tell(field.erased.key, generation, isInvalidation: true) {
            $0.invalidate(field.erased.key, .expire, unlessOf: nil)
        }
    }
}
