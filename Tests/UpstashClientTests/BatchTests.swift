import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RESP
import TestSupport
import Testing
import UpstashClient

@Suite struct BatchTests {
    @Test("a lone command, its headers, and the token of the answer before")
    func sendsOneCommand() async throws {
        let standIn = try await StandIn.start { _, count in
            .json(StandIn.results([StandIn.text("v")]), headers: [("Upstash-Sync-Token", "token-\(count)")])
        }
        let client = try standIn.client()
        for _ in 0..<3 { #expect(try await client.execute(RESPCommand("GET", "k")).string == "v") }
        let requests = standIn.requests
        #expect(requests.map(\.target) == ["/pipeline", "/pipeline", "/pipeline"])
        #expect(requests.map(\.method) == ["POST", "POST", "POST"])
        #expect(requests.allSatisfy { $0.commands == [["GET", "k"]] })
        #expect(requests.allSatisfy { $0.headers["authorization"] == ["Bearer sesame"] })
        #expect(requests.allSatisfy { $0.headers["upstash-encoding"] == ["base64"] })
        #expect(requests.map { $0.headers["upstash-sync-token"] } == [[], ["token-0"], ["token-1"]])
        #expect(standIn.acceptedCount < 3)
        await client.close()
        #expect(try await upstashError { try await client.execute(RESPCommand("PING")) }?.code == .closed)
    }

    private static func expectEcho(_ number: Int, _ client: UpstashClient) async {
        let reply = try? await client.execute(RESPCommand("ECHO", number))
        #expect(reply?.integer == number)
    }

    @Test("what comes while a request is under way shares the next, in order")
    func sharesRequests() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, count in
            let reply = StandIn.Reply.json(StandIn.results(request.commands.map { $0[1] }))
            return count == 0 ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.expectEcho(-1, client) }
            #expect(await eventually { standIn.requests.count == 1 })
            for index in 0..<200 {
                group.addTask { await Self.expectEcho(index, client) }
            }
            group.addTask {
                let pipeline = (200..<210).map { RESPCommand("ECHO", $0) }
                let replies = try await client.execute(pipeline: pipeline)
                #expect(replies.map(\.integer) == Array(200..<210))
            }
            #expect(await eventually { client.waitingCount == 202 })
            gate.succeed()
            try await group.waitForAll()
        }
        #expect(standIn.requests.count == 2)
        let commands = standIn.requests[1].commands.compactMap { Int($0[1]) }
        #expect(commands.sorted() == Array(0..<210))
        let start = try #require(commands.firstIndex(of: 200))
        #expect(Array(commands[start..<start + 10]) == Array(200..<210))
    }

    @Test("64 callers cost less than one request in twenty commands")
    func needsFewRequests() async throws {
        let standIn = try await StandIn.start { request, _ in
            .json(StandIn.results(request.commands.map { $0[1] }))
        }
        // A machine too busy to answer within the usual time would let requests overlap.
        let client = try standIn.client { $0.overlapAfter = .seconds(60) }
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<64 {
                group.addTask {
                    for round in 0..<50 { await Self.expectEcho(caller * 100 + round, client) }
                }
            }
        }
        let commands = standIn.requests.reduce(0) { $0 + $1.commands.count }
        #expect(commands == 3200)
        #expect(Double(standIn.requests.count) / Double(commands) < 0.05, "\(standIn.requests.count) requests")
    }

    @Test("a request that takes long lets others go beside it")
    func overlapsSlowRequests() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, _ in
            let reply = StandIn.Reply.json(StandIn.results(["1"]))
            return request.commands.first?.last == "slow" ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client { $0.overlapAfter = .milliseconds(1) }
        let slow = Task { try await client.execute(RESPCommand("GET", "slow")) }
        #expect(await eventually { standIn.requests.count == 1 })
        #expect(try await client.execute(RESPCommand("GET", "quick")).integer == 1)
        gate.succeed()
        #expect(try await slow.value.integer == 1)
    }

    @Test("the token of a write is kept, though a read that was sent later has been answered before")
    func keepsTheTokenOfTheWrite() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, _ in
            let name = request.commands.first?.first ?? ""
            let reply = StandIn.Reply.json(StandIn.results(["1"]), headers: [("Upstash-Sync-Token", name)])
            return name == "INCR" ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client { $0.overlapAfter = .milliseconds(1) }
        let write = Task { try await client.execute(RESPCommand("INCR", "a")) }
        #expect(await eventually { standIn.requests.count == 1 })
        try await client.execute(RESPCommand("GET", "b"))
        gate.succeed()
        _ = try await write.value
        try await client.execute(RESPCommand("GET", "b"))
        #expect(standIn.requests.last?.headers["upstash-sync-token"] == ["INCR"])
    }

    @Test func failsOneCommandAlone() async throws {
        let standIn = try await StandIn.start { _, _ in
            .json("[{\"result\":1},{\"error\":\"WRONGTYPE no\"},{\"result\":null}]")
        }
        let client = try standIn.client()
        let replies = try await client.execute(pipeline: ["A", "B", "C"].map { RESPCommand($0) })
        #expect(replies == [.integer(1), .error(RESPError("WRONGTYPE no")), .null])
    }

    @Test("of a pipeline what cannot be sent fails alone")
    func failsAloneWhatCannotBeSent() async throws {
        let standIn = try await StandIn.start(answering: "1")
        let client = try standIn.client { $0.maxRequestBytes = 100 }
        let large = RESPCommand("SET", "k", String(repeating: "x", count: 100))
        let bytes = ByteBuffer(bytes: [0xFF])
        let (incr, binary) = (RESPCommand("INCR", "k"), RESPCommand("MSET", bytes, bytes))
        let replies = try await client.execute(pipeline: [large, incr, binary, incr, large])
        #expect(replies.map(\.integer) == [nil, 1, nil, 1, nil])
        let codes: [UpstashError.Code?] = [.requestTooLarge, nil, .unsupportedCommand, nil, .requestTooLarge]
        #expect(replies.map { $0.error?.upstashCode } == codes)
        for (command, code) in zip([large, binary], [UpstashError.Code.requestTooLarge, .unsupportedCommand]) {
            #expect(try await upstashError { try await client.execute(command) }?.code == code)
        }
        #expect(standIn.requests.map(\.commands) == [[["INCR", "k"], ["INCR", "k"]]])
        #expect(try await client.execute(pipeline: [large, binary]).allSatisfy { $0.error != nil })
        #expect(standIn.requests.count == 1)
    }

    @Test func runsTransactions() async throws {
        let standIn = try await StandIn.start { request, _ in
            #expect(request.target == "/multi-exec")
            if request.commands.last == ["BAD"] {
                return .json("{\"error\":\"EXECABORT Transaction discarded\"}", status: 400)
            }
            return .json("[{\"result\":\"OK\"},{\"error\":\"WRONGTYPE no\"}]")
        }
        let client = try standIn.client()
        let commands = [RESPCommand("SET", "k", "v"), RESPCommand("INCR", "k")]
        let expected: [RESPValue] = [.simpleString("OK"), .error(RESPError("WRONGTYPE no"))]
        #expect(try await client.transaction(commands) == expected)
        let discarded = try await errorReply {
            try await client.transaction([RESPCommand("PING"), RESPCommand("BAD")])
        }
        #expect(discarded?.code == .executionAborted)
        // As any executor of commands takes it.
        let whole = [RESPCommand("MULTI")] + commands + [RESPCommand("EXEC")]
        let queued = RESPValue.simpleString("QUEUED")
        #expect(try await client.execute(pipeline: whole) == [.simpleString("OK"), queued, queued, .array(expected)])
        let bad = try await client.execute(pipeline: [RESPCommand("MULTI"), RESPCommand("BAD"), RESPCommand("EXEC")])
        #expect(bad.last?.error?.code == .executionAborted)
    }

    @Test func sendsBytesAsABody() async throws {
        let bytes = ByteBuffer(bytes: [0xFF, 0xFE, 0x00])
        let standIn = try await StandIn.start { request, _ in
            request.target == "/pipeline" ? .json(StandIn.results(["1"])) : .json("{\"result\":\"OK\"}")
        }
        let client = try standIn.client()
        let reply = try await client.execute(pipeline: [
            RESPCommand("PING"), RESPCommand("SET", "k", bytes, "PX", 5), RESPCommand("PING"),
        ])
        #expect(reply == [.integer(1), .simpleString("OK"), .integer(1)])
        #expect(standIn.requests.map(\.target) == ["/pipeline", "/SET/k?PX=5", "/pipeline"])
        #expect(standIn.requests[1].body == bytes)
    }

    @Test("a cancelled command leaves its neighbours alone, and is not sent if it was not yet")
    func cancels() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, count in
            let reply = StandIn.Reply.json(StandIn.results(request.commands.map { _ in "1" }))
            return count == 0 ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client()
        let sent = Task { try await upstashError { try await client.execute(RESPCommand("SET", "k", "sent")) } }
        #expect(await eventually { standIn.requests.count == 1 })
        let queued = Task { try await upstashError { try await client.execute(RESPCommand("SET", "k", "queued")) } }
        #expect(await eventually { client.waitingCount == 2 })
        let other = Task { try await client.execute(RESPCommand("GET", "k")) }
        #expect(await eventually { client.waitingCount == 3 })
        sent.cancel()
        queued.cancel()
        let (first, second) = (try await sent.value, try await queued.value)
        #expect(first?.code == .cancelled && first?.mayHaveExecuted == true)
        #expect(second?.code == .cancelled && second?.mayHaveExecuted == false)
        gate.succeed()
        #expect(try await other.value.integer == 1)
        #expect(standIn.requests.map(\.commands) == [[["SET", "k", "sent"]], [["GET", "k"]]])
    }

    @Test func refusesMoreThanMayWait() async throws {
        let standIn = try await StandIn.start { _, _ in .silence }
        let client = try standIn.client { $0.maxQueued = 1 }
        let first = Task { try await client.execute(RESPCommand("PING")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let error = try await upstashError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .overloaded && error?.mayHaveExecuted == false)
        first.cancel()
        standIn.cut()
    }
}
