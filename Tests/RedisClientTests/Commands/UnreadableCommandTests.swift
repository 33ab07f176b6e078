import NIOConcurrencyHelpers
import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Commands with arguments that are too large for a server, which reads nothing behind them.
@Suite struct UnreadableCommandTests {
    private static let large = ByteBuffer(repeating: 1, count: 1 << 20 + 1)

    private struct State {
        var isClosing = false
        var unread = 0
        var count = 0
    }

    /// Takes no large arguments, and counts. A real one closes at once, so that what it says may be lost.
    ///
    /// - Parameter unread: so many commands come behind a large one.
    private func server(unread: Int) async throws -> ScriptedServer {
        let state = NIOLockedValueBox(State())
        return try await ScriptedServer.start(greets: false) { words in
            state.withLockedValue { state in
                if words[0] == "HELLO" { state = State(count: state.count) }
                if state.isClosing {
                    state.unread += 1
                    return state.unread < unread ? "" : nil
                }
                if words.last?.utf8.count == Self.large.readableBytes {
                    state.isClosing = true
                    return "-ERR Protocol error: invalid bulk length\r\n"
                }
                guard words[0] == "INCR" else { return "%0\r\n" }
                state.count += 1
                return ":\(state.count)\r\n"
            }
        }
    }

    @Test(arguments: [RESPCommand("SET", "k", Self.large), RESPCommand("EVAL", "x", 0, Self.large)])
    func whatOthersSendBehindItIsRunOnce(command: RESPCommand) async throws {
        let server = try await server(unread: 8)
        let client = RedisClient(port: server.port)
        try await client.connect()
        // They run in their order there, and are written together.
        let replies = try await withTaskExecutorPreference(client.taskExecutor) {
            try await withThrowingTaskGroup(of: Int?.self) { group in
                group.addTask {
                    let error = await #expect(throws: RESPError.self) {
                        try await client.execute(command)
                    }
                    #expect(error?.isUnreadable == true)
                    return nil
                }
                for _ in 0..<8 { group.addTask { try await client.execute(RESPCommand("INCR", "n")).integer } }
                return try await group.reduce(into: []) { replies, reply in replies += reply.map { [$0] } ?? [] }
            }
        }
        #expect(replies.sorted() == Array(1...8))
        #expect(server.acceptedCount == 2)
    }

    @Test(arguments: [false, true])
    func aPipelineIsNotSentAgain(waitsForConnection: Bool) async throws {
        let server = try await server(unread: 1)
        let client = RedisClient(port: server.port)
        if !waitsForConnection { try await client.connect() }
        let replies = try await client.execute(pipeline: [
            RESPCommand("GET", "a"), RESPCommand("GET", Self.large), RESPCommand("GET", "b"),
        ])
        #expect(replies.map { $0.error?.isUnreadable ?? false } == [false, true, true])
        #expect(try await client.execute(RESPCommand("INCR", "n")).integer == 1)
        #expect(server.acceptedCount == 2)
    }

    /// A script may make it up, and a proxy pass it on.
    @Test func aServerThatGoesOnIsNotLeft() async throws {
        let server = try await ScriptedServer.start { words in
            switch words[0] {
            case "EVAL", "SET": "-ERR Protocol error: x\r\n"
            case "INCR": nil
            default: "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port)
        let (script, write) = (RESPCommand("EVAL", "x", 0, Self.large), RESPCommand("SET", "a", Self.large))
        for command in [script, write] {
            await #expect(throws: RESPError.self) { try await client.execute(command) }
            let replies = try await client.execute(pipeline: [command, RESPCommand("GET", "a")])
            #expect(replies.map { $0.error == nil } == [false, true])
        }
        #expect(server.acceptedCount == 1)
        let error = try await clientError { try await client.execute(pipeline: [script, RESPCommand("INCR", "n")]) }
        #expect(error?.mayHaveExecuted == true)
    }

    /// It may have done what it has not answered yet.
    @Test(arguments: [false, true]) func whomTheClientLeavesMayHaveGoneOn(isClosed: Bool) async throws {
        let (count, isSilent) = (NIOLockedValueBox(0), NIOLockedValueBox(false))
        let server = try await ScriptedServer.start(answersPing: false) { words in
            if words[0] == "PING", !isSilent.withLockedValue({ $0 }) { return "+PONG\r\n" }
            if words.last?.utf8.count == Self.large.readableBytes {
                isSilent.withLockedValue { $0 = true }
                return "-ERR Protocol error: x\r\n"
            }
            if words[0] == "INCR" { count.withLockedValue { $0 += 1 } }
            return ""
        }
        let patient = Duration.seconds(60)
        let client = RedisClient(port: server.port) {
            $0.commandTimeout = .milliseconds(50)
            $0.keepAliveInterval = isClosed ? patient : .seconds(8)
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        await #expect(throws: RESPError.self) {
            try await client.execute(RESPCommand("SET", "a", Self.large), timeout: patient)
        }
        let write = Task {
            try await clientError { try await client.execute(RESPCommand("INCR", "n"), timeout: patient) }
        }
        #expect(await eventually { count.withLockedValue { $0 } == 1 })
        if isClosed { await client.close() }
        let error = try await write.value
        #expect(error?.code == (isClosed ? .closed : .connectionLost))
        #expect(error?.mayHaveExecuted == true)
        #expect(count.withLockedValue { $0 } == 1)
    }
}
