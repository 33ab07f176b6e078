import Logging
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.serialized, .timeLimit(.minutes(5))) struct SentinelTests {
    private func client(_ setup: RedisSentinels, _ change: (inout RedisClient.Configuration) -> Void = { _ in })
        throws -> RedisClient
    {
        // One sentinel is enough to find the others.
        var configuration = try RedisClient.Configuration(
            url: "redis+sentinel://:server@127.0.0.1:\(setup.sentinels[1].port)/main?sentinelPassword=watch"
        )
        configuration.commandTimeout = .seconds(20)
        configuration.connectTimeout = .seconds(20)
        configuration.reconnectBackoff = .milliseconds(2)...Duration.milliseconds(50)
        change(&configuration)
        return RedisClient(configuration)
    }

    /// The server that says it is the primary, of those that run.
    private func primary(_ setup: RedisSentinels, notAmong others: [Int] = []) async throws -> Int {
        var found: Int?
        _ = await eventually {
            found = setup.servers.indices.first { index in
                !others.contains(index)
                    && (try? setup.servers[index].command("ROLE", password: "server"))?.contains("master") == true
            }
            return found != nil
        }
        return try #require(found)
    }

    @Test func followsFailovers() async throws {
        let setup = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "watch")
        let client = try client(setup) {
            $0.clientName = "careful"
            $0.clientSideCaching = true
        }
        var invalidations = client.invalidations.makeAsyncIterator()
        try await client.connect()
        #expect(try setup.servers[0].command("CLIENT LIST", password: "server").contains("name=careful"))
        #expect(try await client.execute(RESPCommand("SET", "a", "1")).string == "OK")
        #expect(try setup.servers[0].command("GET a", password: "server") == "$1\r\n1\r\n")
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()

        #expect(try await client.tracked.get("watched") == nil)
        try setup.servers[0].command("SET watched 1", password: "server")
        #expect(await invalidations.next() == .keys(["watched"]))

        await setup.servers[0].stop()
        // There may be another primary before it is read.
        let lost = await invalidations.next()
        #expect(lost == .everything(.disconnected) || lost == .everything(.moved))
        // While there is no primary, commands wait for the next; but one that the end of the connection overtook is not
        // repeated.
        #expect(await eventually { (try? await client.execute(RESPCommand("SET", "a", "2"))) != nil })
        let second = try await primary(setup, notAmong: [0])
        #expect(try setup.servers[second].command("GET a", password: "server") == "$1\r\n2\r\n")
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        try await client.execute(RESPCommand("PUBLISH", "news", "after"))
        guard case .message = try await events.next() else { return #expect(Bool(false), "no message") }

        // The old primary comes back as one, until the sentinels make it a replica. Nobody turns to it.
        try await setup.servers[0].restart()
        for round in 0..<200 { try await client.execute(RESPCommand("SET", "round", round)) }
        // Busy machines may see failovers of their own, so that it may be either of the others by now.
        let written = try setup.servers.dropFirst().contains {
            try $0.command("GET round", password: "server") == "$3\r\n199\r\n"
        }
        #expect(written)
        #expect(try !setup.servers[0].command("CLIENT LIST", password: "server").contains("name=careful"))

        // A failover that nobody died for: the primary is demoted under the client's hands.
        let isReplica = await eventually {
            (try? setup.servers[0].command("ROLE", password: "server"))?.contains("slave") == true
        }
        #expect(isReplica)
        let demoted = try await primary(setup, notAmong: [0])
        let hasBegun = await eventually {
            (try? setup.sentinels[0].command("SENTINEL FAILOVER main", password: "watch")) != nil
        }
        #expect(hasBegun)
        let third = try await primary(setup, notAmong: [demoted])
        // Nothing is copied to it any longer, so that what it has came from the client.
        let hasMoved = await eventually {
            _ = try? await client.execute(RESPCommand("SET", "moved", "1"))
            return (try? setup.servers[third].command("EXISTS moved", password: "server")) == ":1\r\n"
        }
        #expect(hasMoved)
        for round in 0..<200 { try await client.execute(RESPCommand("SET", "round", "new-\(round)")) }
        #expect(try setup.servers[third].command("GET round", password: "server") == "$7\r\nnew-199\r\n")
    }

    @Test func followsAFailoverThoughASentinelIsFrozen() async throws {
        let setup = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "watch")
        let client = try client(setup)
        try await client.execute(RESPCommand("SET", "a", "1"))
        setup.sentinels[2].pause()
        await setup.servers[0].stop()
        let writing = Task {
            let isWritten = try await eventually(within: .seconds(60)) {
                try await clientError { try await client.execute(RESPCommand("SET", "a", "2")) } == nil
            }
            #expect(isWritten)
            return ContinuousClock.now
        }
        let isNamed = await eventually {
            let address = try? setup.sentinels[0].command("SENTINEL GET-MASTER-ADDR-BY-NAME main", password: "watch")
            return address?.contains("\(setup.servers[0].port)") == false
        }
        #expect(isNamed)
        let named = ContinuousClock.now
        // The one that is frozen has not been waited for.
        #expect(try await writing.value - named < .seconds(4))
        setup.sentinels[2].resume()
    }

    @Test func tellsWhatIsWrong() async throws {
        let setup = try await RedisSentinels.start(serverPassword: "server", sentinelPassword: "watch")
        let closedPort = try LoopbackSocket.freePort()
        let cases: [(RedisClientError.Code, @Sendable (inout RedisClient.Sentinel) -> Void)] = [
            (.authenticationFailed, { $0.password = "wrong-secret" }),
            (.connectFailed, { $0.primaryName = "other" }),
            (.connectFailed, { $0.sentinels = [.hostname("127.0.0.1", port: closedPort)] }),
        ]
        for (code, change) in cases {
            let client = try client(setup) { configuration in
                guard case .sentinel(var sentinel) = configuration.topology else { return }
                change(&sentinel)
                configuration.topology = .sentinel(sentinel)
            }
            let error = try await clientError { try await client.connect() }
            #expect(error?.code == code)
            #expect(!"\(error, default: "")".contains("wrong-secret"))
        }
        let wrongForServer = try client(setup) { $0.password = "wrong-secret" }
        let error = try await clientError { try await wrongForServer.execute(RESPCommand("GET", "a")) }
        #expect(error?.code == .authenticationFailed)
    }

    @Test func refusesAServerThatIsNoPrimary() async throws {
        let primary = try await RedisServer.start()
        let replica = try await RedisServer.start(arguments: ["--replicaof", "127.0.0.1 \(primary.port)"])
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        for (server, isPrimary) in [(primary, true), (replica, false)] {
            let configuration = RedisClient.configuration(port: server.port)
            let node = RedisNode(
                configuration: configuration.server(at: configuration.address, peer: .primary),
                eventLoop: eventLoop,
                logger: .init(label: "test")
            )
            let error = try await clientError { try await node.connect() }
            #expect(error?.code == (isPrimary ? nil : .connectFailed))
            if !isPrimary { #expect(error?.message == "The server is not a primary.") }
            await node.close()
        }
    }
}
