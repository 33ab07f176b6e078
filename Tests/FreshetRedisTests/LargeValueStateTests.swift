import Freshet
import FreshetRedis
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import Testing

/// What is said of many fields at once must not wait for their values.
@Suite("The state of large values", .timeLimit(.minutes(1)))
struct LargeValueStateTests {
    enum Situation: CaseIterable {
        case held, stored, stale, foreign
    }

    @Test("is told without them", arguments: [RedisStore.Dialect.redis, .upstash], Situation.allCases)
    func state(over dialect: RedisStore.Dialect, _ situation: Situation) async throws {
        let executor = WeighingExecutor(base: WithoutFlags(base: try await RedisFixture.shared.executor(.resp3)))
        let store = RedisStore(executor, dialect: dialect)
        let text = String(repeating: "7", count: 100_000)
        var policy = FieldPolicy(ttl: .seconds(600))
        policy.staleWhileRevalidate = .seconds(600)
        let field = Field<String>("large", key: "large-\(dialect)-\(situation)", policy: policy) { _ in .value(text) }
        func makeNode() async throws -> FieldCache {
            let logger = Logger(label: "test")
            let cache = CacheService(store: store, timeout: .seconds(30), logger: logger)
            try await cache.initialize()
            return FieldCache(cache: cache, catalog: try FieldCatalog([field]), logger: logger)
        }
        let first = try await makeNode()
        if situation == .foreign {
            let value = ByteBuffer(string: "\"\(text)\"")
            #expect(try await store.set(field.erased.key, value, options: CacheOptions()))
        } else {
            #expect(try await first.value(of: field) == text)
        }
        if situation == .stale { try await first.expire(field) }
        let node = try await situation == .held ? first : makeNode()
        let before = executor.weight
        for _ in 0..<2 {
            let state = await node.state(of: field.erased)
            #expect(state.freshness == (situation == .stale ? .stale : .fresh))
            #expect(state.bytes == text.utf8.count + 2)
            #expect(state.age.map { $0 < .seconds(60) } == true)
        }
        #expect(executor.weight - before < 2000)
    }
}

/// Adds up the bytes of the strings in replies.
private final class WeighingExecutor: CommandExecutor {
    private let base: any CommandExecutor
    private let total = NIOLockedValueBox(0)

    init(base: any CommandExecutor) { self.base = base }

    var weight: Int { total.withLockedValue { $0 } }

    func execute(_ command: RESPCommand) async throws -> RESPValue {
        let reply = try await base.execute(command)
        total.withLockedValue { $0 += reply.weight }
        return reply
    }

    func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        let replies = try await base.execute(pipeline: pipeline)
        total.withLockedValue { $0 += RESPValue.array(replies).weight }
        return replies
    }
}

extension RESPValue {
    fileprivate var weight: Int { bytes?.readableBytes ?? (array ?? []).reduce(0) { $0 + $1.weight } }
}
