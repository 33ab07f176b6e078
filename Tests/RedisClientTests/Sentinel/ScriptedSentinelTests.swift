import NIOConcurrencyHelpers
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct ScriptedSentinelTests {
    /// A primary that answers all but one command.
    private func primary(_ tracked: NIOLockedValueBox<Int>) async throws -> ScriptedServer {
        try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO": return "%0\r\n"
            case "ROLE": return "*1\r\n+master\r\n"
            case "SUBSCRIBE": return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
            case "EVAL": return ""
            case "CLIENT" where words[1] == "TRACKING":
                tracked.withLockedValue { $0 += 1 }
                return "+OK\r\n"
            default: return "+OK\r\n"
            }
        }
    }

    @Test func anotherPrimaryInvalidatesAtOnce() async throws {
        let tracked = NIOLockedValueBox(0)
        let (first, second) = (try await primary(tracked), try await primary(tracked))
        let port = NIOLockedValueBox(first.port)
        let sentinel = try await ScriptedSentinel.start { port.withLockedValue { $0 } }
        let client = sentinel.client { $0.clientSideCaching = true }
        var invalidations = client.invalidations.makeAsyncIterator()
        var events = client.connectionEvents.makeAsyncIterator()
        try await client.connect()
        _ = try await client.subscribe(to: ["news"])
        #expect(tracked.withLockedValue { $0 } == 1)
        // As long as a command is under way, the connection to the old primary stays.
        let slow = Task { try await client.execute(RESPCommand("EVAL", "slow", 0)) }
        port.withLockedValue { $0 = second.port }
        #expect(await invalidations.next() == .everything(.moved))
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
        slow.cancel()
        var told: [RedisConnectionEvent?] = []
        for _ in 0..<3 { told.append(await events.next()) }
        #expect(told == [.connected, .connected, .disconnected])
        await client.close()
        for server in [first, second, sentinel.server] { try await server.stop() }
    }
}
