import Freshet
import FreshetRedis
import FreshetTesting
import RESP
import Testing

@Suite("A pace that a server keeps", .timeLimit(.minutes(3)))
struct SharedPaceTests {
    enum Server: CaseIterable {
        case redis, cluster, upstash

        /// Two of them, each with a client of its own where there is more than one.
        var executors: [any CommandExecutor] {
            get async throws {
                let fixture = RedisFixture.shared
                switch self {
                case .redis: return [try await fixture.executor(.resp2), try await fixture.executor(.resp3)]
                case .cluster: return Array(repeating: try await fixture.clusterExecutor(), count: 2)
                case .upstash:
                    let clients = [try await fixture.executor(.resp2), try await fixture.executor(.resp3)]
                    return clients.map { WithoutFlags(base: $0) }
                }
            }
        }

        func stores() async throws -> [RedisStore] {
            try await executors.map { RedisStore($0, dialect: self == .upstash ? .upstash : .redis) }
        }
    }

    private static let hour = Duration.seconds(3600)
    private let name = "test-\(UInt64.random(in: 0 ... .max))"
    private var key: String { "freshet:pace:\(name)" }

    @Test("turns are an interval apart, whoever asks, and none is lost or given twice", arguments: Server.allCases)
    func turns(on server: Server) async throws {
        let stores = try await server.stores()
        let (name, interval) = (name, Duration.seconds(1))
        let start = ContinuousClock.now
        let turns = try await withThrowingTaskGroup(of: SharedTurn.self) { group in
            for number in 0..<20 { group.addTask { try await stores[number % 2].turn(name, every: interval) } }
            return try await group.reduce(into: [SharedTurn]()) { $0.append($1) }
        }
        // As long as all that took, and a little for the server's clock, a turn may come sooner after its answer.
        let slack = ContinuousClock.now - start + .milliseconds(50)
        let waits = turns.compactMap { turn -> Duration? in
            if case .after(let time) = turn { time } else { nil }
        }.sorted()
        #expect(waits.count == 20)
        for (number, wait) in waits.enumerated() {
            #expect(wait <= interval * number && wait >= interval * number - slack, "\(number): \(wait)")
        }
    }

    @Test("no turn is given for later than in 30 seconds", arguments: Server.allCases)
    func horizon(on server: Server) async throws {
        let store = try await server.stores()[0]
        #expect(try await store.turn(name, every: Self.hour) == .after(.zero))
        let full = try await store.turn(name, every: Self.hour)
        guard case .full(let time) = full else { throw Unexpected(turn: full) }
        #expect(time <= .seconds(3570) && time > .seconds(3000))
        _ = try await server.executors[0].execute(RESPCommand("PEXPIRE", key, 30_000))
        let last = try await store.turn(name, every: Self.hour)
        guard case .after(let wait) = last else { throw Unexpected(turn: last) }
        #expect(wait <= .seconds(30))
        let next = try await store.turn(name, every: Self.hour)
        guard case .full = next else { throw Unexpected(turn: next) }
    }

    @Test("a turn further ahead than any is does not count: a clock was set back", arguments: Server.allCases)
    func clockSetBack(on server: Server) async throws {
        let store = try await server.stores()[0]
        #expect(try await store.turn(name, every: .seconds(1)) == .after(.zero))
        _ = try await server.executors[0].execute(RESPCommand("PEXPIRE", key, 3_600_000))
        #expect(try await store.turn(name, every: .seconds(1)) == .after(.zero))
        let next = try await store.turn(name, every: .seconds(1))
        guard case .after(let time) = next else { throw Unexpected(turn: next) }
        #expect(time <= .seconds(1))
    }

    @Test("a closure holds for all, is not made shorter, and ends", arguments: Server.allCases)
    func closure(on server: Server) async throws {
        let stores = try await server.stores()
        let name = name
        func closed() async throws -> Duration {
            let turn = try await stores[1].turn(name, every: .milliseconds(1))
            guard case .closed(let time) = turn else { throw Unexpected(turn: turn) }
            return time
        }
        #expect(try await stores[1].turn(name, every: .seconds(600)) == .after(.zero))
        try await stores[0].close(name, for: .milliseconds(1))
        // Not before the next turn.
        #expect(try await closed() > .seconds(500))
        try await stores[0].close(name, for: Self.hour)
        try await stores[0].close(name, for: .seconds(1))
        let time = try await closed()
        #expect(time > .seconds(3000) && time <= Self.hour)
        _ = try await server.executors[0].execute(RESPCommand("PEXPIRE", key, 1))
        try await waitUntil("the end of the closure") {
            try await stores[1].turn(name, every: .milliseconds(1)) == .after(.zero)
        }
    }

    @Test("what another program has put there is no turn", arguments: ["turn 1000", "closed 1000", "turn", "7"])
    func foreignText(value: String) async throws {
        let executor = try await Server.redis.executors[0]
        let store = RedisStore(executor)
        _ = try await executor.execute(RESPCommand("SET", key, value))
        // Without an end what looks like ours is none.
        let ends = !value.contains(" ")
        if ends { _ = try await executor.execute(RESPCommand("PEXPIRE", key, 3_600_000)) }
        #expect(try await store.turn(name, every: .seconds(1)) == .after(.zero))
        _ = try await executor.execute(RESPCommand("SET", key, value))
        if ends { _ = try await executor.execute(RESPCommand("PEXPIRE", key, 3_600_000)) }
        try await store.close(name, for: .seconds(600))
        let rest = try await executor.execute(RESPCommand("PTTL", key)).integer ?? -1
        #expect(rest > 0 && rest <= 600_000)
    }

    @Test("a key of another type is an error, and stays")
    func foreignType() async throws {
        let executor = try await Server.redis.executors[0]
        let store = RedisStore(executor)
        _ = try await executor.execute(RESPCommand("HSET", key, "a", "b"))
        let turn = await #expect(throws: CacheError.self) { try await store.turn(name, every: .seconds(1)) }
        let closure = await #expect(throws: CacheError.self) { try await store.close(name, for: .seconds(1)) }
        #expect([turn?.code, closure?.code] == [.storeRejected, .storeRejected])
        #expect(try await executor.execute(RESPCommand("HGET", key, "a")).string == "b")
    }

    @Test(
        "an answer that is none is an error",
        arguments: [RESPValue.null, .integer(1), .array([.integer(1), .integer(2)]), .array([.integer(1)])]
    )
    func strangeAnswer(answer: RESPValue) async throws {
        let store = RedisStore(StubExecutor { _ in answer })
        let error = await #expect(throws: CacheError.self) { try await store.turn("a", every: .seconds(1)) }
        #expect(error?.code == .storeRejected)
    }

    private struct Unexpected: Error {
        let turn: SharedTurn
    }
}
