import Freshet
import FreshetRedis
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// What a service that counts commands would count, those within scripts among them.
@Suite("Commands of an operation", .timeLimit(.minutes(1)))
struct CommandCountTests {
    /// A server of its own, and a store that takes it for Upstash.
    private struct Bench {
        let server: RedisServer
        let client: RedisClient
        let store: RedisStore

        static let long = Duration.seconds(1000)

        init(_ dialect: RedisStore.Dialect = .upstash) async throws {
            server = try await RedisServer.start()
            client = RedisFixture.client(port: server.port)
            store = RedisStore(WithoutFlags(base: client), dialect: dialect)
        }

        func lease(_ key: String, _ purpose: LeaseRequest.Purpose = .renew) async throws -> Lease {
            let request = LeaseRequest(purpose: purpose, holdFor: Self.long, freshFor: Self.long)
            return try await store.grantedLease(key, request)
        }

        func fill(_ key: String, _ lease: Lease, _ text: String, staleFor: Duration = .zero) async throws {
            let bytes = ByteBuffer(string: text)
            let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: Self.long, staleFor: staleFor)
            #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
        }

        func read(_ key: String, known: EntryRead.Known? = nil) async throws -> EntrySnapshot {
            try await store.readEntry(key, EntryRead(freshFor: Self.long, known: known))
        }

        /// The names of the commands that a body makes the server run, in alphabetical order. Scripts are sent whole,
        /// since Redis does not know them by the digest that they have with their flags.
        func commands(_ body: () async throws -> Void) async throws -> String {
            try await client.execute(RESPCommand("CONFIG", "RESETSTAT"))
            try await body()
            let info = try await client.execute(RESPCommand("INFO", "commandstats")).string ?? ""
            var names: [String] = []
            for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_") {
                let parts = line.dropFirst("cmdstat_".count).split(whereSeparator: { ":=,".contains($0) })
                let figures = zip(parts.dropFirst(), parts.dropFirst(2)).filter {
                    ["calls", "failed_calls"].contains($0.0)
                }
                guard figures.count == 2, let calls = Int(figures[0].1), let failed = Int(figures[1].1),
                    parts[0] != "config|resetstat"
                else { continue }
                names += Array(repeating: String(parts[0]), count: calls - failed)
            }
            return names.sorted().joined(separator: " ")
        }
    }

    @Test("a load")
    func load() async throws {
        let bench = try await Bench()
        #expect(try await bench.commands { _ = try await bench.read("key") } == "eval get hmget time")
        var lease = Lease(token: "", generation: Generation(""), digest: "")
        let leased = try await bench.commands { lease = try await bench.lease("key", .read) }
        #expect(leased == "eval get hmget hset pexpireat time")
        let filled = try await bench.commands { try await bench.fill("key", lease, "[1]") }
        #expect(filled == "eval get hdel hmget hset pexpireat publish set time")
    }

    @Test("a load ahead of time, and one of what is stale")
    func renewal() async throws {
        let bench = try await Bench()
        try await bench.fill("key", try await bench.lease("key"), "[1]", staleFor: Bench.long)
        let renewed = try await bench.commands { _ = try await bench.lease("key") }
        #expect(renewed == "eval get hmget hset pexpireat time")
        let held = try await bench.commands { await #expect(throws: CacheError.self) { try await bench.lease("key") } }
        #expect(held == "eval get hmget time")
        let forced = try await bench.commands {
            _ = try await bench.lease("key", .force(.expire, cooldown: .zero))
        }
        #expect(forced == "del eval get hdel hmget hset pexpireat publish time")
        try await bench.store.invalidateEntry("key", .expire)
        let stale = try await bench.commands { _ = try await bench.lease("key", .read) }
        #expect(stale == "eval get hget hmget hset pexpireat time")
    }

    @Test("a read of what is fresh, held already or not, small or large", arguments: [10, 100_000])
    func reads(size: Int) async throws {
        let bench = try await Bench()
        try await bench.fill("key", try await bench.lease("key"), String(repeating: "7", count: size))
        var known: EntryRead.Known?
        let read = try await bench.commands {
            let snapshot = try await bench.read("key")
            known = EntryRead.Known(
                generation: try #require(snapshot.generation),
                digest: try #require(snapshot.digest)
            )
        }
        #expect(read == "eval get hmget time")
        let again = try await bench.commands {
            let content = try await bench.read("key", known: known).content
            #expect(content == .unchanged)
        }
        #expect(again == "eval get hmget time")
    }

    @Test("a lease is given up whose load has ended")
    func release() async throws {
        let bench = try await Bench()
        let lease = try await bench.lease("key")
        try await bench.fill("key", lease, "[1]")
        let released = try await bench.commands { try await bench.store.releaseEntry("key", token: lease.token) }
        #expect(released == "eval hmget time")
    }

    @Test("an invalidation, and what is left of it")
    func invalidation() async throws {
        let bench = try await Bench()
        try await bench.fill("key", try await bench.lease("key"), "[1]", staleFor: Bench.long)
        let expired = try await bench.commands { try await bench.store.invalidateEntry("key", .expire) }
        #expect(expired == "del eval get hdel hmget hset pexpireat publish time")
        let snapshot = try await bench.read("key")
        let known = EntryRead.Known(
            generation: try #require(snapshot.generation),
            digest: try #require(snapshot.digest)
        )
        #expect(try await bench.commands { _ = try await bench.read("key") } == "eval get hget hmget time")
        let held = try await bench.commands { _ = try await bench.read("key", known: known) }
        #expect(held == "eval get hmget time")
        let removed = try await bench.commands { try await bench.store.invalidateEntry("key", .remove) }
        #expect(removed == "del eval get hdel hmget hset pexpireat publish time")
    }

    @Test("what a load brings of what is stale: that it has not changed, or nothing; and an invalidation meanwhile")
    func loadOfStale() async throws {
        let bench = try await Bench()
        func leased() async throws -> Lease {
            try await bench.fill("key", try await bench.lease("key"), "[1]", staleFor: Bench.long)
            try await bench.store.invalidateEntry("key", .expire)
            return try await bench.lease("key")
        }
        var lease = try await leased()
        let unchanged = EntryFill(content: .unchanged, freshFor: Bench.long, staleFor: Bench.long)
        let filled = try await bench.commands { _ = try await bench.store.fillEntry("key", lease, with: unchanged) }
        #expect(filled == "eval get hdel hget hmget hset pexpireat publish set time")
        lease = try await leased()
        let expired = try await bench.commands { try await bench.store.invalidateEntry("key", .expire) }
        #expect(expired == "del eval get hdel hget hmget hset pexpireat publish time")
        lease = try await leased()
        let failure = EntryFailure(count: 1, code: "sourceFailed", message: "down", retryAfter: .seconds(1))
        let failed = try await bench.commands { try await bench.store.failEntry("key", lease, with: failure) }
        #expect(failed == "eval hdel hmget hset pexpireat time")
    }

    @Test("a slot of a schedule, with a read to be noted")
    func slot() async throws {
        let bench = try await Bench()
        let slot = ScheduledSlot(start: .zero, lastRead: .zero, idleAfter: Bench.long, keepFor: Bench.long)
        let granted = try await bench.commands { _ = try await bench.lease("key", .scheduled(slot)) }
        #expect(granted == "eval get hmget hset hset pexpireat pexpireat time")
    }

    @Test("a comparison after a gap: one a key", arguments: [RedisStore.Dialect.redis, .upstash])
    func comparison(_ dialect: RedisStore.Dialect) async throws {
        let bench = try await Bench(dialect)
        #expect(try await bench.commands { _ = try await bench.store.checkEntries(["a"]) } == "hmget")
        let many = try await bench.commands { _ = try await bench.store.checkEntries(["a", "b", "c"]) }
        #expect(many == "hmget hmget hmget")
    }

    @Test("a turn of a shared pace, and its closure")
    func pace() async throws {
        let bench = try await Bench()
        func turn() async throws -> String {
            try await bench.commands { _ = try await bench.store.turn("a", every: .seconds(25)) }
        }
        #expect(try await turn() == "eval get set")
        #expect(try await turn() == "eval get pttl set")
        #expect(try await bench.commands { try await bench.store.close("a", for: Bench.long) } == "eval get pttl set")
        #expect(try await turn() == "eval get pttl")
    }

    @Test("a look at the store, and a plain value")
    func plain() async throws {
        let bench = try await Bench()
        #expect(try await bench.commands { try await bench.store.ping() } == "ping")
        #expect(try await bench.commands { _ = try await bench.store.mget(["a", "b"]) } == "mget")
    }
}
