import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import RedisClient
import TestSupport
import Testing

@Suite struct RedisClientTests {
    @Test(arguments: RESPProtocol.allCases)
    func runsCommands(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.version = version }
        #expect(!client.isConnected)
        #expect(try await client.execute(RESPCommand("SET", "key", "value", "PX", 60_000)) == .simpleString("OK"))
        #expect(client.isConnected)
        #expect(try await client.execute(RESPCommand("GET", "key")).string == "value")
        #expect(try await client.execute(RESPCommand("GET", "absent")).isNull)
        #expect(try await client.execute(RESPCommand("HSET", "hash", "a", 1, "b", 2)).integer == 2)
        let hash = try await client.execute(RESPCommand("HGETALL", "hash"))
        #expect(hash.pairs?.map { $0.value.integer } == [1, 2])
        if version == .resp3 {
            guard case .map = hash else { return #expect(Bool(false), "RESP3 was not spoken") }
        }
        await #expect(throws: RESPError.self) { try await client.execute(RESPCommand("INCR", "hash")) }
    }

    @Test func keepsErrorsOfAPipelineInTheirPlace() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let replies = try await client.execute(pipeline: [
            RESPCommand("SET", "a", "1"), RESPCommand("LPUSH", "a", "x"), RESPCommand("GET", "a"),
        ])
        #expect(replies.count == 3)
        #expect(replies[1].error?.code == .wrongType)
        #expect(replies[2].string == "1")
        #expect(try await client.execute(pipeline: []).isEmpty)
        let transaction = try await client.execute(pipeline: [
            RESPCommand("MULTI"), RESPCommand("INCR", "a"), RESPCommand("INCR", "a"), RESPCommand("EXEC"),
        ])
        #expect(transaction.last?.array?.map(\.integer) == [2, 3])
    }

    @Test func carriesLargeValuesInPieces() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port)
        var bytes = ByteBuffer()
        for index in 0..<200_000 { bytes.writeInteger(UInt32(index)) }
        try await client.execute(RESPCommand("SET", "large", bytes))
        let elements = (0..<5000).map { "element \($0)" }
        try await client.execute(RESPCommand("RPUSH", arguments: ["list"] + elements))
        #expect(try await client.execute(RESPCommand("GET", "large")).bytes == bytes)
        proxy.faults.dripSize = 7
        #expect(try await client.execute(RESPCommand("LRANGE", "list", 0, -1)).array?.map(\.string) == elements)
    }

    @Test func answersEveryoneTheirOwn() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<64 {
                group.addTask {
                    var wrong = 0
                    for round in 0..<50 {
                        let text = "\(task) \(round)"
                        switch round % 4 {
                        case 0:
                            let replies = try await client.execute(
                                pipeline: (0..<20).map { RESPCommand("ECHO", "\(text) \($0)") }
                            )
                            if replies.map(\.string) != (0..<20).map({ "\(text) \($0)" }) { wrong += 1 }
                        default:
                            if try await client.execute(RESPCommand("ECHO", text)).string != text { wrong += 1 }
                        }
                    }
                    return wrong
                }
            }
            for try await wrong in group { #expect(wrong == 0) }
        }
    }

    @Test func speaksOverAUnixSocket() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.address = .unixSocket(path: server.unixSocketPath)
            $0.database = 2
        }
        try await client.execute(RESPCommand("SET", "a", "1"))
        #expect(try await RedisClient(server) { $0.database = 2 }.execute(RESPCommand("GET", "a")).string == "1")
        #expect(try await RedisClient(server).execute(RESPCommand("GET", "a")).isNull)
    }

    @Test func evaluatesScripts() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let script = RedisScript("return {KEYS[1], ARGV[1]}")
        for _ in 0..<3 {
            let reply = try await client.evaluate(script, keys: ["k"], arguments: [7])
            #expect(reply.array?.map(\.string) == ["k", "7"])
            try await client.execute(RESPCommand("SCRIPT", "FLUSH"))
        }
    }

    @Test func refusesWhatWouldHarmOthers() async throws {
        let client = RedisClient(port: 1)
        for command in [
            RESPCommand("SUBSCRIBE", "a"), RESPCommand("monitor"), RESPCommand("BLPOP", "a", 0), RESPCommand("MULTI"),
            RESPCommand("SELECT", 1), RESPCommand("XREAD", "block", 0, "STREAMS", "a", "$"),
            RESPCommand("CLIENT", "REPLY", "OFF"), RESPCommand("brpoplpush", "a", "b", 0),
            RESPCommand("REPLCONF", "ACK", 0), RESPCommand("SCRIPT", "debug", "YES"),
            RESPCommand("CLIENT", "NO-TOUCH", "ON"), RESPCommand("XREAD", "BLOCK\0", 0, "STREAMS", "a", "$"),
            RESPCommand("XREADGROUP", "GROUP\0", "g", "c", "block\0 1", 0, "STREAMS", "a", ">"),
            RESPCommand("XREAD", ByteBuffer(bytes: Array("BLOCK\0".utf8) + [0xFF]), 0, "STREAMS", "a", "$"),
            RESPCommand("CLIENT", "REPLY\0 1", "OFF"), RESPCommand("SCRIPT", "DEBUG\0", "YES"),
            RESPCommand("POST", "/"), RESPCommand("host:", "a"), RESPCommand("CLIENT", "CAPA", "REDIRECT"),
            RESPCommand("CLIENT", "import-source", "ON"),
        ] {
            let error = try await clientError { try await client.execute(command) }
            #expect(error?.code == .unsupportedCommand, "\(command)")
            let inPipeline = try await clientError {
                try await client.execute(pipeline: [RESPCommand("PING"), command])
            }
            #expect(inPipeline?.code == .unsupportedCommand, "\(command)")
        }
    }

    /// Redis compares names up to a NUL, and finds a command by one if the hash of all of it is in the right place.
    @Test(arguments: [
        "MULTI\0 15", "SELECT\0 134", "MONITOR\0 101", "GET\0", "\0", "GET a", "GET\u{7F}", "MULT\u{131}",
    ])
    func refusesNamesThatMayBeTakenForOthers(name: String) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let command = RESPCommand(name, "a")
        for refused in [
            try await clientError { try await client.execute(command) },
            try await clientError { try await client.execute(pipeline: [RESPCommand("PING"), command]) },
            try await clientError { try await client.withConnection { try await $0.execute(command) } },
            try await clientError { try await client.withConnection { try await $0.execute(pipeline: [command]) } },
            try await clientError { try await client.withTransaction { _ in [command] } },
            try await clientError { try await client.execute(transaction: [command], timeout: .seconds(20)) },
        ] {
            #expect(refused?.code == .unsupportedCommand)
        }
    }

    @Test(.timeLimit(.minutes(1))) func whoeverIsClosedNeedsNoEventLoop() async throws {
        let server = try await RedisServer.start()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = RedisClient(RedisClient.configuration(port: server.port), eventLoopGroup: group)
        try await client.execute(RESPCommand("PING"))
        await client.close()
        try await group.shutdownGracefully()
        await client.close()
    }

    /// Where nothing runs any longer they would hang.
    @Test func whoeverIsClosedRefusesWithoutAnEventLoop() async throws {
        let server = try await RedisServer.start()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = RedisClient(RedisClient.configuration(port: server.port), eventLoopGroup: group)
        try await client.connect()
        await client.close()
        try await group.shutdownGracefully()
        let calls: [@Sendable () async throws -> Void] = [
            { try await client.connect() }, { _ = try await client.subscribe(to: ["news"]) },
            { _ = try await client.monitor() },
        ]
        let codes = NIOLockedValueBox<[RedisClientError.Code?]>([])
        for call in calls {
            Task {
                let code = try? await clientError(call)?.code
                codes.withLockedValue { $0.append(code) }
            }
        }
        #expect(await eventually { codes.withLockedValue { $0 } == [.closed, .closed, .closed] })
    }

    @Test func tasksRunOnTheEventLoop() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let sum = try await withTaskExecutorPreference(client.taskExecutor) {
            try await withThrowingTaskGroup(of: Int?.self) { group in
                for index in 0..<100 {
                    group.addTask { try await client.execute(RESPCommand("ECHO", index)).integer }
                }
                return try await group.reduce(0) { $0 + ($1 ?? 0) }
            }
        }
        #expect(sum == 4950)
    }
}
