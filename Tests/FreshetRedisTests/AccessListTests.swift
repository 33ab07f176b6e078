import Foundation
import Freshet
import FreshetRedis
import FreshetTesting
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// A user of Redis who may do no more than the documentation says is needed.
@Suite("Access lists", .timeLimit(.minutes(1)))
struct AccessListTests {
    private static let long = Duration.seconds(600)

    /// The commands in docs/stores.md, for the field's key `agents_list`.
    private func documented() throws -> [String] {
        var repository = URL(filePath: #filePath)
        for _ in 1...3 { repository.deleteLastPathComponent() }
        let page = try String(contentsOf: repository.appending(path: "docs/stores.md"), encoding: .utf8)
        return page.split(separator: "\n").filter { $0.hasPrefix("ACL SETUSER ") }.map(String.init)
    }

    /// Runs all scripts, in all that they do to the value and its companion.
    private func useAll(of store: RedisStore, _ key: String, besides server: RedisServer) async throws {
        func lease(_ purpose: LeaseRequest.Purpose = .renew) async throws -> Lease {
            let request = LeaseRequest(purpose: purpose, holdFor: Self.long, freshFor: Self.long)
            return try await store.grantedLease(key, request)
        }
        func fill(_ content: EntryFill.Content) async throws {
            let lease = try await lease()
            let fill = EntryFill(content: content, freshFor: Self.long, staleFor: Self.long)
            #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
        }
        func read(_ known: EntryRead.Known? = nil) async throws -> EntrySnapshot {
            try await store.readEntry(key, EntryRead(freshFor: Self.long, known: known))
        }
        let bytes = ByteBuffer(string: "[1]")
        try await fill(.value(bytes, digest: bytes.sha1))
        let snapshot = try await read()
        #expect(snapshot.content == .value(bytes))
        let generation = try #require(snapshot.generation)
        #expect(try await read(EntryRead.Known(generation: generation, digest: bytes.sha1)).content == .unchanged)
        #expect(try await store.checkEntries([key]).first??.generation == generation)

        try await store.invalidateEntry(key, .expire)
        #expect(try await read().content == .value(bytes))
        try await fill(.unchanged)
        let failure = EntryFailure(count: 1, code: "sourceFailed", message: "down", retryAfter: .seconds(1))
        #expect(try await store.failEntry(key, try await lease(.force(.expire, cooldown: .zero)), with: failure))
        try await store.releaseEntry(key, token: try await lease().token)

        let changes: [(String, EntrySnapshot.Content)] = [
            ("SET \(key) [9]", .value(ByteBuffer(string: "[9]"))),
            ("SET \(key) [8] PX 500000", .value(ByteBuffer(string: "[8]"))), ("DEL \(key)", .gone),
        ]
        for (command, content) in changes {
            try server.command(command)
            #expect(try await read().content == content)
        }
        try await fill(.absent)
        #expect(try await read().content == .absent)
        try await store.invalidateEntry(key, .remove)
    }

    @Test("a user with the rights that are documented can do all that a field needs, and no more")
    func suffices() async throws {
        let server = try await RedisServer.start()
        let commands = try documented()
        #expect(!commands.isEmpty)
        for command in commands { try server.command(command) }
        var configuration = try RedisClient.Configuration(url: "redis://freshet:secret@127.0.0.1:\(server.port)")
        configuration.commandTimeout = .seconds(30)
        let client = RedisClient(configuration)
        let store = RedisStore(client)
        let events = NIOLockedValueBox<[BackplaneEvent]>([])
        let backplane = RedisBackplane(client: client) { client.connectionEvents }
        let listening = Task { await backplane.listen { event in events.withLockedValue { $0.append(event) } } }
        try await waitUntil("the subscription") { events.withLockedValue { $0.last } == .live }

        try await store.ping()
        try await useAll(of: store, "agents_list", besides: server)
        try await waitUntil("a message") {
            events.withLockedValue { $0.contains { if case .changed = $0 { true } else { false } } }
        }
        #expect(try await client.execute(RESPCommand("INFO", "replication")).string?.contains("master_replid") == true)

        let notice = "freshet:notice:agents"
        let options = try CacheOptions(ex: 60, nx: true)
        #expect(try await store.set(notice, ByteBuffer(string: "true"), options: options))
        #expect(try await store.get(notice) == ByteBuffer(string: "true"))
        #expect(try await store.ttl(notice) != .missing)

        for _ in 1...2 {
            guard case .after = try await store.turn("airtable:appA", every: .seconds(1)) else {
                throw CacheError(.storeRejected, "no turn")
            }
        }
        try await store.close("airtable:appA", for: .seconds(1))

        let refusal = await #expect(throws: CacheError.self) { try await store.get("another") }
        #expect(refusal?.refusal == .credentials)
        listening.cancel()
        await listening.value
    }

    /// - Parameter allowed: what its user may do.
    private static func store(of server: RedisServer, allowed: String) throws -> RedisStore {
        try server.command("ACL SETUSER app on >secret \(allowed)")
        var configuration = try RedisClient.Configuration(url: "redis://app:secret@127.0.0.1:\(server.port)")
        configuration.commandTimeout = .seconds(30)
        return RedisStore(RedisClient(configuration))
    }

    @Test("a user without the keys of paces is told what to grant, and nobody else is troubled")
    func mayKeepNoPace() async throws {
        let server = try await RedisServer.start()
        let store = try Self.store(of: server, allowed: "~agents &* +@all")
        let name = "airtable:appA"
        let turn = await #expect(throws: CacheError.self) { try await store.turn(name, every: .seconds(1)) }
        let closure = await #expect(throws: CacheError.self) { try await store.close(name, for: .seconds(1)) }
        for error in [turn, closure] {
            #expect(error?.code == .storeRejected)
            #expect(error?.message.contains("~freshet:pace:*") == true)
            // Which would be notified of as a refused password.
            #expect(error?.refusal == nil)
        }
    }

    @Test("what a user may not publish is not done either, and the error says what to grant")
    func mayNotPublish() async throws {
        let server = try await RedisServer.start()
        let app = try Self.store(of: server, allowed: "resetchannels ~* +@all")
        let other = RedisStore(RedisFixture.client(port: server.port))
        func lease(_ key: String, _ store: RedisStore) async throws -> Lease {
            let request = LeaseRequest(purpose: .read, holdFor: Self.long, freshFor: Self.long)
            return try await store.grantedLease(key, request)
        }
        let bytes = ByteBuffer(string: "[1]")
        let fill = EntryFill(content: .value(bytes, digest: bytes.sha1), freshFor: Self.long)
        let read = EntryRead(freshFor: Self.long)
        let refused = try await lease("refused", app)
        let stored = try await lease("stored", other)
        #expect(try await other.fillEntry("stored", stored, with: fill) == .stored(stored.generation))
        try server.command("SET foreign [9]")

        let force = LeaseRequest(
            purpose: .force(.expire, cooldown: .zero),
            holdFor: Self.long,
            freshFor: Self.long
        )
        let changes: [@Sendable () async throws -> Void] = [
            { _ = try await app.fillEntry("refused", refused, with: fill) },
            { try await app.invalidateEntry("stored", .expire) },
            { try await app.invalidateEntry("stored", .remove) },
            { _ = try await app.leaseEntry("stored", force) },
            { _ = try await app.readEntry("foreign", read) },
            { try await app.checkChannel() },
        ]
        for change in changes {
            let error = await #expect(throws: CacheError.self) { try await change() }
            #expect(error?.refusal == .credentials)
            #expect(error?.message.contains("&\(InvalidationMessage.channel)") == true)
        }
        #expect(try await other.exists(["refused", "{foreign}:meta"]) == 0)
        let snapshot = try await other.readEntry("stored", read)
        #expect(snapshot.content == .value(bytes))
        #expect(snapshot.generation == stored.generation)
        #expect(snapshot.freshFor > .zero)
    }
}
