import Freshet
import Testing

/// An operation of the cache service that asks the store, with the fallback it answers with.
struct CacheOperation: Sendable, CustomTestStringConvertible {
    let name: String
    let operation: StoreOperation
    let fallback: String
    let lenient: @Sendable (CacheService) async throws -> String
    let strict: @Sendable (StrictCache) async throws -> String

    var testDescription: String { name }

    init<Answer>(
        _ name: String,
        _ operation: StoreOperation,
        fallback: Answer,
        _ lenient: @escaping @Sendable (CacheService) async throws -> Answer,
        _ strict: @escaping @Sendable (StrictCache) async throws -> Answer
    ) {
        self.name = name
        self.operation = operation
        self.fallback = "\(fallback)"
        self.lenient = { "\(try await lenient($0))" }
        self.strict = { "\(try await strict($0))" }
    }

    static let all: [CacheOperation] = [
        .init("get", .get, fallback: Int?.none, { try await $0.get("k") }, { try await $0.get("k") }),
        .init(
            "mget",
            .mget,
            fallback: [Int?.none, nil],
            { try await $0.mget(["k", "l"]) },
            { try await $0.mget(["k", "l"]) }
        ),
        .init(
            "set",
            .set,
            fallback: CacheService.SetOutcome.failed,
            { try await $0.set("k", 1, options: CacheOptions()) },
            { try await $0.set("k", 1, options: CacheOptions()) }
        ),
        .init(
            "set ex",
            .set,
            fallback: CacheService.SetOutcome.failed,
            { try await $0.set("k", 1, ex: 5, nx: true) },
            { try await $0.set("k", 1, ex: 5, nx: true) }
        ),
        .init("del", .del, fallback: 0, { try await $0.del("k", "l") }, { try await $0.del("k", "l") }),
        .init("exists", .exists, fallback: false, { try await $0.exists("k") }, { try await $0.exists("k") }),
        .init("incr", .incr, fallback: 0, { try await $0.incr("k", by: 2) }, { try await $0.incr("k", by: 2) }),
        .init(
            "expire",
            .expire,
            fallback: false,
            { try await $0.expire("k", seconds: 5) },
            { try await $0.expire("k", seconds: 5) }
        ),
        .init(
            "expire after",
            .expire,
            fallback: false,
            { try await $0.expire("k", after: .milliseconds(5)) },
            { try await $0.expire("k", after: .milliseconds(5)) }
        ),
        .init("ttl", .ttl, fallback: 0, { try await $0.ttl("k") }, { try await $0.ttl("k") }),
        .init("hget", .hget, fallback: Int?.none, { try await $0.hget("k", "f") }, { try await $0.hget("k", "f") }),
        .init("hset", .hset, fallback: 0, { try await $0.hset("k", "f", 1) }, { try await $0.hset("k", "f", 1) }),
        .init(
            "hset many",
            .hset,
            fallback: 0,
            { try await $0.hset("k", ["f": 1]) },
            { try await $0.hset("k", ["f": 1]) }
        ),
        .init(
            "hgetall",
            .hgetall,
            fallback: [String: Int](),
            { try await $0.hgetall("k") },
            { try await $0.hgetall("k") }
        ),
        .init("hdel", .hdel, fallback: 0, { try await $0.hdel("k", "f") }, { try await $0.hdel("k", "f") }),
    ]
}
