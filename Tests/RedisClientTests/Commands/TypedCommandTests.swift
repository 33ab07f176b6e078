import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

@Suite struct TypedCommandTests {
    @Test(arguments: RESPProtocol.allCases)
    func haveTheTypesOfTheirReplies(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.version = version }
        #expect(try await client.get("a") == nil)
        #expect(try await client.set("a", to: "1", onlyIf: .absent))
        #expect(try await !client.set("a", to: "2", onlyIf: .absent))
        #expect(try await !client.set("b", to: "2", onlyIf: .present))
        #expect(try await client.get("a") == ByteBuffer(string: "1"))
        #expect(try await client.incr("a", by: 4) == 5)
        #expect(try await client.ttl("a") == .unlimited)
        #expect(try await client.ttl("b") == .absent)
        #expect(try await client.expire("a", after: .seconds(3600)))
        #expect(try await client.set("a", to: "6", expiry: .keep))
        guard case .left(let left) = try await client.ttl("a") else { return #expect(Bool(false)) }
        #expect(left > .seconds(3000) && left <= .seconds(3600))
        #expect(try await client.set("b", to: 7, expiry: .after(.seconds(60))))
        #expect(try await client.mget(["a", "absent", "b"]).map { $0.map { String(buffer: $0) } } == ["6", nil, "7"])
        #expect(try await client.exists("a"))
        #expect(try await client.del("a", "absent", "b") == 2)
        #expect(try await client.hgetall("h").isEmpty)
        #expect(try await client.hset("h", ["x": "1", "y": "2"]) == 2)
        #expect(try await client.hget("h", "x") == ByteBuffer(string: "1"))
        #expect(try await client.hgetall("h").mapValues { String(buffer: $0) } == ["x": "1", "y": "2"])
        #expect(try await client.hdel("h", "x", "z") == 1)
        #expect(try await client.publish("hello", to: "nobody") == 0)
        await #expect(throws: RESPError.self) { try await client.get("h") }
        #expect(try await client.send("SET", "any", 12, "PX", 60_000).string == "OK")
        #expect(try await client.withConnection { try await $0.send("STRLEN", "any") }.integer == 2)
    }

    @Test func fieldsWhoseNamesAreNoTextAreNotLeftOut() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.execute(RESPCommand("HSET", "h", ByteBuffer(bytes: [0xFF]), 1))
        await #expect(throws: UnexpectedReplyError.self) { try await client.hgetall("h") }
    }

    @Test func scanFindsEveryKey() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.execute(pipeline: (0..<1000).map { RESPCommand("SET", "user:\($0)", $0) })
        try await client.execute(RESPCommand("HSET", "user:hash", "a", 1))
        try await client.execute(RESPCommand("SET", ByteBuffer(bytes: [0xFF, 0xFE]), 1))
        var found: Set<String> = []
        for try await key in client.scan(matching: "user:*", count: 37) { found.insert(key.string ?? "") }
        #expect(found.count == 1001)
        var hashes: [String?] = []
        for try await key in client.scan(type: "hash") { hashes.append(key.string) }
        #expect(hashes == ["user:hash"])
        var raw = 0
        for try await key in client.scan() where key.string == nil { raw += key.bytes?.readableBytes ?? 0 }
        #expect(raw == 2)
    }

    @Test func aReplyOfAnotherTypeIsAnError() async throws {
        struct Liar: CommandExecutor {
            func execute(_ command: RESPCommand) async throws -> RESPValue { .array([.null]) }
            func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] { [] }
        }
        await #expect(throws: UnexpectedReplyError.self) { try await Liar().get("a") }
        await #expect(throws: UnexpectedReplyError.self) { try await Liar().mget(["a", "b"]) }
        await #expect(throws: UnexpectedReplyError.self) { for try await _ in Liar().scan() {} }
    }
}
