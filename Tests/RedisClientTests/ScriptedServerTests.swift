import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// What becomes of commands when a server does what no real one does on demand.
@Suite(.timeLimit(.minutes(3))) struct ScriptedServerTests {
    @Test func whatIsNoRESPMayFollowAnExecutedCommand() async throws {
        let server = try await ScriptedServer.start { _ in "?\r\n" }
        let client = RedisClient(port: server.port)
        let error = try await clientError { try await client.execute(RESPCommand("INCR", "n")) }
        #expect(error?.code == .protocolViolation)
        #expect(error?.mayHaveExecuted == true)
    }

    @Test func aReplyToNoCommandEndsTheConnection() async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n+OK\r\n" }
        let node = RedisNode(
            configuration: RedisClient.configuration(port: server.port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test"),
            isRenewed: false
        )
        _ = try await node.run(RESPCommand("SET", "a", 1), deadline: .now() + .seconds(20))
        #expect(await eventually { !node.isConnected })
        let reason = node.state.withLockedValue { $0.refusalWhenClosed }
        #expect(reason.code == .protocolViolation)
        await node.close()
    }

    /// Everybody behind it got the reply of another, or the time of each was over, for as long as the connection lasted.
    @Test(.timeLimit(.minutes(1)), arguments: ["", "+extra\r\n+lost\r\n"], [1, 4])
    func repliesThatAreOneOffEndTheConnection(reply: String, callers: Int) async throws {
        let server = try await ScriptedServer.start { words in
            switch words[0] {
            case "PING": "+PONG\r\n"
            case "GET": reply
            default: "+\(words[1])\r\n"
            }
        }
        let client = RedisClient(port: server.port) {
            $0.commandTimeout = .milliseconds(50)
            $0.keepAliveInterval = .milliseconds(300)
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        let isOver = NIOLockedValueBox(false)
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    for number in 0... {
                        if isOver.withLockedValue({ $0 }) { return }
                        let text = "\(caller) \(number)"
                        _ = try? await client.execute(RESPCommand("ECHO", text))
                    }
                }
            }
            _ = try? await client.execute(RESPCommand("GET", "lost"))
            #expect(await eventually { server.acceptedCount > 1 })
            isOver.withLockedValue { $0 = true }
        }
        #expect(await eventually { (try? await client.execute(RESPCommand("ECHO", "right")))?.string == "right" })
    }

    @Test(.timeLimit(.minutes(1))) func aSubscriptionIsMadeAnewWhereRepliesAreOneOff() async throws {
        let server = try await ScriptedServer.start(answersPing: false) { words in
            words[0] == "SUBSCRIBE" ? ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n" : "+OK\r\n"
        }
        let client = RedisClient(port: server.port) { $0.keepAliveInterval = .milliseconds(100) }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
    }

    @Test(arguments: [Duration.zero, .seconds(-1)]) func whatIsNotKeptAliveIsNotAsked(interval: Duration) async throws {
        let pings = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start(answersPing: false) { words in
            if words[0] == "SUBSCRIBE" { return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n" }
            pings.withLockedValue { $0 += 1 }
            return "+PONG\r\n"
        }
        let client = RedisClient(port: server.port) { $0.keepAliveInterval = interval }
        let subscription = try await client.subscribe(to: ["news"])
        try await client.connect()
        #expect(await !eventually(within: .milliseconds(200)) { pings.withLockedValue { $0 } > 0 })
        withExtendedLifetime(subscription) {}
    }

    @Test func whatIsNotKeptAliveIsGivenUpWhereAReplyIsOverdue() async throws {
        let server = try await ScriptedServer.start(answersPing: false) { _ in "" }
        let client = RedisClient(port: server.port) {
            $0.commandTimeout = .milliseconds(50)
            $0.keepAliveInterval = .zero
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        #expect(try await clientError { try await client.execute(RESPCommand("GET", "a")) }?.code == .timedOut)
        #expect(await eventually { server.acceptedCount > 1 })
    }

    /// The deadline passes before, while or after the caller begins to wait.
    @Test func aConnectionIsWaitedForNoLongerThanAsked() async throws {
        let server = try await ScriptedServer.start(greets: false) { _ in "" }
        let node = RedisNode(
            configuration: RedisClient.configuration(port: server.port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        for _ in 0..<50 {
            try #require(await clientError { try await node.connect(until: .now()) }?.code == .timedOut)
        }
        await node.close()
    }

    @Test func aTransactionThatIsDroppedIsNoSuccess() async throws {
        let server = try await ScriptedServer.start { $0[0] == "EXEC" ? "_\r\n" : "+QUEUED\r\n" }
        let client = RedisClient(port: server.port)
        let error = try await clientError {
            try await client.execute(transaction: [RESPCommand("SET", "a", 1)], timeout: .seconds(20))
        }
        #expect(error?.code == .protocolViolation)
        #expect(error?.mayHaveExecuted == false)
    }

    /// Everybody's commands would be queued from then on, whether whoever sent it still waits or not.
    @Test(arguments: [true, false]) func aTransactionThatIsNotEndedEndsTheConnection(isAwaited: Bool) async throws {
        let isQueueing = NIOLockedValueBox(false)
        let refusal = "-NOPERM no permission to run 'exec'\r\n"
        let server = try await ScriptedServer.start(greets: false, answersPing: false) { words in
            switch words[0] {
            case "HELLO", "MULTI": isQueueing.withLockedValue { $0 = words[0] == "MULTI" }
            case "EXEC": return isAwaited ? refusal : ""
            // It is asked where a reply is overdue.
            case "PING": return refusal + "+PONG\r\n"
            default: break
            }
            return isQueueing.withLockedValue { $0 } && words[0] != "MULTI" ? "+QUEUED\r\n" : "+OK\r\n"
        }
        let client = RedisClient(port: server.port)
        try await client.connect()
        let pipeline = [RESPCommand("MULTI"), RESPCommand("GET", "a"), RESPCommand("EXEC")]
        if isAwaited {
            let replies = try await client.execute(pipeline: pipeline)
            #expect(replies.last?.error?.code == .noPermission)
        } else {
            let error = try await clientError {
                try await client.execute(pipeline: pipeline, timeout: .milliseconds(50))
            }
            #expect(error?.code == .timedOut)
        }
        #expect(await eventually { server.acceptedCount == 2 })
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
    }

    /// What a server refuses that has begun none, or has dropped it, leaves no trace.
    @Test(arguments: [("-NOPERM MULTI", "-ERR EXEC without MULTI"), ("+OK", "-EXECABORT"), ("+OK", "-MOVED 1 :2")])
    func aTransactionThatHasEndedLeavesTheConnectionAlone(begin: String, end: String) async throws {
        let server = try await ScriptedServer.start { words in
            switch words[0] {
            case "MULTI": "\(begin)\r\n"
            case "EXEC": "\(end)\r\n"
            default: "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port)
        let pipeline = [RESPCommand("MULTI"), RESPCommand("GET", "a"), RESPCommand("EXEC")]
        #expect(try await client.execute(pipeline: pipeline).last?.error != nil)
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
        #expect(server.acceptedCount == 1)
    }

    @Test(arguments: [["MULTI", "EXEC x"], ["MULTI x", "EXEC"]])
    func whatAServerMayRefuseToEndIsNoTransaction(lines: [String]) async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n" }
        let client = RedisClient(port: server.port)
        let pipeline = lines.map { line in
            let words = line.split(separator: " ").map(String.init)
            return RESPCommand(words[0], arguments: Array(words.dropFirst()))
        }
        #expect(try await clientError { try await client.execute(pipeline: pipeline) }?.code == .unsupportedCommand)
    }

    @Test func whatTheServerDoesNotTrackIsNotAnswered() async throws {
        let server = try await ScriptedServer.start { $0[0] == "CLIENT" ? "-NOPERM no caching\r\n" : "+value\r\n" }
        let client = RedisClient(port: server.port) { $0.clientSideCaching = true }
        let refusal = await #expect(throws: RESPError.self) { try await client.tracked.get("a") }
        #expect(refusal?.code == .noPermission)
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "value")
    }

    @Test func aServerThatHasTooManyConnectionsIsToldAsSuch() async throws {
        let server = try await ScriptedServer.start(greets: false) {
            $0[0] == "HELLO" ? "-ERR max number of clients reached\r\n" : nil
        }
        let client = RedisClient(port: server.port)
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .connectFailed)
        #expect((error?.underlying as? RESPError)?.message == "max number of clients reached")
    }

    @Test func aLongPipelineThatGetsNoConnectionOfItsOwnGoesWithTheOthers() async throws {
        let handshakes = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start(greets: false) { words in
            guard words[0] == "HELLO" else { return "+OK\r\n" }
            return handshakes.withLockedValue { count in
                count += 1
                return count == 1 ? "%0\r\n" : "-BUSY too many connections\r\n"
            }
        }
        let client = RedisClient(port: server.port)
        try await client.connect()
        let replies = try await client.execute(pipeline: Array(repeating: RESPCommand("PING"), count: 3000))
        #expect(replies.count == 3000)
        #expect(handshakes.withLockedValue { $0 } == 2)
    }

    /// Shaking hands is not enough for a server to be turned to again at once.
    @Test func aServerThatAnswersNothingIsTriedLessAndLess() async throws {
        let isHelpful = NIOLockedValueBox(false)
        let server = try await ScriptedServer.start(answersPing: false) { _ in
            isHelpful.withLockedValue { $0 } ? "+PONG\r\n" : nil
        }
        var configuration = RedisClient.configuration(port: server.port)
        configuration.reconnectBackoff = .milliseconds(1)...Duration.seconds(3600)
        let node = RedisNode(
            configuration: configuration,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        func nextPause() -> TimeAmount { node.link.withLockedValue { $0.backoff.next(jitter: 0) } }
        func ping() async throws { _ = try await node.run(RESPCommand("PING"), deadline: .now() + .seconds(20)) }
        for _ in 0..<3 {
            let error = try await clientError { try await ping() }
            #expect(error?.code == .connectionLost)
        }
        // Each time twice as long as before.
        #expect(nextPause() >= .milliseconds(8))
        isHelpful.withLockedValue { $0 = true }
        try await ping()
        server.cut()
        #expect(await eventually { server.acceptedCount > 4 })
        #expect(nextPause() <= .milliseconds(2))
        await node.close()
    }
}
