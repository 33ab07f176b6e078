import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Freshet

/// Several nodes with one scheduled field, on one memory store, under a clock that the test moves.
private struct ScheduledFleet {
    let spawner = TestSpawner()
    let store: MemoryStore
    let source: TimedSource
    let field: Field<String>
    let logs = RecordedLogs()

    init(
        every interval: Duration = .seconds(10),
        loadTime: Duration = .seconds(2),
        _ change: (inout FieldPolicy) -> Void = { _ in }
    ) {
        var policy = FieldPolicy(ttl: .seconds(60))
        policy.refreshEvery = .every(interval)
        policy.idleAfter = .zero
        change(&policy)
        store = MemoryStore(spawner: spawner)
        source = TimedSource(spawner, loadTime)
        field = Field("agents", key: "agents_list", policy: policy, load: source.load)
    }

    func node(
        _ store: (any CacheStore)? = nil,
        _ field: Field<String>? = nil,
        l1Recheck: Duration = .seconds(2)
    ) async throws -> ScheduledNode {
        var configuration = FieldCache.Configuration()
        configuration.l1Recheck = l1Recheck
        let cache = CacheService(store: store ?? self.store, spawner: spawner, logger: logs.logger)
        try await cache.initialize()
        let fields = FieldCache(
            cache: cache,
            catalog: try FieldCatalog([field ?? self.field]),
            configuration: configuration,
            spawner: spawner,
            logger: logs.logger
        )
        let (spawner, tasks) = (spawner, spawner.startedTasks)
        let node = ScheduledNode(cache: fields, on: spawner)
        // The pulse is started first.
        try await waitUntil("the node's schedule") { spawner.startedTasks > tasks + 1 }
        return node
    }
}

private struct ScheduledNode {
    let cache: FieldCache
    let run: Task<Void, any Error>

    init(cache: FieldCache, on spawner: TestSpawner) {
        self.cache = cache
        run = spawner.task { try await cache.run() }
    }

    func stop(_ spawner: TestSpawner) async throws {
        run.cancel()
        try await run.value
    }
}

/// A source that takes its time, and notes when it was asked.
private final class TimedSource: Sendable {
    private struct State {
        var begun: [MonotonicInstant] = []
        var running = 0
        var mostRunning = 0
        var ended = 0
        var loadTime: Duration
        var error: (any Error)?
    }

    private let spawner: TestSpawner
    private let state: NIOLockedValueBox<State>

    init(_ spawner: TestSpawner, _ loadTime: Duration) {
        self.spawner = spawner
        state = NIOLockedValueBox(State(loadTime: loadTime))
    }

    var begun: [MonotonicInstant] { state.withLockedValue { $0.begun } }
    var loads: Int { begun.count }
    var ended: Int { state.withLockedValue { $0.ended } }
    var mostAtOnce: Int { state.withLockedValue { $0.mostRunning } }

    func failFromNowOn(_ error: (any Error)?) { state.withLockedValue { $0.error = error } }
    func takeFromNowOn(_ time: Duration) { state.withLockedValue { $0.loadTime = time } }

    @Sendable func load(_ context: LoadContext) async throws -> LoadResult<String> {
        let (number, time) = state.withLockedValue { state in
            state.begun.append(spawner.now())
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            return (state.begun.count, state.loadTime)
        }
        defer { state.withLockedValue { $0.running -= 1 } }
        try await spawner.sleep(for: time)
        if let error = state.withLockedValue({ $0.error }) { throw error }
        state.withLockedValue { $0.ended += 1 }
        return .value("v\(number)")
    }
}

@Suite("Schedule", .timeLimit(.minutes(1)))
struct ScheduleTests {
    @Test("a field is refreshed once a slot, over all nodes, whichever live or die")
    func once() async throws {
        let fleet = ScheduledFleet()
        var nodes: [ScheduledNode] = []
        for _ in 0..<4 { nodes.append(try await fleet.node()) }
        await fleet.spawner.advance(by: .seconds(5))
        #expect(fleet.source.loads == 1, "the slot that passed before the start is made up for")
        await fleet.spawner.advance(by: .seconds(95))
        let first = fleet.source.loads
        #expect((10...11).contains(first))
        for expected in [10, 20, 30] {
            try await nodes.removeFirst().stop(fleet.spawner)
            await fleet.spawner.advance(by: .seconds(100))
            #expect(fleet.source.loads == first + expected)
        }
        _ = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(100))
        #expect(fleet.source.loads == first + 40)
        #expect(fleet.source.mostAtOnce == 1)
    }

    @Test("without drift over a thousand slots, however long the loads take")
    func drift() async throws {
        let fleet = ScheduledFleet(loadTime: .seconds(3))
        _ = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(10_020))
        let begun = fleet.source.begun
        #expect(begun.count >= 1002)
        for (number, instant) in begun.dropFirst().prefix(1000).enumerated() {
            #expect(instant == begun[1] + .seconds(10) * number)
        }
    }

    @Test("readers never find the field stale, nor wait, while it is refreshed", .timeLimit(.minutes(1)))
    func neverStale() async throws {
        let fleet = ScheduledFleet(loadTime: .seconds(7)) { $0.staleWhileRevalidate = .seconds(60) }
        let nodes = [try await fleet.node(), try await fleet.node()]
        await fleet.spawner.advance(by: .seconds(7))
        for second in 0..<200 {
            for node in nodes {
                // The clock stands still: a reader that waited for a load would never get an answer.
                let reading = try await node.cache.read(fleet.field)
                #expect(reading.status == .hit, "at \(second)")
                #expect(reading.age <= .seconds(20))
            }
            await fleet.spawner.advance(by: .seconds(1))
        }
        #expect((20...23).contains(fleet.source.loads))
    }

    @Test("a load longer than the interval neither piles up nor is repeated at once")
    func longLoads() async throws {
        let fleet = ScheduledFleet(loadTime: .seconds(25))
        for _ in 0..<3 { _ = try await fleet.node() }
        await fleet.spawner.advance(by: .seconds(1000))
        #expect(fleet.source.mostAtOnce == 1)
        #expect((33...40).contains(fleet.source.loads))
    }

    @Test("when a node dies while it loads, another takes the slot over once the lease is over")
    func death() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000)) { policy in
            policy.ttl = .seconds(5000)
            policy.hardDeadline = .seconds(30)
        }
        let doomed = FaultyStore(fleet.store)
        _ = try await fleet.node(doomed)
        await fleet.spawner.advance(by: .seconds(1))
        #expect(fleet.source.loads == 1)
        doomed.inject(.hang)
        _ = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(32))
        #expect(fleet.source.loads == 1, "the lease may still be of use")
        await fleet.spawner.advance(by: .seconds(10))
        #expect(fleet.source.loads == 2)
        let other = try await fleet.node()
        #expect(try await other.cache.read(fleet.field).status == .hit)
        #expect(fleet.source.loads == 2)
    }

    @Test("a node that is stopped while it loads leaves the slot to another")
    func stop() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000)) { $0.ttl = .seconds(5000) }
        let first = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(1))
        try await first.stop(fleet.spawner)
        #expect((fleet.source.loads, fleet.source.ended) == (1, 0))
        _ = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(3))
        #expect((fleet.source.loads, fleet.source.ended) == (2, 1))
    }

    @Test("a field that nobody reads anywhere is not refreshed, until somebody reads it on any node")
    func idle() async throws {
        let fleet = ScheduledFleet {
            $0.idleAfter = .seconds(80)
            $0.ttl = .seconds(2000)
        }
        let (a, b) = (try await fleet.node(), try await fleet.node())
        await fleet.spawner.advance(by: .seconds(5))
        for _ in 0..<30 {
            _ = try await b.cache.read(fleet.field)
            await fleet.spawner.advance(by: .seconds(10))
        }
        #expect((30...32).contains(fleet.source.loads), "a read on one node keeps it going on all")
        #expect(await a.cache.state(of: fleet.field.erased).isIdle == false)
        await fleet.spawner.advance(by: .seconds(120))
        let loads = fleet.source.loads
        await fleet.spawner.advance(by: .seconds(1000))
        #expect(fleet.source.loads == loads)
        for node in [a, b] {
            let state = await node.cache.state(of: fleet.field.erased)
            #expect(state.isIdle && state.nextRefresh == nil)
        }
        #expect(fleet.logs.entries.filter { $0.message.contains("scheduled refresh pauses") }.count == 2)

        #expect(try await a.cache.read(fleet.field).status == .hit)
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(fleet.source.loads == loads + 1)
        await fleet.spawner.advance(by: .seconds(10))
        #expect(await b.cache.state(of: fleet.field.erased).isIdle == false, "the others hear of it")
        #expect(fleet.logs.entries.filter { $0.message.contains("scheduled refresh goes on") }.count == 2)
        try await a.stop(fleet.spawner)
        let awake = fleet.source.loads
        await fleet.spawner.advance(by: .seconds(30))
        #expect(fleet.source.loads == awake + 3, "and go on when the one that was read is gone")
    }

    @Test("hits in L1 keep a field awake, and wake it")
    func hits() async throws {
        let fleet = ScheduledFleet {
            $0.idleAfter = .seconds(80)
            $0.ttl = .seconds(20_000)
        }
        let node = try await fleet.node(l1Recheck: .seconds(20_000))
        await fleet.spawner.advance(by: .seconds(5))
        for _ in 0..<30 {
            #expect(try await node.cache.read(fleet.field).tier == .l1)
            await fleet.spawner.advance(by: .seconds(10))
        }
        #expect((30...32).contains(fleet.source.loads))
        await fleet.spawner.advance(by: .seconds(500))
        #expect(await node.cache.state(of: fleet.field.erased).isIdle)
        let loads = fleet.source.loads
        #expect(try await node.cache.read(fleet.field).tier == .l1)
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(fleet.source.loads == loads + 1)
    }

    @Test("hits in L1 keep a field awake where slots are far apart, too")
    func hitsBetweenSlots() async throws {
        let fleet = ScheduledFleet {
            $0.refreshEvery = .every(.seconds(1000))
            $0.idleAfter = .seconds(80)
            $0.ttl = .seconds(20_000)
        }
        let node = try await fleet.node(l1Recheck: .seconds(20_000))
        await fleet.spawner.advance(by: .seconds(5))
        for _ in 0..<250 {
            _ = try await node.cache.read(fleet.field)
            await fleet.spawner.advance(by: .seconds(10))
        }
        #expect((3...4).contains(fleet.source.loads))
        #expect(!fleet.logs.entries.contains { $0.message.contains("scheduled refresh pauses") })
    }

    @Test("that nobody reads is remembered over a restart of all nodes")
    func idleOverRestart() async throws {
        let fleet = ScheduledFleet {
            $0.idleAfter = .seconds(80)
            $0.ttl = .seconds(2000)
        }
        let first = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(500))
        try await first.stop(fleet.spawner)
        let loads = fleet.source.loads
        let second = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(100))
        #expect(fleet.source.loads == loads)
        #expect(await second.cache.state(of: fleet.field.erased).isIdle)
    }

    @Test("reads are told to the store now and then, not one by one")
    func sparse() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000)) {
            $0.idleAfter = .seconds(800)
            $0.ttl = .seconds(5000)
        }
        let store = FaultyStore(fleet.store)
        let node = try await fleet.node(store)
        await fleet.spawner.advance(by: .seconds(5))
        let leases = store.calls(of: .lease)
        for _ in 0..<9000 {
            _ = try await node.cache.read(fleet.field)
            await fleet.spawner.advance(by: .milliseconds(100))
        }
        // A slot, and nine eighths of idleAfter.
        #expect((1...12).contains(store.calls(of: .lease) - leases))
        #expect(fleet.source.loads == 2)
        let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60)))
        #expect(try #require(snapshot.lastRead) <= .seconds(200))
    }

    @Test("a failing source is left alone, fleet-wide; the schedule goes on, and readers get what there was")
    func failure() async throws {
        let fleet = ScheduledFleet { policy in
            policy.ttl = .seconds(3600)
            policy.staleIfErrorThrottle = .seconds(40)
        }
        let nodes = [try await fleet.node(), try await fleet.node(), try await fleet.node()]
        await fleet.spawner.advance(by: .seconds(5))
        #expect(fleet.source.ended == 1)
        fleet.source.failFromNowOn(SourceIsDown())
        let before = fleet.source.loads
        await fleet.spawner.advance(by: .seconds(420))
        #expect((9...12).contains(fleet.source.loads - before))
        for node in nodes { #expect(try await node.cache.read(fleet.field).status == .hit) }
        fleet.source.failFromNowOn(nil)
        await fleet.spawner.advance(by: .seconds(60))
        let recovered = fleet.source.ended
        await fleet.spawner.advance(by: .seconds(100))
        #expect(fleet.source.ended == recovered + 10)
        #expect(fleet.source.mostAtOnce == 1)
    }

    @Test("C1: an invalidation ends the scheduled load it overtakes", arguments: [true, false])
    func overtaken(hard: Bool) async throws {
        let fleet = ScheduledFleet(every: .seconds(1000), loadTime: .seconds(20))
        let node = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(10))
        #expect(fleet.source.loads == 1)
        _ = hard ? try await node.cache.remove(fleet.field) : try await node.cache.expire(fleet.field)
        await fleet.spawner.advance(by: .seconds(15))
        #expect((fleet.source.loads, fleet.source.ended) == (1, 0))
        #expect(node.cache.cached(fleet.field.erased) == nil)
        #expect(try await fleet.store.get("agents_list") == nil)
        fleet.source.takeFromNowOn(.zero)
        #expect(try await node.cache.value(of: fleet.field) == "v2")
    }

    @Test("C2: while the fetcher of a load that was overtaken goes on, none is begun on schedule")
    func deaf() async throws {
        let fleet = Fleet(ttl: .seconds(60)) {
            ($0.refreshEvery, $0.hardDeadline) = (.every(.seconds(5)), .seconds(40))
        }
        let cache = CacheService(store: fleet.store, spawner: fleet.spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        let node = FieldCache(
            cache: cache,
            catalog: try FieldCatalog([fleet.field]),
            spawner: fleet.spawner,
            logger: Logger(label: "test")
        )
        node.schedule.start()
        await fleet.spawner.advance(by: .seconds(5))
        try await fleet.source.waitForLoads(1)
        try await node.expire(fleet.field)
        await fleet.spawner.advance(by: .seconds(20))
        #expect(fleet.source.loads == 1)
        fleet.source.end(1, value: "late")
        await fleet.spawner.advance(by: .seconds(10))
        #expect(fleet.source.loads == 2)
        fleet.source.end(2, value: "v2")
        await node.shutdown()
    }

    @Test("C7: bytes that are no value of the field are counted where no reader finds them, too")
    func badBytes() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000))
        _ = try await fleet.store.set("agents_list", ByteBuffer(string: "{"), options: CacheOptions())
        let node = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(1010))
        #expect(fleet.source.ended == 1)
        let misses = node.cache.events(of: fleet.field.erased).filter { $0.kind == .undecodable }
        #expect(misses.map(\.count) == [1])
    }

    @Test("a reader that comes while the first scheduled load is under way gets its value")
    func joins() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000), loadTime: .seconds(5))
        let node = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(1))
        let reader = fleet.spawner.task { try await node.cache.read(fleet.field) }
        let spawner = fleet.spawner
        try await waitUntil("the reader") { node.cache.waiters(of: fleet.field.erased) == 1 }
        await spawner.advance(by: .seconds(6))
        #expect(try await reader.value.value == "v1")
        #expect(fleet.source.loads == 1)
    }

    @Test("a value that is not to be kept is loaded once a slot all the same")
    func uncacheable() async throws {
        // The others ask again when the lease of the one that loads would have ended.
        let fleet = ScheduledFleet(every: .seconds(100)) { $0.hardDeadline = .seconds(10) }
        let loads = NIOLockedValueBox(0)
        let field = Field<String>("agents", key: "agents_list", policy: fleet.field.erased.policy) { _ in
            loads.withLockedValue { $0 += 1 }
            try await fleet.spawner.sleep(for: .seconds(1))
            return .value("v", LoadDetails(isCacheable: false))
        }
        for _ in 0..<3 { _ = try await fleet.node(nil, field) }
        await fleet.spawner.advance(by: .seconds(5))
        #expect(loads.withLockedValue { $0 } == 1)
        await fleet.spawner.advance(by: .seconds(1000))
        #expect(loads.withLockedValue { $0 } == 11)
    }

    @Test("a schedule says nothing of when somebody reads: it does not make a ttl look too short")
    func advice() async throws {
        let fleet = ScheduledFleet(every: .seconds(60)) { $0.ttl = .seconds(20) }
        let node = try await fleet.node()
        await fleet.spawner.advance(by: .seconds(3000))
        #expect(fleet.source.loads >= 50)
        #expect(node.cache.advice(for: fleet.field.erased).isEmpty)
    }

    @Test("C3: a scheduled load that asks for its own field gets an error")
    func circular() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000))
        let cache = NIOLockedValueBox<FieldCache?>(nil)
        let error = NIOLockedValueBox<CacheError.Code?>(nil)
        let field = Field<String>("agents", key: "agents_list", policy: fleet.field.erased.policy) { _ in
            try await fleet.spawner.sleep(for: .seconds(1))
            guard let cache = cache.withLockedValue({ $0 }) else { return .absent }
            do {
                _ = try await cache.read(cache.catalog.field("agents"))
            } catch let caught as CacheError {
                error.withLockedValue { $0 = caught.code }
            }
            return .value("v")
        }
        let node = try await fleet.node(nil, field)
        cache.withLockedValue { $0 = node.cache }
        await fleet.spawner.advance(by: .seconds(2))
        #expect(error.withLockedValue { $0 } == .circularLoad)
        cache.withLockedValue { $0 = nil }
        await fleet.spawner.advance(by: .seconds(61))
        let reader = fleet.spawner.task { try await node.cache.read(field) }
        try await waitUntil("the reader") { node.cache.waiters(of: field.erased) == 1 }
        await fleet.spawner.advance(by: .seconds(2))
        #expect(node.cache.waiters(of: field.erased) == 0, "nor is the key stuck")
        node.run.cancel()
        reader.cancel()
        _ = try? await reader.value
    }

    @Test("C6: fields whose keys are on nodes with different clocks go by their own each")
    func clocks() async throws {
        let spawner = TestSpawner()
        let ahead = MemoryStore(spawner: NodeClock(spawner, error: .seconds(333)))
        let fields = ["here", "there"].map { name in
            var policy = FieldPolicy(ttl: .seconds(60))
            policy.refreshEvery = .every(.seconds(1000))
            return Field<String>(name, policy: policy) { _ in .value("v") }
        }
        func nextRefreshes(of fields: [Field<String>]) async throws -> [Duration?] {
            let store = TwoNodeStore(here: MemoryStore(spawner: spawner), there: ahead)
            let cache = CacheService(store: store, spawner: spawner, logger: Logger(label: "test"))
            try await cache.initialize()
            let catalog = try FieldCatalog(fields)
            let node = FieldCache(cache: cache, catalog: catalog, spawner: spawner, logger: Logger(label: "test"))
            let tasks = spawner.startedTasks
            let run = spawner.task { try await node.run() }
            try await waitUntil("the schedule") { spawner.startedTasks > tasks }
            await spawner.settle()
            var times: [Duration?] = []
            for field in fields { times.append(await node.state(of: field.erased).nextRefresh) }
            run.cancel()
            try await run.value
            return times
        }
        var alone: [Duration?] = []
        for field in fields { alone += try await nextRefreshes(of: [field]) }
        #expect(try await nextRefreshes(of: fields) == alone)
    }

    @Test("a store that is away is asked again; the slot is not lost")
    func storeAway() async throws {
        let fleet = ScheduledFleet(every: .seconds(1000))
        let store = FaultyStore(fleet.store)
        _ = try await fleet.node(store)
        await fleet.spawner.advance(by: .seconds(5))
        #expect(fleet.source.loads == 1)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        await fleet.spawner.advance(by: .seconds(1000))
        #expect(fleet.source.loads == 1)
        store.recover()
        // The breaker's longest pause and the schedule's.
        await fleet.spawner.advance(by: .seconds(15))
        #expect(fleet.source.loads == 2)
    }

    @Test("cron expressions go by the calendar")
    func cron() async throws {
        let schedule = try RefreshSchedule.cron("30 6 * * *")
        let fleet = ScheduledFleet { policy in
            policy.refreshEvery = schedule
            policy.ttl = .seconds(90_000)
        }
        for _ in 0..<2 { _ = try await fleet.node() }
        await fleet.spawner.advance(by: .seconds(6 * 3600))
        #expect(fleet.source.loads == 1)
        await fleet.spawner.advance(by: .seconds(4 * 86_400))
        let day = 86_400_000_000_000
        let timesOfDay = fleet.source.begun.dropFirst().map { Int($0.nanoseconds) % day }
        #expect(timesOfDay == Array(repeating: day / 48 * 13, count: 4))
    }
}

/// A cluster of two nodes: one has the key "there", the other one all others.
private struct TwoNodeStore: CacheStore {
    let here: MemoryStore
    let there: MemoryStore

    private func node(of key: String) -> MemoryStore { key == "there" ? there : here }

    func ping() async throws {}
    func get(_ key: String) async throws -> ByteBuffer? { try await node(of: key).get(key) }
    func mget(_ keys: [String]) async throws -> [ByteBuffer?] { try await here.mget(keys) }
    func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        try await node(of: key).set(key, value, options: options)
    }
    func del(_ keys: [String]) async throws -> Int { try await here.del(keys) }
    func exists(_ keys: [String]) async throws -> Int { try await here.exists(keys) }
    func incr(_ key: String, by amount: Int64) async throws -> Int64 { try await node(of: key).incr(key, by: amount) }
    func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await node(of: key).expire(key, after: time)
    }
    func ttl(_ key: String) async throws -> TimeToLive { try await node(of: key).ttl(key) }
    func hget(_ key: String, _ field: String) async throws -> ByteBuffer? { try await node(of: key).hget(key, field) }
    func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        try await node(of: key).hset(key, fields)
    }
    func hgetall(_ key: String) async throws -> [String: ByteBuffer] { try await node(of: key).hgetall(key) }
    func hdel(_ key: String, _ fields: [String]) async throws -> Int { try await node(of: key).hdel(key, fields) }

    func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        try await node(of: key).readEntry(key, request)
    }
    func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] { try await here.checkEntries(keys) }
    func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        try await node(of: key).leaseEntry(key, request)
    }
    func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        try await node(of: key).fillEntry(key, lease, with: fill)
    }
    func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        try await node(of: key).failEntry(key, lease, with: failure)
    }
    func releaseEntry(_ key: String, token: String) async throws {
        try await node(of: key).releaseEntry(key, token: token)
    }
    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await node(of: key).invalidateEntry(key, invalidation)
    }
}
