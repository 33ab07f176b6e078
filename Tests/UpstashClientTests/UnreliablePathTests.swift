import NIOCore
import RESP
import TestSupport
import Testing
import UpstashClient

/// The client and our own endpoint, with a path between them that does what networks do.
@Suite struct UnreliablePathTests {
    private struct Path {
        let server: RedisServer
        let proxy: FaultProxy
        let client: UpstashClient

        static func open(_ change: (inout UpstashClient.Configuration) -> Void = { _ in }) async throws -> Path {
            let server = try await RedisServer.start()
            let proxy = try await FaultProxy.start(upstreamPort: try await Endpoint.serve(server.url))
            let client = try Endpoint.client(port: proxy.port) {
                $0.retryBackoff = .milliseconds(1)...Duration.milliseconds(5)
                change(&$0)
            }
            return Path(server: server, proxy: proxy, client: client)
        }
    }

    @Test("whatever breaks, nothing is run twice and nothing that was answered is lost")
    func countsEachOnce() async throws {
        let path = try await Path.open { $0.maxCommandsPerRequest = 10 }
        var (answered, unknown) = (0, 0)
        try await withThrowingTaskGroup(of: Bool?.self) { group in
            for _ in 0..<400 {
                group.addTask {
                    do {
                        try await path.client.execute(RESPCommand("INCR", "count"))
                        return true
                    } catch let error as UpstashError {
                        return error.mayHaveExecuted ? false : nil
                    }
                }
            }
            var seen = 0
            for try await outcome in group {
                if outcome == true { answered += 1 } else if outcome == false { unknown += 1 }
                seen += 1
                if seen.isMultiple(of: 20) { path.proxy.cut() }
            }
        }
        let count = try await path.client.execute(RESPCommand("GET", "count")).integer ?? 0
        #expect((answered...(answered + unknown)).contains(count), "\(answered) answered, \(unknown) unknown")
    }

    @Test("answers that come byte by byte, and late")
    func readsSlowAnswers() async throws {
        let path = try await Path.open { $0.overlapAfter = .milliseconds(1) }
        path.proxy.faults.dripSize = 1
        path.proxy.faults.delay = .milliseconds(2)
        let value = String(repeating: "x", count: 500)
        try await path.client.execute(RESPCommand("SET", "k", value))
        let pipeline = [RESPCommand("GET", "k"), RESPCommand("INCR", "k"), RESPCommand("GET", "k")]
        let replies = try await path.client.execute(pipeline: pipeline)
        #expect(replies[0].string == value && replies[1].error != nil && replies[2].string == value)
    }

    @Test("a path that swallows answers costs the deadline, and no more than that")
    func survivesSilence() async throws {
        let path = try await Path.open()
        try await path.client.execute(RESPCommand("SET", "k", 1))
        path.proxy.faults.swallowsReplies = true
        let increment = RESPCommand("INCR", "k")
        let error = try await upstashError { try await path.client.execute(increment, timeout: .seconds(1)) }
        #expect(error?.code == .timedOut && error?.mayHaveExecuted == true)
        path.proxy.faults.swallowsReplies = false
        // Run, although nothing told of it; and not run again.
        #expect(try await eventually { try await path.client.execute(RESPCommand("GET", "k")).integer == 2 })
    }

    @Test("a path that is closed for a while")
    func waitsForThePath() async throws {
        let path = try await Path.open { $0.maxRetries = 100_000 }
        path.proxy.faults.refuses = true
        path.proxy.cut()
        let read = Task { try await path.client.execute(RESPCommand("GET", "absent")) }
        #expect(await eventually { path.proxy.acceptedCount > 2 })
        path.proxy.faults.refuses = false
        #expect(try await read.value == .null)
    }
}
