import Freshet
import FreshetRedis
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
        "WRONGTYPE Operation against a key", "OOM command not allowed", "NOPERM no", "ERR max daily request limit",
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
            ("ERR max requests limit exceeded. Limit: 1", .quota),
            ("ERR max daily request limit exceeded", .quota), ("ERR DB capacity quota exceeded", .quota),
            ("ERR syntax error", nil), ("READONLY You can't write", nil),
        ] as [(String, Refusal?)]
    )
    func whatSomebodyHasToMendIsSaid(_ text: String, _ refusal: Refusal?) async {
        for error in await error({ _ in .error(RESPError(text)) }) { #expect(error.refusal == refusal) }
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
        "NOREPLICAS Not enough good replicas to write.", "MISCONF Errors writing to the AOF file",
    ])
    func whatPassesIsUnavailable(_ text: String) async {
        for error in await error({ _ in .error(RESPError(text)) }) {
            #expect(error.code == .storeUnavailable)
            #expect(error.message.contains(text.prefix { $0 != " " }))
        }
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
