import Freshet
import FreshetRedis
import Logging
import NIOCore
import RESP
import Testing

@Suite struct RedisStoreErrorTests {
    private func error(_ answer: @escaping @Sendable (RESPCommand) async throws -> RESPValue) async -> [CacheError] {
        let store = RedisStore(StubExecutor(answer))
        let lease = Lease(token: "t", generation: Generation("g"), digest: "")
        let operations: [@Sendable () async throws -> Void] = [
            { try await store.ping() },
            { _ = try await store.get("key") },
            { _ = try await store.mget(["key"]) },
            { _ = try await store.hgetall("key") },
            { _ = try await store.incr("key", by: 1) },
            { _ = try await store.readEntry("key", EntryRead(freshFor: .seconds(1))) },
            { _ = try await store.fillEntry("key", lease, with: EntryFill(content: .absent, freshFor: .seconds(1))) },
            { try await store.invalidateEntry("key", .remove) },
        ]
        var errors: [CacheError] = []
        for operation in operations {
            do {
                try await operation()
                Issue.record("it succeeded")
            } catch let error as CacheError {
                errors.append(error)
            } catch {
                Issue.record("another error: \(error)")
            }
        }
        return errors
    }

    @Test(arguments: [
        "WRONGTYPE Operation against a key", "OOM command not allowed", "NOPERM no", "ERR DB capacity quota exceeded",
        "NOREPLICAS Not enough good replicas to write.",
    ])
    func whatTheServerRefusesIsRejected(_ text: String) async {
        for error in await error({ _ in .error(RESPError(text)) }) {
            #expect(error.code == .storeRejected)
            #expect(error.message.contains(text))
        }
    }

    @Test(
        arguments: [
            ("NOAUTH Authentication required.", Refusal.credentials), ("WRONGPASS invalid", .credentials),
            ("NOPERM this user has no permissions", .credentials),
            ("ERR The user executing the script can't run this command or subcommand", .credentials),
            ("ERR ACL failure in script: User app has no permissions to run the 'set' command", .credentials),
            ("ERR max requests limit exceeded. Limit: 1", .quota),
            ("ERR max daily request limit exceeded", .quota), ("ERR Max monthly request limit exceeded", .quota),
            ("ERR DB capacity quota exceeded", .quota), ("ERR max request size exceeded", nil),
            ("ERR syntax error", nil), ("READONLY You can't write", nil),
        ] as [(String, Refusal?)]
    )
    func whatSomebodyHasToMendIsSaid(_ text: String, _ refusal: Refusal?) async {
        for error in await error({ _ in .error(RESPError(text)) }) { #expect(error.refusal == refusal) }
    }

    @Test(arguments: [
        ("ERR The user executing the script can't run this command or subcommand", true),
        ("ERR ACL failure in script: User app has no permissions to run the 'pexpireat' command", true),
        ("NOPERM this user has no permissions", false), ("OOM command not allowed", false),
    ])
    func whatStopsAScriptOnItsWayIsToldFromWhatRefusesIt(_ text: String, _ isHalfDone: Bool) async {
        for error in await error({ _ in .error(RESPError(text)) }) { #expect(error.isHalfDone == isHalfDone) }
    }

    @Test(arguments: [(CommandObstacle.credentials, Refusal.credentials), (.quota, .quota)])
    func whatNoReplyComesForMayHaveToBeMended(_ obstacle: CommandObstacle, _ refusal: Refusal) async {
        for error in await error({ _ in throw StubTransportError(obstacle: obstacle) }) {
            #expect(error.code == .storeUnavailable)
            #expect(error.refusal == refusal)
        }
    }

    @Test(arguments: [
        "LOADING Redis is loading", "CLUSTERDOWN Hash slot not served", "READONLY You can't write", "BUSY script",
        "ERR max requests limit exceeded. Limit: 1", "ERR max monthly request limit exceeded",
    ])
    func whatPassesIsUnavailable(_ text: String) async {
        for error in await error({ _ in .error(RESPError(text)) }) {
            #expect(error.code == .storeUnavailable)
            #expect(error.message.contains(text.prefix { $0 != " " }))
        }
    }

    @Test("C8: a server whose snapshot failed, and that refuses even PING for that, answers")
    func failedSnapshot() async throws {
        let store = RedisStore(
            StubExecutor { _ in .error(RESPError("MISCONF Redis is configured to save RDB snapshots")) }
        )
        try await store.ping()
        let error = await #expect(throws: CacheError.self) { try await store.invalidateEntry("key", .remove) }
        #expect(error?.code == .storeRejected)
    }

    @Test(
        "C1: an invalidation is given up for the key's own sake only, and not where the database is full",
        arguments: [(nil, true), (CommandObstacle.quota, false)] as [(CommandObstacle?, Bool)]
    )
    func refusedInvalidation(obstacle: CommandObstacle?, isFinal: Bool) async throws {
        let store = RedisStore(
            StubExecutor { command in
                if command.name == "PING" { return .simpleString("PONG") }
                throw StubTransportError(isRefusal: true, obstacle: obstacle)
            }
        )
        let logger = Logger(label: "test")
        let cache = CacheService(store: store, logger: logger)
        try await cache.initialize()
        let field = Field("agents", ttl: .seconds(600)) { 1 }
        let node = FieldCache(cache: cache, catalog: try FieldCatalog([field]), logger: logger)
        if isFinal {
            await #expect(throws: CacheError.self) { try await node.remove(field) }
        } else {
            #expect(try await node.remove(field) == .queued)
        }
        await node.shutdown()
    }

    @Test("of a comparison of many keys, only what ails the server is an error")
    func checkedEntries() async throws {
        func known(_ text: String) async throws -> [EntryRead.Known?] {
            let store = RedisStore(
                StubExecutor { command in
                    guard command.arguments.first?.string == "{bad}:meta" else {
                        return .array(["1", "g", "d"].map { .bulkString(ByteBuffer(string: $0)) })
                    }
                    return .error(RESPError(text))
                }
            )
            return try await store.checkEntries(["a", "bad", "b"])
        }
        let good = EntryRead.Known(generation: Generation("g"), digest: "d")
        for text in ["WRONGTYPE Operation against a key", "ERR max request size exceeded"] {
            #expect(try await known(text) == [good, nil, good])
        }
        for text in ["LOADING Redis is loading", "NOPERM no", "ERR max monthly request limit exceeded"] {
            await #expect(throws: CacheError.self) { try await known(text) }
        }
    }

    @Test("fields of a hash whose names are no text are an error, not one field")
    func hashOfBytes() async throws {
        let names = [[0x66, 0xFF], [0x66, 0xFE]].map { RESPValue.bulkString(ByteBuffer(bytes: $0 as [UInt8])) }
        let value = RESPValue.bulkString(ByteBuffer(string: "1"))
        let store = RedisStore(StubExecutor { _ in .array([names[0], value, names[1], value]) })
        let error = await #expect(throws: CacheError.self) { try await store.hgetall("key") }
        #expect(error?.code == .storeRejected)
    }

    @Test func argumentsThatAServerRepeatsAreNotTold() async {
        let text = "ERR unknown command 'EVALSHA', with args beginning with: 'secret' "
        for error in await error({ _ in .error(RESPError(text)) }) {
            #expect(!"\(error)".contains("secret"))
        }
    }

    @Test func transportErrorsAreUnavailableOrTimedOut() async {
        for error in await error({ _ in throw StubTransportError() }) {
            #expect(error.code == .storeUnavailable)
            #expect(error.message == "the store cannot be reached: connection refused")
        }
        for error in await error({ _ in throw StubTransportError(isTimeout: true) }) {
            #expect(error.code == .storeTimedOut)
            #expect(error.message == "the store did not answer in time: connection refused")
        }
    }

    @Test func cancellationPassesAsItself() async {
        let store = RedisStore(StubExecutor { _ in throw CancellationError() })
        await #expect(throws: CancellationError.self) { _ = try await store.get("key") }
        await #expect(throws: CancellationError.self) { try await store.invalidateEntry("key", .expire) }
    }

    @Test func aDriversErrorInACancelledTaskIsCancellation() async {
        let store = RedisStore(StubExecutor { _ in throw StubTransportError() })
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await store.get("key")
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// Whatever a script may answer: an error that says so, never a trap and never a value.
    @Test(arguments: [
        RESPValue.null, .integer(7), .array([]), .array([.null]), .simpleString("OK"), .boolean(true),
        .array([.bulkString(ByteBuffer(string: "granted"))]), .map([]),
        .array([.bulkString(ByteBuffer(string: "value"))] + Array(repeating: .null, count: 12)),
        .array([.bulkString(ByteBuffer(string: "elephant"))] + Array(repeating: .null, count: 12)),
        .array(Array(repeating: .array([.integer(-1)]), count: 3)),
    ])
    func unexpectedAnswersAreErrors(_ answer: RESPValue) async {
        let store = RedisStore(StubExecutor { _ in answer })
        let lease = Lease(token: "t", generation: Generation("g"), digest: "")
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(1), freshFor: .seconds(1))
        let fill = EntryFill(content: .absent, freshFor: .seconds(1))
        for _ in 0..<2 {
            let errors = await [
                #expect(throws: CacheError.self) { try await store.readEntry("key", EntryRead(freshFor: .seconds(1))) },
                #expect(throws: CacheError.self) { try await store.leaseEntry("key", request) },
                #expect(throws: CacheError.self) { try await store.fillEntry("key", lease, with: fill) },
            ]
            #expect(errors.allSatisfy { $0?.code == .storeRejected })
        }
    }
}
