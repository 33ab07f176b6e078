import NIOConcurrencyHelpers
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct ScriptKillTests {
    private static let endless = RESPCommand("EVAL", "while true do end", 0)

    private func isBusy(_ server: RedisServer) async -> Bool {
        await eventually { (try? server.command("GET a")) == nil }
    }

    @Test(arguments: RESPProtocol.allCases)
    func endsAScriptThatBlocksTheSharedConnection(version: RESPProtocol) async throws {
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
    }

    /// What is said on a new connection is refused as well: another database, tracking, whether it is a primary.
    @Test(arguments: [true, false])
    func thereIsNoConnectionYet(hasSentinel: Bool) async throws {
        let server = try await RedisServer.start(arguments: ["--busy-reply-threshold", "10"])
        let port = server.port
        let sentinel = try await ScriptedSentinel.start { port }
        func change(_ configuration: inout RedisClient.Configuration) {
            configuration.database = hasSentinel ? 0 : 1
            configuration.clientSideCaching = !hasSentinel
        }
        let first = RedisClient(server)
        let script = Task { try await first.execute(Self.endless) }
        #expect(await isBusy(server))
        let client = hasSentinel ? sentinel.client(change) : RedisClient(server, change)
        let get = RESPCommand("GET", "a")
        let refusal = await #expect(throws: RESPError.self) { try await client.execute(get) }
        #expect(refusal?.code == .busy)
        for count in [2, 3000] {
            let replies = try await client.execute(pipeline: Array(repeating: get, count: count))
            #expect(replies.count == count)
            #expect(replies.allSatisfy { $0.error?.code == .busy })
        }
        await #expect(throws: RESPError.self) { try await client.withTransaction(watching: ["a"]) { _ in [get] } }
        #expect(try await client.execute(RESPCommand("SCRIPT", "KILL")).string == "OK")
        await #expect(throws: RESPError.self) { try await script.value }
        #expect(await eventually { (try? await client.execute(RESPCommand("SET", "a", 1))) != nil })
        #expect(try server.command("EXISTS a") == (hasSentinel ? ":1\r\n" : ":0\r\n"))
    }

    /// A server that runs a script hears nothing at first.
    @Test func waitsLongerThanForOtherConnections() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.connectTimeout = .nanoseconds(1) }
        let idle = await #expect(throws: RESPError.self) { try await client.execute(RESPCommand("SCRIPT", "KILL")) }
        #expect(idle?.code == "NOTBUSY")
    }

    @Test func isNotConnectedForByAClientThatCloses() async throws {
        let server = try await ScriptedServer.start(greets: false) { _ in "" }
        let client = RedisClient(port: server.port)
        let kill = Task { try await clientError { try await client.execute(RESPCommand("SCRIPT", "KILL")) } }
        #expect(await eventually { server.acceptedCount == 1 })
        await client.close()
        #expect(try await kill.value?.code == .closed)
    }

    /// - Parameter second: what the second node says, which may be nothing.
    private func kill(first: String, second: String, timeout: Duration) async throws -> RESPValue {
        let ports = NIOLockedValueBox<[Int]>([])
        var nodes: [ScriptedServer] = []
        for answer in [first, second] {
            let node = try await ScriptedServer.start { words in
                words[0] == "CLUSTER" ? ScriptedCluster.halves(ports.withLockedValue { $0 }) : answer
            }
            nodes.append(node)
        }
        ports.withLockedValue { $0 = nodes.map(\.port) }
        let client = ScriptedCluster.client(nodes[0].port)
        let result: Result<RESPValue, any Error>
        do {
            result = .success(try await client.execute(RESPCommand("SCRIPT", "KILL"), timeout: timeout))
        } catch {
            result = .failure(error)
        }
        await client.close()
        for node in nodes { try await node.stop() }
        return try result.get()
    }

    @Test func nodesThatHangAreNotWaitedFor() async throws {
        let limit = Duration.seconds(60)
        let start = ContinuousClock.now
        let reply = try await kill(first: "+OK\r\n", second: "", timeout: limit)
        #expect(reply.string == "OK")
        #expect(ContinuousClock.now - start < limit / 2)
    }

    @Test func thatNoneRunsAScriptIsSaidByAll() async throws {
        let silent = try await clientError {
            try await kill(first: "-NOTBUSY x\r\n", second: "", timeout: .milliseconds(300))
        }
        #expect(silent?.code == .timedOut)
        let idle = await #expect(throws: RESPError.self) {
            try await kill(first: "-NOTBUSY x\r\n", second: "-NOTBUSY x\r\n", timeout: .seconds(20))
        }
        #expect(idle?.code == "NOTBUSY")
        let unkillable = await #expect(throws: RESPError.self) {
            try await kill(first: "-UNKILLABLE x\r\n", second: "-NOTBUSY x\r\n", timeout: .seconds(20))
        }
        #expect(unkillable?.code == "UNKILLABLE")
    }

    @Test func isRefusedInPipelines() async throws {
        let client = RedisClient(port: 1)
        let kill = RESPCommand("script", "kill")
        for pipeline in [[kill], [RESPCommand("GET", "a"), kill], [RESPCommand("MULTI"), kill, RESPCommand("EXEC")]] {
            let error = try await clientError { try await client.execute(pipeline: pipeline) }
            #expect(error?.code == .unsupportedCommand)
        }
    }
}
