import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.serialized) struct LeaseTests {
    @Test func aBlockedConnectionHoldsNobodyUp() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.commandTimeout = .seconds(20) }
        async let popped = client.withConnection { connection in
            try await connection.execute(RESPCommand("BLPOP", "jobs", 0)).array?.last?.string
        }
        #expect(try await eventually { try await client.info("blocked_clients") == 1 })
        for index in 0..<200 {
            #expect(try await client.execute(RESPCommand("ECHO", index)).integer == index)
        }
        try await client.execute(RESPCommand("RPUSH", "jobs", "work"))
        #expect(try await popped == "work")
    }

    @Test func aServerThatBlocksIsNotTakenForDead() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.keepAliveInterval = .milliseconds(20)
            $0.commandTimeout = .seconds(2)
        }
        // Longer than a silent server is left in peace.
        let popped = try await client.withConnection { try await $0.execute(RESPCommand("BLPOP", "none", "2.5")) }
        #expect(popped.isNull)
    }

    @Test func connectionsAreUsedAgainIfTheyAreAsNew() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        func isKept(after commands: [RESPCommand], inOneWrite: Bool = false) async throws -> Bool {
            try await client.withConnection { connection in
                if inOneWrite { try await connection.execute(pipeline: commands) }
                for command in inOneWrite ? [] : commands { try await connection.execute(command) }
            }
            let before = try await client.info("total_connections_received")
            try await client.withConnection { _ = try await $0.execute(RESPCommand("PING")) }
            return try await client.info("total_connections_received") == before
        }
        for clean in [
            [RESPCommand("GET", "a")], [RESPCommand("WATCH", "a"), RESPCommand("UNWATCH")],
            [RESPCommand("MULTI"), RESPCommand("PING"), RESPCommand("EXEC")],
            [RESPCommand("WATCH", "a"), RESPCommand("MULTI"), RESPCommand("DISCARD")],
        ] {
            #expect(try await isKept(after: clean), "\(clean)")
            #expect(try await isKept(after: clean, inOneWrite: true), "\(clean)")
        }
        let aborted = [RESPCommand("MULTI"), RESPCommand("NOSUCH"), RESPCommand("EXEC")]
        #expect(try await isKept(after: aborted, inOneWrite: true))
        for dirty in [
            [RESPCommand("WATCH", "a")], [RESPCommand("MULTI")], [RESPCommand("SELECT", 1)],
            [RESPCommand("CLIENT", "SETNAME", "x")],
            [RESPCommand("WATCH", "a"), RESPCommand("MULTI"), RESPCommand("UNWATCH")],
            [RESPCommand("MULTI"), RESPCommand("SET", "a", 1), RESPCommand("EXEC"), RESPCommand("MULTI")],
            [RESPCommand("MULTI"), RESPCommand("EXEC"), RESPCommand("WATCH", "a")],
        ] {
            #expect(try await !isKept(after: dirty), "\(dirty)")
            #expect(try await !isKept(after: dirty, inOneWrite: true), "\(dirty)")
        }
        // What is refused may be misunderstood here.
        let refused = [RESPCommand("MULTI"), RESPCommand("MULTI"), RESPCommand("EXEC")]
        #expect(try await !isKept(after: refused, inOneWrite: true))
    }

    @Test func aConnectionIsDroppedAfterATimeoutOrACancellation() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxLeasedConnections = 1 }
        let late = try await clientError {
            try await client.withConnection {
                try await $0.execute(RESPCommand("BLPOP", "none", 0), timeout: .milliseconds(20))
            }
        }
        #expect(late?.code == .timedOut)
        #expect(try await eventually { try await client.info("connected_clients") == 1 })
        let task = Task { try await client.withConnection { try await $0.execute(RESPCommand("BLPOP", "none", 0)) } }
        #expect(try await eventually { try await client.info("blocked_clients") == 1 })
        let next = Task.immediate { try await client.withConnection { try await $0.execute(RESPCommand("PING")) } }
        task.cancel()
        #expect(try await clientError { try await task.value }?.code == .cancelled)
        #expect(try await next.value.string == "PONG")
        #expect(try await eventually { try await client.info("connected_clients") == 2 }, "with that of who came next")
    }

    @Test func thereAreNoMoreThanAllowed() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxLeasedConnections = 3 }
        try await client.connect()
        let most = NIOLockedValueBox((now: 0, most: 0))
        let echoed = try await withThrowingTaskGroup(of: Int?.self) { group in
            for index in 0..<60 {
                group.addTask {
                    try await client.withConnection { connection in
                        most.withLockedValue {
                            $0.now += 1
                            $0.most = max($0.now, $0.most)
                        }
                        defer { most.withLockedValue { $0.now -= 1 } }
                        return try await connection.execute(RESPCommand("ECHO", index)).integer
                    }
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(echoed.count == 60)
        #expect(most.withLockedValue { $0.most } == 3)
        // One more asks which server that is, and ends.
        #expect(try await eventually { try await client.info("connected_clients") == 4 })
        await client.close()
        let late = try await clientError { try await client.withConnection { _ in } }
        #expect(late?.code == .closed)
    }

    @Test func whoHasAConnectionAloneMaySendAsMuchAsHeLikes() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxInFlight = 1 }
        try await client.withConnection { connection in
            async let popped = connection.execute(RESPCommand("BLPOP", "jobs", 0))
            #expect(try await eventually { try await client.info("blocked_clients") == 1 })
            async let replies = connection.execute(pipeline: [RESPCommand("PING"), RESPCommand("PING")])
            try await client.execute(RESPCommand("RPUSH", "jobs", "work"))
            #expect(try await (popped.array?.count, replies.count) == (2, 2))
        }
    }

    @Test func waitingForAConnectionEnds() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.maxLeasedConnections = 1
            $0.connectTimeout = .milliseconds(500)
        }
        // Patiently, on a busy machine.
        let isThere = await eventually {
            (try? await client.withConnection { try await $0.execute(RESPCommand("PING")) }) != nil
        }
        #expect(isThere)
        try await client.withConnection { first in
            try await first.execute(RESPCommand("PING"))
            let late = try await clientError { try await client.withConnection { _ in } }
            #expect(late?.code == .timedOut)
            #expect(late?.mayHaveExecuted == false)
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await client.withConnection { _ in }
            }
            task.cancel()
            #expect(try await clientError { try await task.value }?.code == .cancelled)
        }
        let after = try await client.withConnection { try await $0.execute(RESPCommand("ECHO", "free")).string }
        #expect(after == "free")
    }

    @Test func aConnectionThatTakesLongIsMadeForTheNext() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        proxy.faults.stopsReading = true
        let client = RedisClient(port: proxy.port) { $0.maxLeasedConnections = 1 }
        let late = try await clientError {
            try await client.execute(transaction: [RESPCommand("PING")], timeout: .milliseconds(50))
        }
        #expect(late?.code == .timedOut)
        let isLent = NIOLockedValueBox(false)
        let next = Task.immediate {
            try await client.withConnection { connection in
                isLent.withLockedValue { $0 = true }
                return try await connection.execute(RESPCommand("ECHO", "next")).string
            }
        }
        #expect(await eventually { proxy.acceptedCount == 1 })
        #expect(!isLent.withLockedValue { $0 })
        proxy.faults.stopsReading = false
        #expect(try await next.value == "next")
        #expect(proxy.acceptedCount == 1)
    }

    @Test func aLongPipelineDoesNotWaitForEverForAConnectionOfItsOwn() async throws {
        let server = try await RedisServer.start()
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port)
        try await client.connect()
        proxy.upstreamPort = silent.port
        let pipeline = (0..<3000).map { RESPCommand("ECHO", $0) }
        let replies = try await client.execute(pipeline: pipeline, timeout: .seconds(4))
        #expect(replies.enumerated().allSatisfy { $0.offset == $0.element.integer })
        #expect(silent.acceptedCount == 1)
    }

    /// The timer may have gone off before.
    @Test(.timeLimit(.minutes(1))) func whoComesTooLateForAConnectionDoesNotWait() async throws {
        var configuration = RedisClient.configuration(port: 1)
        configuration.maxLeasedConnections = 1
        let pool = ConnectionPool(
            configuration: configuration,
            eventLoop: NIOAsyncTestingEventLoop(),
            logger: Logger(label: "test")
        )
        _ = try pool.leaseNow()
        #expect(try await clientError { try await pool.lease(until: .now()) }?.code == .timedOut)
    }

    @Test func aConnectionIsOfNoUseAfterItsScope() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let kept = try await client.withConnection { connection in
            try await connection.execute(RESPCommand("PING"))
            return connection
        }
        #expect(try await clientError { try await kept.execute(RESPCommand("PING")) }?.code == .closed)
    }

    @Test func whatIsNotAnsweredOnceIsRefused() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        for command in [
            RESPCommand("SUBSCRIBE", "a"), RESPCommand("monitor"), RESPCommand("CLIENT", "reply", "off"),
            RESPCommand("replconf", "ACK", 0), RESPCommand("SCRIPT", "DEBUG", "SYNC"),
            RESPCommand("CLIENT", "REPLY\0", "OFF"), RESPCommand("SCRIPT", "debug\0 1", "SYNC"),
        ] {
            let error = try await clientError { try await client.withConnection { try await $0.execute(command) } }
            #expect(error?.code == .unsupportedCommand)
        }
    }

    @Test func aLostConnectionIsNotMadeAgainUnderItsOwner() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        try await client.withConnection { connection in
            try await connection.execute(RESPCommand("WATCH", "a"))
            let id = try await connection.execute(RESPCommand("CLIENT", "ID"))
            try await client.execute(RESPCommand("CLIENT", "KILL", "ID", id.integer ?? 0))
            for _ in 0..<2 {
                let error = try await clientError { try await connection.execute(RESPCommand("GET", "a")) }
                #expect(error?.code == .connectionLost)
            }
        }
        let after = try await client.withConnection { try await $0.execute(RESPCommand("ECHO", "next")).string }
        #expect(after == "next")
    }

    @Test func allConnectionsAreClosedAtOnce() async throws {
        let server = try await RedisServer.start()
        // Closing waits for each as long.
        let client = RedisClient(server) { $0.commandTimeout = .seconds(1) }
        let observer = RedisClient(server)
        let blocked = (0..<8).map { _ in
            Task { try await client.withConnection { try await $0.execute(RESPCommand("BLPOP", "none", 0)) } }
        }
        #expect(try await eventually { try await observer.info("blocked_clients") == 8 })
        let start = ContinuousClock.now
        await client.close()
        // A second each, one after the other, would be eight.
        #expect(ContinuousClock.now - start < .seconds(5))
        for task in blocked { #expect(try await clientError { try await task.value }?.code == .closed) }
    }

    /// A question that the connection asks on its own account would be queued among the caller's commands.
    @Test func nothingIsAskedWithinATransaction() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.keepAliveInterval = .milliseconds(20)
            $0.commandTimeout = .seconds(20)
        }
        func pings() throws -> Int {
            let calls = try server.command("INFO commandstats").firstMatch(of: /cmdstat_ping:calls=(\d+)/)
            return calls.flatMap { Int($0.output.1) } ?? 0
        }
        try await client.connect()
        let replies = try await client.withConnection { connection in
            try await connection.execute(RESPCommand("MULTI"))
            try await connection.execute(RESPCommand("INCR", "n"))
            // Connections that are as quiet, and have no transaction, are asked meanwhile.
            let before = try pings()
            #expect(try await eventually { try pings() >= before + 5 })
            return try await connection.execute(RESPCommand("EXEC"))
        }
        #expect(replies == .array([.integer(1)]))
    }

    @Test func aLongPipelineGoesApart() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxInFlight = 1000 }
        try await client.connect()
        let replies = try await client.execute(pipeline: (0..<50_000).map { RESPCommand("ECHO", $0) })
        #expect(replies.enumerated().allSatisfy { $0.offset == $0.element.integer })
        // A third asks which server that is, and ends.
        #expect(try await eventually { try await client.info("connected_clients") == 2 })
    }
}

extension RedisClient {
    /// A number that the server tells about itself.
    func info(_ name: String) async throws -> Int? {
        let lines = try await execute(RESPCommand("INFO")).string?.split(whereSeparator: \.isNewline) ?? []
        return lines.first { $0.hasPrefix(name + ":") }.flatMap { Int($0.dropFirst(name.count + 1)) }
    }
}
