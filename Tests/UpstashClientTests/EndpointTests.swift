import FreshetRedis
import FreshetServer
import FreshetTesting
import NIOCore
import RESP
import TestSupport
import Testing
import UpstashClient

@Suite struct EndpointTests {
    @Test(arguments: StoreContract.checks)
    func keeps(_ check: StoreContract.Check) async throws {
        let client = try await Endpoint.shared.client()
        try await check.run(on: StoreContract.Subject { RedisStore(client, dialect: .upstash) })
    }

    @Test("values come back byte for byte")
    func isBinarySafe() async throws {
        let client = try await Endpoint.shared.client()
        let key = "binary-\(UInt64.random(in: 0 ... .max))"
        let all = ByteBuffer(bytes: (0...255).map { UInt8($0) })
        for value in [all, ByteBuffer(string: "OK"), ByteBuffer(string: "\"\\ñ\u{0}"), ByteBuffer()] {
            try await client.execute(RESPCommand("SET", key, value, "PX", 60_000))
            #expect(try await client.execute(RESPCommand("GET", key)).bytes == value)
            #expect(try await client.execute(RESPCommand("PTTL", key)).integer ?? 0 > 0)
        }
        try await client.execute(RESPCommand("DEL", key))
        try await client.execute(RESPCommand("HSET", key, "f", all))
        #expect(try await client.execute(RESPCommand("HGETALL", key)).pairs?.first?.value.bytes == all)
        let nested = try await client.execute(RESPCommand("EVAL", "return {1, {ARGV[1], false}, 'OK'}", 0, "x"))
        #expect(
            nested
                == .array([
                    .integer(1), .array([.bulkString(ByteBuffer(string: "x")), .null]),
                    .bulkString(ByteBuffer(string: "OK")),
                ])
        )
    }

    @Test("scripts that the server does not know run with bytes, too, however long they are")
    func runsScriptsThatAreNotText() async throws {
        let client = try await Endpoint.shared.client()
        let padding = String(repeating: "--\n", count: 40_000)
        let script = RedisScript("\(padding)return {KEYS[1], ARGV[1]} -- \(UInt64.random(in: 0 ... .max))")
        let bytes = ByteBuffer(bytes: [0xFF, 0x00])
        for _ in 0..<2 {
            let reply = try await client.evaluate(script, keys: ["k"], arguments: [.bytes(bytes)])
            let expected = RESPValue.array([.bulkString(ByteBuffer(string: "k")), .bulkString(bytes)])
            #expect(reply == expected)
            let command = RESPCommand("EVAL_RO", script.source, 1, "k", bytes)
            let ping = RESPCommand("PING")
            let replies = try await client.execute(pipeline: [ping, command, ping])
            #expect(replies.map(\.string) == ["PONG", nil, "PONG"] && replies[1] == expected)
        }
    }

    @Test func runsPipelinesAndTransactions() async throws {
        let client = try await Endpoint.shared.client()
        let key = "commands-\(UInt64.random(in: 0 ... .max))"
        let pipeline = [RESPCommand("SET", key, "v"), RESPCommand("INCR", key), RESPCommand("GET", key)]
        let piped = try await client.execute(pipeline: pipeline)
        #expect(piped[0] == .simpleString("OK") && piped[1].error != nil && piped[2].string == "v")
        let results = try await client.transaction(pipeline)
        #expect(results[0] == .simpleString("OK") && results[1].error != nil && results[2].string == "v")
        let discarded = try await errorReply {
            try await client.transaction([RESPCommand("SET", key, "w"), RESPCommand("NONSENSE")])
        }
        #expect(discarded != nil)
        #expect(try await client.execute(RESPCommand("GET", key)).string == "v")
        let refused = try await errorReply { try await client.execute(RESPCommand("NONSENSE")) }
        #expect(refused?.text.isEmpty == false)
    }

    @Test("many callers, each with its own answer in its own order")
    func servesManyCallers() async throws {
        let client = try await Endpoint.shared.client()
        let prefix = "many-\(UInt64.random(in: 0 ... .max))"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<64 {
                group.addTask {
                    let key = "\(prefix):\(caller)"
                    for round in 0..<20 {
                        try await client.execute(RESPCommand("SET", key, "\(caller)-\(round)"))
                        let value = try await client.execute(RESPCommand("GET", key)).string
                        #expect(value == "\(caller)-\(round)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func splitsAndJoinsLargePipelines() async throws {
        let shared = try await Endpoint.shared.client()
        var configuration = shared.configuration
        configuration.maxRequestBytes = 10_000
        let client = try UpstashClient(configuration)
        let key = "large-\(UInt64.random(in: 0 ... .max))"
        let value = String(repeating: "x", count: 1000)
        let pipeline = (0..<50).map { RESPCommand("RPUSH", key, "\($0)-\(value)") }
        #expect(try await client.execute(pipeline: pipeline).map(\.integer) == Array(1...50))
    }

    @Test func subscribes() async throws {
        let client = try await Endpoint.shared.client()
        let channel = "channel-\(UInt64.random(in: 0 ... .max))"
        var news = try await client.subscribe(to: [channel, "\(channel)-2"]).makeAsyncIterator()
        var all = try await client.psubscribe(to: ["\(channel)*"]).makeAsyncIterator()
        #expect(try await client.execute(RESPCommand("PUBLISH", channel, "one, two")).integer == 2)
        let payload = ByteBuffer(string: "one, two")
        #expect(try await news.next() == .message(RedisMessage(channel: channel, payload: payload)))
        let matched = RedisMessage(channel: channel, pattern: "\(channel)*", payload: payload)
        #expect(try await all.next() == .message(matched))
    }

    @Test func refusesAWrongToken() async throws {
        let shared = try await Endpoint.shared.client()
        var configuration = try UpstashClient.Configuration(url: shared.configuration.endpoint, token: "wrong")
        configuration.commandTimeout = .seconds(30)
        let client = try UpstashClient(configuration)
        let error = try await upstashError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .unauthorized)
        #expect(error?.description.contains("UPSTASH_REDIS_REST_TOKEN") == true)
        #expect(try await upstashError { try await client.subscribe(to: ["a"]) }?.code == .unauthorized)
    }

    @Test(
        "results that an answer of the endpoint has no room for are asked for again; those too large by themselves fail"
    )
    func asksAgainWhatTheEndpointLeftOut() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 5000
        limits.maxAnswerBytes = 10_000
        let server = try await RedisServer.start()
        let port = try await Endpoint.serve(server.url, limits: limits)
        let client = try Endpoint.client(port: port)
        let value = String(repeating: "x", count: 3000)
        try await client.execute(RESPCommand("SET", "k", value))
        for _ in 0..<2 { try await client.execute(RESPCommand("APPEND", "large", value)) }
        let get = RESPCommand("GET", "k")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<64 {
                group.addTask {
                    guard number % 16 == 15 else {
                        #expect(try await client.execute(get).string == value)
                        return
                    }
                    let error = try await upstashError { try await client.execute(RESPCommand("GET", "large")) }
                    #expect(error?.code == .resultTooLarge)
                }
            }
            try await group.waitForAll()
        }
        let large = RESPCommand("GET", "large")
        let replies = try await client.execute(pipeline: [get, get, large, get, large, large, get, get, get])
        #expect(replies.map(\.string) == [value, value, nil, value, nil, nil, value, value, value])
        #expect(replies.allSatisfy { $0.error.map { $0.upstashCode == .resultTooLarge } ?? true })
        // Nothing is run twice that writes.
        let writes = [get, get, get, RESPCommand("INCR", "n")]
        let left = try await client.execute(pipeline: writes)
        #expect(left.map { $0.error == nil } == [true, true, false, true])
        #expect(left[3].integer == 1)
    }

    @Test("a Redis that goes away is an error, never a miss; then it works again")
    func survivesAnOutage() async throws {
        let server = try await RedisServer.start()
        let port = try await Endpoint.serve(server.url)
        let client = try Endpoint.client(port: port) { $0.maxRetries = 1 }
        try await client.execute(RESPCommand("SET", "k", "v"))
        await server.stop()
        await #expect(throws: (any Error).self) { try await client.execute(RESPCommand("GET", "k")) }
        try await server.restart()
        #expect(await eventually { (try? await client.execute(RESPCommand("GET", "k")))?.isNull == true })
    }
}
