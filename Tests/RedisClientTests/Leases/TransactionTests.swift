import RESP
import RedisClient
import TestSupport
import Testing

@Suite struct TransactionTests {
    @Test func commandsRunTogether() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let replies = try await client.withTransaction { _ in
            [RESPCommand("SET", "a", 1), RESPCommand("LPUSH", "a", "x"), RESPCommand("INCR", "a")]
        }
        #expect(replies?.count == 3)
        #expect(replies?[1].error?.code == .wrongType)
        #expect(replies?[2].integer == 2)
        #expect(try await client.withTransaction { _ in [] } == [])
    }

    @Test func aWatchedKeyThatChangedDiscardsThem() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let discarded = try await client.withTransaction(watching: ["a", "b"]) { connection in
            #expect(try await connection.execute(RESPCommand("GET", "a")).isNull)
            try await client.execute(RESPCommand("SET", "b", "other"))
            return [RESPCommand("SET", "a", "mine")]
        }
        #expect(discarded == nil)
        #expect(try await client.execute(RESPCommand("GET", "a")).isNull)
    }

    @Test func nothingIsLostBetweenMany() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxLeasedConnections = 4 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    var done = false
                    while !done {
                        let replies = try await client.withTransaction(watching: ["n"]) { connection in
                            let number = try await connection.execute(RESPCommand("GET", "n")).integer ?? 0
                            return [RESPCommand("SET", "n", number + 1)]
                        }
                        done = replies != nil
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.execute(RESPCommand("GET", "n")).integer == 20)
    }

    @Test func whatWasRunOneByOneIsToldAsSuch() async throws {
        let server = try await RedisServer.start(arguments: ["--user", "app", "on", ">pw", "~*", "+@all", "-multi"])
        let client = RedisClient(server) {
            $0.username = "app"
            $0.password = "pw"
        }
        let commands = [RESPCommand("SET", "a", 1)]
        let errors = [
            try await clientError { try await client.withTransaction { _ in commands } },
            try await clientError { try await client.execute(transaction: commands, timeout: .seconds(20)) },
        ]
        for error in errors {
            #expect(error?.mayHaveExecuted == true)
            #expect((error?.underlying as? RESPError)?.code == .noPermission)
        }
        // Nothing of these was run.
        let refusal = await #expect(throws: RESPError.self) {
            try await client.withTransaction { _ in [RESPCommand("GET")] }
        }
        #expect(refusal?.code == .noPermission)
    }

    @Test func anErrorLeavesNothingBehind() async throws {
        struct ChangedMind: Error {}
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxLeasedConnections = 1 }
        await #expect(throws: ChangedMind.self) {
            try await client.withTransaction(watching: ["a"]) { _ in throw ChangedMind() }
        }
        try await client.execute(RESPCommand("SET", "a", 1))
        let refusal = await #expect(throws: RESPError.self) {
            try await client.withTransaction { _ in [RESPCommand("SET", "a", 2), RESPCommand("SET", "a")] }
        }
        #expect(refusal?.text.contains("wrong number of arguments") == true)
        for name in ["exec", "RESET", "QUIT", "hello"] {
            let foreign = try await clientError { try await client.withTransaction { _ in [RESPCommand(name)] } }
            #expect(foreign?.code == .unsupportedCommand)
        }
        // Not watched any longer.
        let after = try await client.withTransaction { _ in [RESPCommand("GET", "a")] }
        #expect(after?.map(\.integer) == [1])
        // Nor where the connection is used on.
        try await client.withConnection { connection in
            await #expect(throws: ChangedMind.self) {
                try await connection.transaction(watching: ["a"]) { _ in throw ChangedMind() }
            }
            try await client.execute(RESPCommand("SET", "a", 3))
            #expect(try await connection.transaction { _ in [RESPCommand("GET", "a")] }?.map(\.integer) == [3])
        }
    }
}
