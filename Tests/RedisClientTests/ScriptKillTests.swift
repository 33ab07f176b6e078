import RESP
import RedisClient
import TestSupport
import Testing

@Suite struct ScriptKillTests {
    private static let endless = RESPCommand("EVAL", "while true do end", 0)

    private func isBusy(_ server: RedisServer) async -> Bool {
        await eventually { (try? server.command("GET a")) == nil }
    }

    @Test(arguments: RESPVersion.allCases)
    func endsAScriptThatBlocksTheSharedConnection(version: RESPVersion) async throws {
        let server = try await RedisServer.start(arguments: ["--busy-reply-threshold", "10"])
        let client = RedisClient(server) {
            $0.version = version
            $0.database = 1
        }
        let script = Task { try await client.execute(Self.endless) }
        #expect(await isBusy(server))
        // Others are told what it is.
        let other = RedisClient(server) { $0.version = version }
        let refusal = await #expect(throws: RESPError.self) { try await other.execute(RESPCommand("GET", "a")) }
        #expect(refusal?.code == .busy)
        #expect(try await client.execute(RESPCommand("script", "kill")).string == "OK")
        await #expect(throws: RESPError.self) { try await script.value }
        let idle = await #expect(throws: RESPError.self) { try await client.execute(RESPCommand("SCRIPT", "KILL")) }
        #expect(idle?.code == "NOTBUSY")
        for client in [client, other] { await client.close() }
        let closed = try await clientError { try await client.execute(RESPCommand("SCRIPT", "KILL")) }
        #expect(closed?.code == .closed)
    }

    @Test func findsTheNodeThatRunsTheScript() async throws {
        let cluster = try await RedisCluster.start(replicas: 0, arguments: ["--busy-reply-threshold", "10"])
        let client = RedisClient(cluster: cluster)
        let function = """
            #!lua name=endless
            redis.register_function('endless', function() while true do end end)
            """
        try await client.execute(RESPCommand("FUNCTION", "LOAD", function))
        let script = Task { try await client.execute(RESPCommand("FCALL", "endless", 1, "foo")) }
        #expect(await isBusy(cluster.servers[2]))
        #expect(try await client.execute(RESPCommand("FUNCTION", "KILL")).string == "OK")
        await #expect(throws: RESPError.self) { try await script.value }
        await client.close()
    }
}
