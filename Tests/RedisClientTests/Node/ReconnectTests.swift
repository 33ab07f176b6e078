import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.serialized, .timeLimit(.minutes(3))) struct ReconnectTests {
    /// What goes on is told in detail only.
    @Test func thatThereIsNoConnectionIsSaidOnceAloud() async throws {
        for isCluster in [false, true] {
            let logs = RecordedLogs()
            // Nobody listens there.
            var configuration = RedisClient.configuration(port: 1)
            configuration.reconnectBackoff = .milliseconds(1)...Duration.milliseconds(1)
            // That it takes long is another reason.
            configuration.surveyPatience = .seconds(20)
            if isCluster { configuration.topology = .cluster(.init(seeds: [configuration.address])) }
            let client = RedisClient(configuration, logger: logs.logger)
            _ = try? await client.connect()
            let ofCluster = isCluster ? ["The cluster's nodes are not known."] : []
            for text in ["No connection to the Redis server."] + ofCluster {
                func levels() -> [Logger.Level] { logs.entries.filter { $0.message == text }.map(\.level) }
                #expect(await eventually { levels().count >= 5 })
                #expect(levels().prefix(5) == [.info, .debug, .debug, .debug, .debug])
            }
            await client.close()
        }
    }

    /// A server that takes connections and says nothing is no better than one that is gone.
    @Test func aLostServerIsFailingUntilItAnswersAgain() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let node = RedisNode(
            configuration: RedisClient.configuration(port: proxy.port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        try await node.connect()
        #expect(!node.isFailing)
        proxy.faults.swallowsRequests = true
        proxy.cut()
        #expect(await eventually { node.isConnecting })
        #expect(node.isFailing)
        proxy.faults = .init()
        proxy.cut()
        // The first may still meet the attempt that was cut.
        #expect(await eventually { (try? await node.connect()) != nil })
        #expect(!node.isFailing)
        await node.close()
    }

    @Test func aLongPipelineWaitsForTheFirstConnection() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxQueuedOffline = 5 }
        let replies = try await client.execute(pipeline: (0..<50).map { RESPCommand("ECHO", $0) })
        #expect(replies.map(\.integer) == Array(0..<50))
    }

    /// Such as the first of a client, and one that is sent again after the connection was lost.
    @Test func aLongPipelineKeepsOffTheConnectionThatItWaitedFor() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let pipeline = [RESPCommand("CLIENT", "ID")] + (1..<3000).map { RESPCommand("ECHO", $0) }
        func long() async throws -> Int? {
            let replies = try await client.execute(pipeline: pipeline)
            #expect(replies.dropFirst().map(\.integer) == Array(1..<3000))
            return replies[0].integer
        }
        let first = try await long()
        #expect(try await client.execute(RESPCommand("CLIENT", "ID")).integer != first)
        await server.stop()
        #expect(await eventually { !client.isConnected })
        let waiting = Task.immediate { try await long() }
        try await server.restart()
        let second = try await waiting.value
        #expect(try await client.execute(RESPCommand("CLIENT", "ID")).integer != second)
    }

    @Test func aLongPipelineWaitsNoLongerThanOthers() async throws {
        let server = try await RedisServer.start()
        await server.stop()
        let client = RedisClient(server) { $0.maxQueuedOffline = 10 }
        let pipeline = Array(repeating: RESPCommand("PING"), count: 3000)
        let late = try await clientError { try await client.execute(pipeline: pipeline, timeout: .milliseconds(30)) }
        #expect(late?.code == .timedOut)
        #expect(late?.mayHaveExecuted == false)
        let waiting = Task.immediate { try await clientError { try await client.execute(pipeline: pipeline) }?.code }
        // It counts.
        #expect(try await clientError { try await client.execute(pipeline: pipeline) }?.code == .overloaded)
        #expect(try await clientError { try await client.execute(RESPCommand("PING")) }?.code == .overloaded)
        waiting.cancel()
        #expect(try await waiting.value == .cancelled)
        await client.close()
        #expect(try await clientError { try await client.execute(pipeline: pipeline) }?.code == .closed)
    }

    /// Behind its end the event loops may be gone.
    @Test(.timeLimit(.minutes(1))) func whoeverIsClosedAsksNoMoreWhichServerThatIs() async throws {
        let (hasEnded, isAsked) = (NIOLockedValueBox(false), NIOLockedValueBox(false))
        let server = try await ScriptedServer.start { words in
            switch words {
            case ["SUBSCRIBE", "end"] where !hasEnded.withLockedValue({ $0 }):
                hasEnded.withLockedValue { $0 = true }
                return nil
            case ["INFO", "server"]:
                isAsked.withLockedValue { $0 = true }
                return ""
            default:
                return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
            }
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = RedisClient.configuration(port: server.port)
        configuration.commandTimeout = .milliseconds(300)
        let client = RedisClient(configuration, eventLoopGroup: group)
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        try await client.connect()
        _ = try await client.subscribe(to: ["end"])
        #expect(await eventually { isAsked.withLockedValue { $0 } })
        await client.close()
        #expect(node.link.withLockedValue { $0.besides.isEmpty })
        try await group.shutdownGracefully()
    }

    @Test func whoeverIsClosedDoesNotWaitToAskAgain() async throws {
        let server = try await ScriptedServer.start { _ in nil }
        let client = RedisClient(port: server.port) { $0.reconnectBackoff = .seconds(3600)...Duration.seconds(3600) }
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        try await client.connect()
        node.recheckServer(.loss(.now()))
        #expect(await eventually { node.link.withLockedValue { $0.doubt.due } > .now() })
        let isClosed = NIOLockedValueBox(false)
        Task {
            await client.close()
            isClosed.withLockedValue { $0 = true }
        }
        #expect(await eventually { isClosed.withLockedValue { $0 } })
    }

    @Test func aServerThatDoesNotTellWhichItIsIsAskedOnce() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            guard words[0] == "INFO" else { return "+OK\r\n" }
            asked.withLockedValue { $0 += 1 }
            return "-NOPERM no INFO\r\n"
        }
        let client = RedisClient(port: server.port)
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        try await client.connect()
        for _ in 0..<3 {
            // None is leased again.
            try await client.withConnection { _ = try await $0.execute(RESPCommand("SELECT", 1)) }
            await node.link.withLockedValue { $0.recheck }?.value
        }
        // On the shared connection, and on one beside it.
        #expect(asked.withLockedValue { $0 } == 2)
        #expect(server.acceptedCount == 5)
        await client.close()
    }

    @Test func aServerThatCannotTellForTheMomentIsAskedAgain() async throws {
        let server = try await ScriptedServer.start { $0[0] == "INFO" ? "-ERR upstream is away\r\n" : "+OK\r\n" }
        let client = RedisClient(port: server.port)
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        try await client.connect()
        try await client.withConnection { _ = try await $0.execute(RESPCommand("PING")) }
        #expect(await eventually { node.link.withLockedValue { $0.doubt.due } > .now() })
        await client.close()
    }

    @Test func callersAtTheSameTimeMakeOneConnection() async throws {
        let server = try await RedisServer.start()
        let observer = RedisClient(server)
        let before = try await observer.info("total_connections_received")
        for _ in 0..<300 {
            let client = RedisClient(server)
            async let connecting: Void = client.connect()
            async let first = client.execute(RESPCommand("PING"))
            async let second = client.execute(RESPCommand("PING"))
            _ = try await (connecting, first, second)
        }
        #expect(try await observer.info("total_connections_received") == before.map { $0 + 300 })
    }

    /// Bytes that wait for the socket must not be overtaken, or all replies go to the wrong callers.
    @Test func aProbeOvertakesNothing() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        let keys = (0..<12).map { "key\($0)" }
        for key in keys { try await client.execute(RESPCommand("SET", key, "value of \(key)")) }
        server.pause()
        let sets = (0..<4).map { index in
            let command = RESPCommand("SET", "large\(index)", ByteBuffer(repeating: 1, count: 8 << 20))
            return Task.immediate {
                try await clientError { try await client.execute(command, timeout: .milliseconds(500)) }
            }
        }
        // These are written now, and are more than the socket takes.
        try await node.eventLoop.submit {}.get()
        let gets = keys.map { key in
            Task.immediate { try await client.execute(RESPCommand("GET", key), timeout: .seconds(60)).string }
        }
        for set in sets { #expect(try await set.value?.code == .timedOut) }
        // The probe belongs to the turn of the event loop in which the deadlines passed.
        try await node.eventLoop.submit {}.get()
        server.resume()
        for (key, get) in zip(keys, gets) { #expect(try await get.value == "value of \(key)") }
        #expect(try await client.execute(RESPCommand("ECHO", "after")).string == "after")
    }

    @Test func theEarliestDeadlineOfABatchCounts() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) { $0.keepAliveInterval = .seconds(3600) }
        try await client.connect()
        proxy.faults.swallowsRequests = true
        // On the event loop itself both are there before it takes what was submitted.
        try await withTaskExecutorPreference(client.taskExecutor) {
            await Task.yield()
            async let patient = client.execute(RESPCommand("ECHO", "patient"), timeout: .seconds(60))
            async let hasty = clientError {
                try await client.execute(RESPCommand("ECHO", "hasty"), timeout: .milliseconds(50))
            }
            let late = try await hasty
            #expect(late?.code == .timedOut)
            // Sent again over a new connection, unless its time was over too.
            proxy.faults = .init()
            proxy.cut()
            let reply = try await patient
            #expect(reply.string == "patient")
        }
    }
}
