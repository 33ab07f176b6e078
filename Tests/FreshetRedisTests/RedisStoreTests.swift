import Freshet
import FreshetRedis
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RedisStoreTests {
    private let long = Duration.seconds(1000)

    @discardableResult
    private func load(
        _ store: RedisStore,
        _ key: String,
        _ text: String,
        staleFor: Duration = .zero
    ) async throws -> Lease {
        let request = LeaseRequest(purpose: .renew, holdFor: long, freshFor: long)
        let lease = try await store.grantedLease(key, request)
        let bytes = ByteBuffer(string: text)
        let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: long, staleFor: staleFor)
        #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
        return lease
    }

    // MARK: Stored form

    @Test(arguments: [("form-a", "{form-a}:meta"), ("{eu}:form-b", "{eu}:form-b:meta")])
    func aFreshValueIsPlainAndEndsWithItsFreshness(_ key: String, _ companion: String) async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let store = RedisStore(client)
        try await load(store, key, "[1,2]", staleFor: long)
        #expect(try await client.execute(RESPCommand("GET", key)).string == "[1,2]")
        let plainEnd = try await client.execute(RESPCommand("PEXPIRETIME", key)).integer
        let freshUntil = try await client.execute(RESPCommand("HGET", companion, "freshUntil")).integer
        #expect(plainEnd == freshUntil)
        let staleUntil = try await client.execute(RESPCommand("HGET", companion, "staleUntil")).integer
        #expect(try await client.execute(RESPCommand("PEXPIRETIME", companion)).integer == staleUntil)
    }

    @Test func aStaleCopyIsKeptOnlyWhereThereIsAStaleWindow() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let store = RedisStore(client)
        try await load(store, "copy", "[1]")
        #expect(try await client.execute(RESPCommand("HEXISTS", "{copy}:meta", "copy")).integer == 0)
        try await load(store, "copy", "[2]", staleFor: long)
        #expect(try await client.execute(RESPCommand("HGET", "{copy}:meta", "copy")).string == "[2]")
        try await load(store, "copy", "[3]")
        #expect(try await client.execute(RESPCommand("HEXISTS", "{copy}:meta", "copy")).integer == 0)
        try await store.invalidateEntry("copy", .expire)
        #expect(try await client.execute(RESPCommand("HGET", "{copy}:meta", "copy")).string == "[3]")
        try await store.invalidateEntry("copy", .remove)
        let left = try await client.execute(RESPCommand("HKEYS", "{copy}:meta")).array?.compactMap(\.string).sorted()
        #expect(left == ["generation", "version"])
        #expect(try await client.execute(RESPCommand("PTTL", "{copy}:meta")).integer ?? 0 > 50_000)
    }

    @Test func aCompanionOutlivesAnAdoptedValueThatNeverEnds() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let store = RedisStore(client)
        _ = try await store.set("endless", ByteBuffer(string: "[1]"), options: CacheOptions())
        _ = try await store.readEntry("endless", EntryRead(freshFor: long))
        #expect(try await client.execute(RESPCommand("PTTL", "{endless}:meta")).integer == -1)
        try await load(store, "endless", "[2]")
        #expect(try await client.execute(RESPCommand("PTTL", "{endless}:meta")).integer ?? 0 > 0)
    }

    @Test func ofAnAdoptedValueThatOutlastsItsStaleWindowNoCopyIsKept() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let store = RedisStore(client)
        let value = ByteBuffer(string: "[1]")
        let expiries: [(CacheOptions.Expiry, copies: Int)] = [(.never, 0), (.after(long * 3), 0), (.after(long), 1)]
        for (index, (expiry, copies)) in expiries.enumerated() {
            let key = "adopted-\(index)"
            _ = try await store.set(key, value, options: CacheOptions(expiry: expiry))
            let read = EntryRead(freshFor: long, staleFor: long)
            #expect(try await store.readEntry(key, read).content == .value(value))
            #expect(try await client.execute(RESPCommand("HEXISTS", "{\(key)}:meta", "copy")).integer == copies)
            try await store.invalidateEntry(key, .expire)
            let stale = try await store.readEntry(key, read)
            #expect(stale.content == .value(value))
            #expect(stale.freshFor <= .zero)
            #expect(try await client.execute(RESPCommand("PTTL", "{\(key)}:meta")).integer ?? 0 > 0)
        }
    }

    // MARK: Reads

    @Test func aReadOfWhatIsFreshWritesNothing() async throws {
        let server = try await RedisServer.start()
        let client = RedisFixture.client(port: server.port)
        let store = RedisStore(client)
        try await load(store, "key", "[1]", staleFor: long)
        let before = try await client.execute(RESPCommand("INFO", "persistence")).string ?? ""
        for _ in 0..<10 { _ = try await store.readEntry("key", EntryRead(freshFor: long)) }
        let after = try await client.execute(RESPCommand("INFO", "persistence")).string ?? ""
        #expect(changes(before) != nil)
        #expect(changes(before) == changes(after))
    }

    private func changes(_ info: String) -> Substring? {
        info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("rdb_changes_since_last_save") }
    }

    @Test func scriptsThatTheServerHasLostAreSentAgain() async throws {
        let server = try await RedisServer.start()
        let client = RedisFixture.client(port: server.port)
        let store = RedisStore(client)
        try await load(store, "key", "[1]")
        #expect(
            try await store.readEntry("key", EntryRead(freshFor: long)).content == .value(ByteBuffer(string: "[1]"))
        )
        try await client.execute(RESPCommand("SCRIPT", "FLUSH"))
        #expect(
            try await store.readEntry("key", EntryRead(freshFor: long)).content == .value(ByteBuffer(string: "[1]"))
        )
        try await client.execute(RESPCommand("SCRIPT", "FLUSH"))
        try await store.invalidateEntry("key", .expire)
        try await load(store, "key", "[2]")
        #expect(
            try await store.readEntry("key", EntryRead(freshFor: long)).content == .value(ByteBuffer(string: "[2]"))
        )
    }

    @Test func aServerShortOfMemoryStillInvalidates() async throws {
        let server = try await RedisServer.start()
        let client = RedisFixture.client(port: server.port)
        let store = RedisStore(client)
        try await load(store, "key", "[1]", staleFor: long)
        try await client.execute(RESPCommand("CONFIG", "SET", "maxmemory", "1"))
        let error = await #expect(throws: CacheError.self) {
            _ = try await store.set("other", ByteBuffer(string: "1"), options: CacheOptions())
        }
        #expect(error?.code == .storeRejected)
        #expect(error?.message.contains("OOM") == true)
        try await store.invalidateEntry("key", .remove)
        #expect(try await store.get("key") == nil)
        #expect(try await store.readEntry("key", EntryRead(freshFor: long)).content == .gone)
    }

    // MARK: Messages

    @Test func everyChangeIsPublished() async throws {
        let server = try await RedisServer.start()
        let client = RedisFixture.client(port: server.port)
        let store = RedisStore(client)
        let subscription = try await client.subscribe(to: [InvalidationMessage.channel])
        let key = "odd key: ñ\r\n{x}\u{1B}r"

        let lease = try await load(store, key, "[1]", staleFor: long)
        try await store.invalidateEntry(key, .expire)
        try await store.invalidateEntry(key, .remove)
        let force = LeaseRequest(purpose: .force(.expire, cooldown: .zero), holdFor: long, freshFor: long)
        _ = try await store.leaseEntry(key, force)
        _ = try await store.set(key, ByteBuffer(string: "[9]"), options: CacheOptions())
        let adopted = try await store.readEntry(key, EntryRead(freshFor: long))
        _ = try await store.del([key])
        let deleted = try await store.readEntry(key, EntryRead(freshFor: long))
        // Says nothing.
        _ = try await store.readEntry(key, EntryRead(freshFor: long))
        try await store.invalidateEntry("last", .remove)

        var messages: [InvalidationMessage] = []
        for try await case .message(let message) in subscription {
            let received = try #require(InvalidationMessage(payload: String(buffer: message.payload)))
            #expect(String(buffer: message.payload) == received.payload)
            if received.key == "last" { break }
            messages.append(received)
        }
        #expect(messages.map(\.action) == [.fill, .expire, .remove, .expire, .fill, .remove])
        #expect(messages.map(\.leaseMark) == [lease.mark] + Array(repeating: nil, count: 5))
        #expect(messages.allSatisfy { $0.key == key })
        #expect(messages.suffix(2).map { Generation($0.generation) } == [adopted.generation, deleted.generation])
    }
}
