import Freshet
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import FreshetAirtable

@Suite("Airtable: a pace that processes share", .timeLimit(.minutes(1)))
struct SharedPaceTests {
    private static let name = "airtable:\(Airtable.base)"
    private static let away = CacheError(.storeUnavailable, "away")

    /// One page over a clock that the test moves, from a stand-in with a clock of its own.
    private struct Bench: Sendable {
        let standIn: AirtableStandIn
        let pace: ScriptedPace
        let spawner = TestSpawner()
        let limiters: BaseLimiters
        let client: AirtableClient

        /// - Parameter delay: before the first turn is given.
        init(_ standIn: AirtableStandIn, _ turns: ScriptedPace.Turn..., delay: Duration = .zero) throws {
            self.standIn = standIn
            pace = ScriptedPace(turns, after: delay, on: spawner)
            limiters = BaseLimiters(spawner: spawner)
            client = try AirtableClient(token: standIn.token, endpoint: standIn.url, limiters: limiters, pace: pace)
        }

        /// - Returns: the number of records.
        func list() -> Task<Int, any Error> {
            Task { [client] in
                let query = AirtableQuery(maxRecords: 1)
                return try await client.records(base: Airtable.base, table: Airtable.people, query: query).count
            }
        }
    }

    @Test("A page is asked for when its turn comes, and not before")
    func turn() async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let bench = try Bench(standIn, .success(.after(.seconds(3))))
            let list = bench.list()
            try await bench.spawner.waitForSleepers(1)
            #expect(bench.spawner.nextWakeUp == MonotonicInstant(nanoseconds: 3_000_000_000))
            #expect(standIn.statistics.requests == 0)
            await bench.spawner.advance(by: .seconds(3))
            #expect(try await list.value == 1)
            #expect(bench.pace.asked == ["\(Self.name) 215"])
        }
    }

    @Test("Requests keep their distance where a store gives up late first, and then at once")
    func lateFailures() async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let bench = try Bench(standIn, .failure(Self.away), .failure(Self.away), delay: .milliseconds(500))
            let first = bench.list()
            try await bench.spawner.waitForSleepers(1)
            let second = bench.list()
            try await waitUntil("the second list") { bench.limiters.limiter(endpoint: standIn.url).waiting == 1 }
            await bench.spawner.advance(by: .milliseconds(500))
            #expect(try await first.value == 1)
            try await bench.spawner.waitForSleepers(1)
            await bench.spawner.advance(by: .milliseconds(214))
            #expect(standIn.statistics.requests == 1)
            await bench.spawner.advance(by: .milliseconds(1))
            #expect(try await second.value == 1)
        }
    }

    @Test("A process takes one turn at a time, and is told at once when the base is closed", arguments: [false, true])
    func oneAtATime(isClosed: Bool) async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let bench = try Bench(standIn, .success(.after(.seconds(3))))
            let first = bench.list()
            try await bench.spawner.waitForSleepers(1)
            let others = (0..<20).map { _ in bench.list() }
            let limiter = bench.limiters.limiter(endpoint: standIn.url)
            try await waitUntil("the others") { limiter.waiting == 20 }
            await bench.spawner.advance(by: .milliseconds(2900))
            #expect(bench.pace.asked.count == 1)
            if isClosed {
                limiter.close(Airtable.base, token: standIn.token, for: .seconds(30), because: .rateLimit)
                for list in others { #expect(await cacheError { try await list.value }?.code == .overloaded) }
            } else {
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                try await waitUntil("the next turn") { bench.pace.asked.count >= 2 }
                for list in others { list.cancel() }
            }
            await bench.spawner.advance(by: .seconds(1))
            for list in others + [first] { _ = try? await list.value }
            #expect(limiter.waiting == 0)
        }
    }

    @Test("Who gives up while he waits for his turn goes at once, and sends nothing")
    func cancelling() async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let bench = try Bench(standIn, .success(.after(.seconds(3))))
            let list = bench.list()
            try await bench.spawner.waitForSleepers(1)
            list.cancel()
            await #expect(throws: CancellationError.self) { try await list.value }
            #expect(bench.spawner.sleepers == 0)
            #expect(standIn.statistics.requests == 0)
        }
    }

    @Test("A base that is closed in the process meanwhile is not asked when the turn comes")
    func closedMeanwhile() async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let bench = try Bench(standIn, .success(.after(.seconds(3))))
            let list = bench.list()
            try await bench.spawner.waitForSleepers(1)
            let limiter = bench.limiters.limiter(endpoint: standIn.url)
            limiter.close(Airtable.base, token: standIn.token, for: .seconds(30), because: .rateLimit)
            await bench.spawner.advance(by: .seconds(3))
            let error = await cacheError { try await list.value }
            #expect(error?.code == .overloaded)
            #expect(error?.retryAfter == .seconds(27))
            #expect(standIn.statistics.requests == 0)
        }
    }

    @Test(
        "While others have closed the base nothing is sent, and the error says for how long, as it would be here at most",
        arguments: [(told: 20, believed: 20), (told: 3600, believed: 30)]
    )
    func closed(seconds: (told: Int, believed: Int)) async throws {
        try await Airtable.with { airtable in
            let pace = ScriptedPace([.success(.closed(for: .seconds(seconds.told)))])
            let client = try airtable.client(sharing: pace)
            for _ in 1...2 {
                let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
                #expect(error?.code == .overloaded)
                #expect(error?.retryAfter == .seconds(seconds.believed))
            }
            #expect(airtable.standIn.statistics.requests == 0)
            #expect(pace.asked.count == 1)
            airtable.spawner.advance(by: .seconds(seconds.believed))
            #expect(try await client.records(base: Airtable.base, table: Airtable.people).count == 400)
            #expect(pace.asked.count == 5)
            #expect(pace.closures.isEmpty)
        }
    }

    @Test("Two bases that others have closed are no reason to ask none with the token")
    func closedBases() async throws {
        let ids = (0..<3).map { "appBase000000000\($0)" }
        let table = AirtableStandIn.Table(id: "tblTable000000001", name: "T", columns: [])
        try await Airtable.with(bases: ids.map { AirtableStandIn.Base(id: $0, tables: [table]) }) { airtable in
            let closed = ScriptedPace.Turn.success(.closed(for: .seconds(20)))
            let client = try airtable.client(sharing: ScriptedPace([closed, closed]))
            for id in ids.prefix(2) {
                let error = await cacheError { try await client.records(base: id, table: "T") }
                #expect(error?.code == .overloaded)
            }
            let records = try await client.records(base: ids[2], table: "T")
            #expect(records.isEmpty)
        }
    }

    @Test("A closure that is about to end is waited for, as is a turn where too many wait")
    func waiting() async throws {
        try await Airtable.with { airtable in
            let pace = ScriptedPace([.success(.closed(for: .milliseconds(800))), .success(.full(for: .seconds(5)))])
            let client = try airtable.client(sharing: pace)
            let query = AirtableQuery(maxRecords: 1)
            let records = try await client.records(base: Airtable.base, table: Airtable.people, query: query)
            #expect(records.count == 1)
            #expect(pace.asked.count == 3)
            #expect(airtable.spawner.now() == MonotonicInstant(nanoseconds: 1_800_000_000))
        }
    }

    @Test("A pace that fails is gone without; the log tells when that begins, and warns of what somebody must mend")
    func failing() async throws {
        try await Airtable.with { airtable in
            let refused = ScriptedPace.Turn.failure(CacheError(.storeRejected, "grant it"))
            let failures: [ScriptedPace.Turn] = [.failure(Self.away), .failure(Self.away), refused, refused]
            let pace = ScriptedPace(failures + [.success(.after(.zero)), .failure(Self.away)])
            let logs = RecordedLogs()
            let client = try AirtableClient(
                token: airtable.standIn.token,
                endpoint: airtable.standIn.url,
                limiters: airtable.limiters,
                pace: pace,
                logger: logs.logger
            )
            #expect(try await client.records(base: Airtable.base, table: Airtable.people).count == 400)
            #expect(logs.entries.map(\.level) == [.info, .warning])
            #expect(logs.entries.last?.metadata["error"]?.contains("grant it") == true)
            let query = AirtableQuery(maxRecords: 1)
            for _ in 1...2 {
                let records = try await client.records(base: Airtable.base, table: Airtable.people, query: query)
                #expect(records.count == 1)
            }
            #expect(logs.entries.map(\.level) == [.info, .warning, .info])
            #expect(airtable.standIn.statistics.statuses == [200: 6])
        }
    }

    @Test("A 429 closes the base for all, unless that fails; a spent quota is not shared", arguments: [false, true])
    func refusal(isFailing: Bool) async throws {
        try await Airtable.with { airtable in
            let pace = ScriptedPace([], closing: isFailing ? Self.away : nil)
            let client = try airtable.client(sharing: pace)
            airtable.standIn.inject(.rateLimit)
            let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(error?.code == .overloaded)
            #expect(error?.retryAfter == .seconds(30))
            #expect(pace.closures == ["\(Self.name) 30000"])
            airtable.spawner.advance(by: .seconds(30))
            airtable.standIn.inject(.status(402))
            let spent = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(spent?.refusal == .quota)
            #expect(pace.closures.count == 1)
        }
    }

    /// What processes that take turns at once come to over a store whose answers are late.
    private func taken(
        _ count: Int,
        by processes: Int = 3,
        late: @escaping @Sendable (_ call: Int) -> Duration
    ) async throws -> (sent: [MonotonicInstant], calls: Int) {
        let spawner = TestSpawner()
        let pace = LatePace(spawner, late: late)
        let sent = NIOLockedValueBox<[MonotonicInstant]>([])
        let tasks = try (0..<processes).map { _ in
            let client = try AirtableClient(token: "t", limiters: BaseLimiters(spawner: spawner), pace: pace)
            return spawner.task {
                for _ in 0..<count {
                    try await client.waitForTurn(Airtable.base)
                    sent.withLockedValue { $0.append(spawner.now()) }
                }
            }
        }
        await spawner.advance(by: .seconds(120))
        for task in tasks {
            task.cancel()
            try await task.value
        }
        return (sent.withLockedValue { $0 }, pace.calls)
    }

    @Test(
        "Processes that hear late of one turn in ten send no six requests within a second",
        arguments: [2, 3],
        [120, 300]
    )
    func lateAnswers(processes: Int, milliseconds: Int) async throws {
        let (sent, _) = try await taken(180 / processes, by: processes) {
            .milliseconds($0 % 10 == 9 ? milliseconds : 2)
        }
        try #require(sent.count == 180)
        #expect(zip(sent, sent.dropFirst(5)).allSatisfy { $1 - $0 > .seconds(1) })
        #expect(sent[179] - sent[0] < .seconds(45))
    }

    @Test("Where all answers take as long, no turn is lost, and one is there every 215 ms", arguments: [2, 100])
    func steadyAnswers(milliseconds: Int) async throws {
        let (sent, calls) = try await taken(60) { _ in .milliseconds(milliseconds) }
        try #require(sent.count == 180)
        #expect(calls == 180)
        #expect(sent[179] - sent[60] < .milliseconds(119 * 216))
    }

    @Test("A process that is alone loses neither a turn nor the pace where answers come unevenly")
    func unevenAnswersAlone() async throws {
        let (sent, calls) = try await taken(60, by: 1) { .milliseconds(100 + $0 * 37 % 100) }
        try #require(sent.count == 60)
        #expect(calls == 60)
        #expect(sent[59] - sent[0] < .milliseconds(59 * 215 + 100))
    }

    @Test("Where answers come later and later, five turns of a request are let go at most")
    func laterAndLater() async throws {
        let (sent, calls) = try await taken(12, by: 2) { .milliseconds($0 < 20 ? 2 : ($0 - 19) * 150) }
        #expect(sent.count == 24)
        #expect(calls == 20 + 4 * (1 + 5))
    }

    @Test("AirtableService shares the pace of its cache's store, unless the client has another")
    func service() async throws {
        try await Airtable.with { airtable in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let (ofStore, other) = (ScriptedPace([]), ScriptedPace([]))
            let cache = CacheService(store: PacingStore(pace: ofStore), logger: logger)
            try await cache.initialize()
            func load(_ client: AirtableClient) async throws {
                let service = AirtableService(client: client, cache: cache)
                let (base, table) = (Airtable.base, Airtable.people)
                #expect(try await service.fetchRecords(base: base, table: table, forceRefresh: true).count == 400)
            }
            try await load(airtable.client())
            #expect(ofStore.asked.count == 4)
            try await load(airtable.client(sharing: other))
            #expect(ofStore.asked.count == 4)
            #expect(other.asked.count == 4)
        }
    }
}

extension Airtable {
    fileprivate func client(sharing pace: any SharedPace) throws -> AirtableClient {
        var client = try self.client()
        client.pace = pace
        return client
    }
}

/// Answers as it was told, then with leave to ask at once, and keeps what it was asked.
private final class ScriptedPace: SharedPace {
    typealias Turn = Result<SharedTurn, CacheError>

    private struct State {
        var turns: [Turn]
        var asked: [String] = []
        var closures: [String] = []
    }

    private let state: NIOLockedValueBox<State>
    private let failure: CacheError?
    private let delay: Duration
    private let spawner: any Spawner

    init(
        _ turns: [Turn],
        closing failure: CacheError? = nil,
        after delay: Duration = .zero,
        on spawner: any Spawner = SystemSpawner()
    ) {
        state = NIOLockedValueBox(State(turns: turns))
        self.failure = failure
        self.delay = delay
        self.spawner = spawner
    }

    /// Name and interval of each turn, in milliseconds.
    var asked: [String] { state.withLockedValue { $0.asked } }
    /// Name and time of each closure.
    var closures: [String] { state.withLockedValue { $0.closures } }

    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        let (turn, isFirst): (Turn, Bool) = state.withLockedValue { state in
            state.asked.append("\(name) \(interval.clampedMilliseconds)")
            let turn: Turn = state.turns.isEmpty ? .success(.after(.zero)) : state.turns.removeFirst()
            return (turn, state.asked.count == 1)
        }
        if isFirst, delay > .zero { try await spawner.sleep(for: delay) }
        return try turn.get()
    }

    func close(_ name: String, for time: Duration) async throws {
        state.withLockedValue { $0.closures.append("\(name) \(time.clampedMilliseconds)") }
        if let failure { throw failure }
    }
}

/// Gives turns as a store does, and tells of them late.
private final class LatePace: SharedPace {
    private struct State {
        var next = MonotonicInstant.distantPast
        var calls = 0
    }

    private let state = NIOLockedValueBox(State())
    private let spawner: TestSpawner
    private let late: @Sendable (_ call: Int) -> Duration

    init(_ spawner: TestSpawner, late: @escaping @Sendable (_ call: Int) -> Duration) {
        self.spawner = spawner
        self.late = late
    }

    var calls: Int { state.withLockedValue { $0.calls } }

    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        let now = spawner.now()
        let (call, turn) = state.withLockedValue { state in
            let turn = max(now, state.next)
            state.next = turn + interval
            defer { state.calls += 1 }
            return (state.calls, turn)
        }
        try await spawner.sleep(for: late(call))
        return .after(turn - now)
    }

    func close(_ name: String, for time: Duration) async throws {}
}

/// A store outside the process, as it seems.
private final class PacingStore: ForwardingStore, SharedPace {
    private let base = MemoryStore()
    private let pace: ScriptedPace

    init(pace: ScriptedPace) { self.pace = pace }

    package func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        try await body(base)
    }

    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        try await pace.turn(name, every: interval)
    }

    func close(_ name: String, for time: Duration) async throws { try await pace.close(name, for: time) }
}
