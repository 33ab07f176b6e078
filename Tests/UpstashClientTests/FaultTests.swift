import Freshet
import FreshetRedis
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RESP
import TestSupport
import Testing
import UpstashClient

@Suite struct FaultTests {
    /// Faults that pass, after which a read may be asked again and a write may not.
    enum Fault: String, CaseIterable, Sendable {
        case failed, failedWithText, tooFast, closed, cutHead, cutBody, cutLength, garbage, wrongShape, tooFew
        case lowStatus, lowStatusWithText

        var reply: StandIn.Reply {
            switch self {
            case .failed: .json("oops", status: 502)
            case .failedWithText: .json("{\"error\":\"ERR internal\"}", status: 500)
            case .tooFast: .json("slow down", status: 429)
            case .closed: .close
            case .cutHead: .raw("HTTP/1.1 200 O")
            case .cutBody: .raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"result\":")
            case .cutLength: .raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[{\"result\":nu")
            case .garbage: .json("<html>It works!</html>")
            case .wrongShape: .json("{\"result\":null}x")
            case .tooFew: .json("[]")
            case .lowStatus: .raw("HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n")
            case .lowStatusWithText: .raw("HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n[]")
            }
        }

        var code: UpstashError.Code {
            switch self {
            case .failed, .failedWithText: .serverFailed
            case .tooFast: .rateLimited
            case .closed, .cutHead, .cutBody: .connectionLost
            case .cutLength, .garbage, .wrongShape, .tooFew, .lowStatus, .lowStatusWithText: .invalidAnswer
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func asksAgainOnlyWhatChangesNothing(fault: Fault) async throws {
        let standIn = try await StandIn.start { _, count in
            count.isMultiple(of: 3) ? .json(StandIn.results(["7"])) : fault.reply
        }
        let client = try standIn.client()
        #expect(try await client.execute(RESPCommand("GET", "k")).integer == 7)
        // Two faults, then an answer.
        #expect(try await client.execute(RESPCommand("GET", "k")).integer == 7)
        #expect(standIn.requests.count == 4)
        let error = try await upstashError { try await client.execute(RESPCommand("INCR", "k")) }
        #expect(error?.code == fault.code)
        #expect(error?.mayHaveExecuted == true)
        #expect(error?.isRefusal == false)
        #expect(standIn.requests.count == 5)
    }

    @Test(arguments: Fault.allCases)
    func givesUpAfterItsRetries(fault: Fault) async throws {
        let standIn = try await StandIn.start { _, _ in fault.reply }
        let client = try standIn.client { $0.maxRetries = 2 }
        #expect(try await upstashError { try await client.execute(RESPCommand("GET", "k")) }?.code == fault.code)
        #expect(standIn.requests.count == 3)
    }

    @Test(
        "nobody asks again before the time that a refusal names, nor at all where the deadline comes first",
        arguments: [429, 503]
    )
    func waitsAsLongAsItIsTold(status: Int) async throws {
        func client(_ time: String) async throws -> (StandIn, UpstashClient) {
            let standIn = try await StandIn.start { _, count in
                count > 0
                    ? .json(StandIn.results(["7"])) : .json("later", status: status, headers: [("Retry-After", time)])
            }
            return (standIn, try standIn.client())
        }
        let start = ContinuousClock.now
        let (patient, first) = try await client("1")
        #expect(try await first.execute(RESPCommand("GET", "k")).integer == 7)
        #expect(patient.requests.count == 2)
        #expect(ContinuousClock.now - start >= .seconds(1))

        let (late, second) = try await client("60")
        let error = try await upstashError { try await second.execute(RESPCommand("GET", "k")) }
        #expect(error?.code == (status == 429 ? .rateLimited : .serverFailed))
        #expect(late.requests.count == 1)
    }

    @Test(
        "a time that is none, or that another answer than a refusal names, is not waited for",
        arguments: [(429, "soon"), (429, "-60"), (503, ""), (500, "60"), (502, "60")]
    )
    func waitsNoLonger(status: Int, time: String) async throws {
        let standIn = try await StandIn.start { _, count in
            count > 0
                ? .json(StandIn.results(["7"])) : .json("later", status: status, headers: [("Retry-After", time)])
        }
        #expect(try await standIn.client().execute(RESPCommand("GET", "k")).integer == 7)
        #expect(standIn.requests.count == 2)
    }

    @Test("what was never sent is sent again, writes too")
    func asksAgainWhatWasNotSent() async throws {
        let standIn = try await StandIn.start(answering: "1")
        let client = try standIn.client { $0.maxRetries = 100_000 }
        try await standIn.stop()
        let write = Task { try await client.execute(RESPCommand("INCR", "k")) }
        #expect(await eventually { client.waitingCount == 1 })
        try await standIn.resume()
        #expect(try await write.value.integer == 1)
        #expect(standIn.requests.count == 1)
        try await standIn.stop()
        // Nobody ever listened there, so no connection is left to be tried.
        let empty = try await StandIn.start(answering: "1")
        try await empty.stop()
        let absent = try empty.client { $0.maxRetries = 1 }
        let error = try await upstashError { try await absent.execute(RESPCommand("INCR", "k")) }
        #expect(error?.code == .connectFailed)
        #expect(error?.mayHaveExecuted == false)
    }

    @Test("writes that the service rejects for a while were not run")
    func waitsOutAnUpgrade() async throws {
        let refusal = "{\"error\":\"READONLY Writes are temporarily rejected due to server upgrade\"}"
        let standIn = try await StandIn.start { request, count in
            count < 2 ? .json("[\(refusal)]") : .json(StandIn.results(request.commands.map { _ in "1" }))
        }
        let client = try standIn.client()
        #expect(try await client.execute(RESPCommand("INCR", "k")).integer == 1)
        #expect(standIn.requests.count == 3)
        let lasting = try await StandIn.start { _, _ in .json("[{\"result\":0},\(refusal)]") }
        let other = try lasting.client()
        // Some of it was run, so it is not run again.
        let replies = try await other.execute(pipeline: [RESPCommand("INCR", "a"), RESPCommand("INCR", "b")])
        #expect(replies.last?.error?.code == .readOnly)
        #expect(lasting.requests.count == 1)
    }

    @Test("a message behind a write that was rejected keeps it from nothing")
    func sendsAgainWhatWasBeforeAMessage() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let refusal = "{\"error\":\"READONLY Writes are temporarily rejected due to server upgrade\"}"
        let standIn = try await StandIn.start { request, count in
            if count == 1 { return .json("[\(refusal),{\"result\":0}]") }
            let reply = StandIn.Reply.json(StandIn.results(request.commands.map { _ in "1" }))
            return count == 0 ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client()
        let first = Task { try await client.execute(RESPCommand("GET", "x")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let write = Task { try await client.execute(RESPCommand("INCR", "k")) }
        #expect(await eventually { client.waitingCount == 2 })
        let message = Task { try await client.execute(RESPCommand("PUBLISH", "c", "m")) }
        #expect(await eventually { client.waitingCount == 3 })
        gate.succeed()
        _ = try await first.value
        #expect(try await write.value.integer == 1)
        #expect(try await message.value.integer == 0)
        #expect(standIn.requests.count == 3)
        #expect(standIn.requests[1].commands == [["INCR", "k"], ["PUBLISH", "c", "m"]])
        #expect(standIn.requests[2].commands == [["INCR", "k"]])
    }

    @Test("what a script made up is its answer", arguments: [200, 400])
    func madeUpByAScript(status: Int) async throws {
        let error = "{\"error\":\"READONLY locked by the job\"}"
        let standIn = try await StandIn.start { _, _ in .json(status == 200 ? "[\(error)]" : error, status: status) }
        let client = try standIn.client()
        let refusal = try await errorReply { try await client.execute(RESPCommand("EVAL", "…", 1, "k")) }
        #expect(refusal?.text == "READONLY locked by the job")
        #expect(standIn.requests.count == 1)
    }

    @Test("whatever form they have, and whatever the status", arguments: [200, 400, 503])
    func waitsOutAnUpgradeOfAllForms(status: Int) async throws {
        let refusal = "{\"error\":\"READONLY Writes are temporarily rejected due to server upgrade\"}"
        let standIn = try await StandIn.start { request, count in
            if !count.isMultiple(of: 3) || count == 0 { return .json(refusal, status: status) }
            let isList = !request.commands.isEmpty
            return .json(isList ? StandIn.results(request.commands.map { _ in "1" }) : "{\"result\":1}")
        }
        let client = try standIn.client()
        #expect(try await client.execute(RESPCommand("INCR", "k")).integer == 1)
        #expect(try await client.execute(RESPCommand("APPEND", "k", ByteBuffer(bytes: [0xFF]))).integer == 1)
        let transaction = try await client.transaction([RESPCommand("INCR", "a"), RESPCommand("INCR", "b")])
        #expect(transaction.map(\.integer) == [1, 1])
        #expect(standIn.requests.count == 10)
        await client.close()
        let impatient = try standIn.client { $0.maxRetries = 0 }
        let error = try await errorReply { try await impatient.transaction([RESPCommand("INCR", "a")]) }
        #expect(error?.code == .readOnly)
        await impatient.close()
    }

    @Test func endsAtTheDeadline() async throws {
        let standIn = try await StandIn.start { _, _ in .silence }
        let client = try standIn.client()
        // On a busy machine it may take some time to be sent.
        for timeout in [30, 300, 3000, 30_000] where standIn.requests.isEmpty {
            let command = RESPCommand("GET", "k")
            let error = try await upstashError {
                try await client.execute(command, timeout: .milliseconds(timeout))
            }
            #expect(error?.code == .timedOut && error?.isTimeout == true)
            #expect(error?.mayHaveExecuted == true || standIn.requests.isEmpty)
        }
        let sentBefore = standIn.requests.count
        let patient = try standIn.client { $0.overlapAfter = .seconds(60) }
        let first = Task { try await patient.execute(RESPCommand("PING")) }
        #expect(await eventually { standIn.requests.count > sentBefore })
        let command = RESPCommand("SET", "k", "v")
        let queued = try await upstashError { try await patient.execute(command, timeout: .milliseconds(20)) }
        #expect(queued?.code == .timedOut && queued?.mayHaveExecuted == false)
        first.cancel()
        standIn.cut()
    }

    @Test("an answer that stops half-way ends at the deadline, and its connection is not used again")
    func endsSlowAnswersAtTheDeadline() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        for text in ["HTTP/1.1 200 O", head, head + "[{\"result\":"] {
            let standIn = try await StandIn.start { _, count in
                count == 0 ? .json(StandIn.results(["1"])) : count == 1 ? .stall(text) : .json(StandIn.results(["3"]))
            }
            let client = try standIn.client()
            #expect(try await client.execute(RESPCommand("INCR", "k")).integer == 1)
            let command = RESPCommand("INCR", "k")
            let error = try await upstashError { try await client.execute(command, timeout: .milliseconds(300)) }
            #expect(error?.code == .timedOut && error?.isTimeout == true)
            #expect(error?.mayHaveExecuted == true || standIn.requests.count == 1)
            #expect(await eventually { standIn.openCount == 0 })
            #expect(try await client.execute(RESPCommand("INCR", "k")).integer != nil)
        }
    }

    @Test("the token of refusals, and of answers that break off, is taken too")
    func takesTheTokenOfRefusals() async throws {
        let standIn = try await StandIn.start { _, count in
            let token = ("Upstash-Sync-Token", "token-\(count)")
            return switch count {
            case 0: .json("{\"error\":\"ERR no\"}", status: 400, headers: [token])
            case 1: .json("oops", status: 502, headers: [token])
            case 2: .raw("HTTP/1.1 200 OK\r\nUpstash-Sync-Token: token-2\r\nContent-Length: 9\r\n\r\n[")
            default: .json(StandIn.results(["1"]))
            }
        }
        let client = try standIn.client()
        for _ in 0..<4 { _ = try? await client.execute(RESPCommand("INCR", "k")) }
        let tokens = standIn.requests.map { $0.headers["upstash-sync-token"] }
        #expect(tokens == [[], ["token-0"], ["token-1"], ["token-2"]])
    }

    @Test(
        "the service's conditions are errors of their own, whatever the status and the place",
        arguments: [
            ("ERR max requests limit exceeded. Limit: 500000, Usage: 500001", UpstashError.Code.quotaExceeded, false),
            ("ERR max daily request limit exceeded. Limit: 10000, Usage: 10001", .quotaExceeded, false),
            ("ERR DB capacity quota exceeded", .capacityExceeded, true),
            ("ERR max request size exceeded. Limit: 10485760 bytes, Actual: 20000000 bytes", .resultTooLarge, true),
            ("ERR max single record size exceeded", .requestTooLarge, true),
            ("WRONGPASS invalid or missing auth token. See https://docs", .unauthorized, false),
        ]
    )
    func tellsConditionsApart(text: String, code: UpstashError.Code, isRefusal: Bool) async throws {
        let entry = "{\"error\":\"\(text)\"}"
        for (body, status) in [("[\(entry)]", 200), (entry, 200), (entry, 400)] {
            let standIn = try await StandIn.start { _, _ in .json(body, status: status) }
            let client = try standIn.client { $0.maxRetries = 0 }
            let error = try await upstashError { try await client.execute(RESPCommand("GET", "k")) }
            #expect(error?.code == code)
            #expect(error?.isRefusal == isRefusal)
            #expect(error?.description.contains("sesame") == false)
            #expect(standIn.requests.count == 1)
        }
    }

    @Test("what is no HTTP is told so")
    func tellsOfAnotherProtocol() async throws {
        let standIn = try await StandIn.start { _, _ in Fault.lowStatus.reply }
        let client = try standIn.client { $0.maxRetries = 0 }
        let error = try await upstashError { try await client.execute(RESPCommand("GET", "k")) }
        #expect(error?.hint?.contains("no HTTP") == true)
    }

    @Test("a gateway that repeats the token in its refusal is not quoted with it", arguments: [200, 400, 403, 404])
    func repeatsNoToken(status: Int) async throws {
        let standIn = try await StandIn.start { _, _ in
            .json("{\"error\":\"denied: Bearer sesame\"}", status: status)
        }
        let client = try standIn.client { $0.maxRetries = 0 }
        for operation in [
            { _ = try await client.execute(RESPCommand("GET", "k")) },
            { _ = try await client.subscribe(to: ["a"]) },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: (any Error).self) { try await operation() }
            #expect(error.map { !"\($0)".contains("sesame") } == true)
        }
    }

    @Test("a service that does not heed the encoding is found out by PING, and stores say so")
    func needsItsEncoding() async throws {
        let standIn = try await StandIn.start(answering: "\"PONG\"")
        let client = try standIn.client()
        let error = try await upstashError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .invalidAnswer)
        let ofStore: CacheError? = try await thrown { try await RedisStore(client, dialect: .upstash).ping() }
        #expect(ofStore?.message.contains("Upstash-Encoding") == true)
        let encoded = try await StandIn.start(answering: StandIn.text("PONG"))
        #expect(try await encoded.client().execute(RESPCommand("PING")).string == "PONG")
    }

    @Test func tellsStatusesApart() async throws {
        let replies: [(StandIn.Reply, UpstashError.Code)] = [
            (.json("{\"error\":\"Unauthorized\"}", status: 401), .unauthorized),
            (.json("no", status: 401), .unauthorized),
            (.json("{\"error\":\"ERR max requests limit exceeded\"}", status: 429), .quotaExceeded),
            (.json("{\"error\":\"too large\"}", status: 413), .requestTooLarge),
            (.json("", status: 413), .requestTooLarge), (.json("", status: 414), .requestTooLarge),
            (.json("<html>", status: 431), .requestTooLarge),
            (.json("moved", status: 301, headers: [("Location", "http://127.0.0.1:1/")]), .invalidAnswer),
            (.json("no such page", status: 404), .invalidAnswer),
            (.json("{\"error\":\"not found\"}", status: 404), .invalidAnswer),
        ]
        for (reply, code) in replies {
            let standIn = try await StandIn.start { _, _ in reply }
            let client = try standIn.client()
            #expect(try await upstashError { try await client.execute(RESPCommand("GET", "k")) }?.code == code)
            #expect(standIn.requests.count == 1)
        }
        let noPermission = try await StandIn.start { _, _ in
            .json("[{\"error\":\"NOPERM this user has no permissions to run the 'set' command or its subcommand\"}]")
        }
        let client = try noPermission.client()
        let error = try await errorReply { try await client.execute(RESPCommand("SET", "k", "v")) }
        #expect(error?.code == .noPermission)
    }

    @Test func neverTakesASpentQuotaForAPipelineOfMisses() async throws {
        let spent = "{\"error\":\"ERR max requests limit exceeded. Limit: 1, Usage: 2\"}"
        let standIn = try await StandIn.start { _, count in
            .json(count == 0 ? "[\(spent),\(spent)]" : "[{\"result\":1},\(spent)]")
        }
        let client = try standIn.client()
        let pipeline = [RESPCommand("INCR", "a"), RESPCommand("INCR", "b")]
        let none = try await upstashError { try await client.execute(pipeline: pipeline) }
        #expect(none?.code == .quotaExceeded && none?.mayHaveExecuted == false)
        let some = try await upstashError { try await client.execute(pipeline: pipeline) }
        #expect(some?.code == .quotaExceeded && some?.mayHaveExecuted == true)
    }

    @Test("of a request that is refused as a whole only the command at fault fails", arguments: [413, 400])
    func findsTheOneAtFault(status: Int) async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, count in
            if count == 0 { return .later(gate.futureResult, .json(StandIn.results(["1"]))) }
            guard request.commands.contains(["SET", "large", "x"]) else {
                return .json(StandIn.results(request.commands.map { _ in "1" }))
            }
            return .json("{\"error\":\"ERR no\"}", status: status)
        }
        let client = try standIn.client()
        async let first = client.execute(RESPCommand("ECHO", "x"))
        #expect(await eventually { standIn.requests.count == 1 })
        async let small = client.execute(RESPCommand("INCR", "small"))
        async let pipeline = client.execute(pipeline: [
            RESPCommand("INCR", "a"), RESPCommand("SET", "large", "x"), RESPCommand("INCR", "b"),
        ])
        #expect(await eventually { client.waitingCount == 3 })
        gate.succeed()
        #expect(try await first.integer == 1)
        #expect(try await small.integer == 1)
        let replies = try await pipeline
        #expect(replies.map(\.integer) == [1, nil, 1])
        #expect(replies[1].error != nil)
        let increments = standIn.requests.filter { $0.commands == [["INCR", "a"]] }
        #expect(increments.count == 1)
    }

    @Test("a refusal has the same code among the results of a pipeline as alone", arguments: [413, 414, 431])
    func tellsTheSameCodeInAPipeline(status: Int) async throws {
        for body in ["", "<html>", "{\"error\":\"too large\"}", "{\"error\":\"ERR max request size exceeded\"}"] {
            let standIn = try await StandIn.start { request, _ in
                guard request.commands.contains(["SET", "large", "x"]) else {
                    return .json(StandIn.results(request.commands.map { _ in "1" }))
                }
                return .json(body, status: status)
            }
            let client = try standIn.client()
            let large = RESPCommand("SET", "large", "x")
            #expect(try await upstashError { try await client.execute(large) }?.code == .requestTooLarge)
            let replies = try await client.execute(pipeline: [RESPCommand("INCR", "a"), large])
            #expect(replies.map(\.integer) == [1, nil])
            #expect(replies[1].error?.upstashCode == .requestTooLarge)
        }
    }

    @Test("a result that is too large fails alone: its neighbours, writes too, keep theirs")
    func cutsOutWhatIsTooLarge() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let long = StandIn.text(String(repeating: "x", count: 3000))
        let standIn = try await StandIn.start { request, count in
            let results = request.commands.map { command in
                switch command[1] {
                case "large": long
                case "middle": StandIn.text(String(repeating: "y", count: 600))
                default: "1"
                }
            }
            let reply = StandIn.Reply.json(StandIn.results(results))
            return count == 0 ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client { $0.maxResponseBytes = 1000 }
        let first = Task { try await client.execute(RESPCommand("GET", "k")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let middle = (0..<2).map { _ in Task { try await client.execute(RESPCommand("GET", "middle")).string?.count } }
        let read = Task { try await upstashError { try await client.execute(RESPCommand("GET", "large")) } }
        let swap = Task { try await upstashError { try await client.execute(RESPCommand("GETDEL", "large")) } }
        let write = Task { try await client.execute(RESPCommand("INCR", "k")) }
        let pipeline = Task {
            try await client.execute(pipeline: [RESPCommand("GETDEL", "large"), RESPCommand("INCR", "k")])
        }
        #expect(await eventually { client.waitingCount == 7 })
        gate.succeed()
        _ = try await first.value
        for task in middle { #expect(try await task.value == 600) }
        #expect(try await read.value?.code == .resultTooLarge)
        let swapped = try await swap.value
        #expect(swapped?.code == .resultTooLarge && swapped?.mayHaveExecuted == true)
        #expect(try await write.value.integer == 1)
        let replies = try await pipeline.value
        #expect(replies[0].error?.upstashCode == .resultTooLarge && replies[1].integer == 1)
        let increments = standIn.requests.flatMap(\.commands).filter { $0 == ["INCR", "k"] }
        #expect(increments.count == 2)
    }

    @Test("the token of an answer that is too large is kept: reads after it see what was written")
    func keepsTheTokenOfALargeAnswer() async throws {
        let standIn = try await StandIn.start { _, count in
            let text = StandIn.text(String(repeating: "x", count: count == 0 ? 2000 : 1))
            return .json(StandIn.results([text]), headers: [("Upstash-Sync-Token", "token-\(count)")])
        }
        let client = try standIn.client { $0.maxResponseBytes = 1000 }
        let error = try await upstashError { try await client.execute(RESPCommand("GETDEL", "k")) }
        #expect(error?.code == .resultTooLarge)
        #expect(try await client.execute(RESPCommand("GET", "k")).string == "x")
        #expect(standIn.requests.map { $0.headers["upstash-sync-token"] } == [[], ["token-0"]])
    }

    @Test("of a pipeline of reads only those fail whose results are too large by themselves")
    func asksAgainWhatWasCrowdedOut() async throws {
        let standIn = try await StandIn.start { request, _ in
            .json(
                StandIn.results(request.commands.map { StandIn.text(String(repeating: "x", count: Int($0[1]) ?? 0)) })
            )
        }
        let client = try standIn.client { $0.maxResponseBytes = 1000 }
        let sizes = [3000, 3000, 600, 1, 600, 3000, 600]
        let replies = try await client.execute(pipeline: sizes.map { RESPCommand("GET", $0) })
        #expect(replies.map { $0.string?.count ?? 3000 } == sizes)
        #expect(replies[0].error?.upstashCode == .resultTooLarge)
        #expect(standIn.requests.map(\.commands.count) == [7, 3, 1, 1])
        // Nothing is run twice that writes, or is a whole.
        let writes = [RESPCommand("GET", 600), RESPCommand("GET", 600), RESPCommand("INCR", 1)]
        #expect(try await client.execute(pipeline: writes).map { $0.error == nil } == [true, false, true])
        let transaction = [RESPCommand("GET", 600), RESPCommand("GET", 600)]
        #expect(try await client.transaction(transaction).map { $0.error == nil } == [true, false])
        #expect(standIn.requests.count == 6)
    }

    @Test(
        "a result that is larger than the service gives is not asked for again where it was not beside others' commands"
    )
    func takesALimitOfOneResultAtItsWord() async throws {
        let tooLarge = "{\"error\":\"ERR max request size exceeded. Limit: 1000 bytes, Actual: 1001 bytes\"}"
        let standIn = try await StandIn.start { request, _ in
            .json("[\(request.commands.map { $0[1] == "l" ? tooLarge : "{\"result\":1}" }.joined(separator: ","))]")
        }
        let client = try standIn.client()
        let keys = (0..<40).map { $0.isMultiple(of: 2) ? "k" : "l" }
        let replies = try await client.execute(pipeline: keys.map { RESPCommand("GET", $0) })
        #expect(replies.map { $0.error?.upstashCode == .resultTooLarge } == keys.map { $0 == "l" })
        #expect(standIn.requests.count == 1)
    }

    @Test("what does not fit is not asked for again and again, nor one by one where only few results are large")
    func asksAgainInParts() async throws {
        let standIn = try await StandIn.start { request, _ in
            .json(
                StandIn.results(request.commands.map { StandIn.text(String(repeating: "x", count: Int($0[1]) ?? 0)) })
            )
        }
        let client = try standIn.client { $0.maxResponseBytes = 10_000 }
        for (sizes, mostAnswers, mostRequests) in [
            (Array(repeating: 600, count: 200), 800, 60), ([7000] + Array(repeating: 30, count: 200), 450, 12),
        ] {
            let before = standIn.requests.count
            let replies = try await client.execute(pipeline: sizes.map { RESPCommand("GET", $0) })
            #expect(replies.map { $0.string?.count } == sizes)
            let requests = standIn.requests.dropFirst(before)
            #expect(requests.reduce(0) { $0 + $1.commands.count } <= mostAnswers)
            #expect(requests.count <= mostRequests)
        }
    }

    @Test("a script that could not be loaded is not run, and its error is the result")
    func runsNothingThatIsNotLoaded() async throws {
        let standIn = try await StandIn.start { request, _ in
            guard request.target == "/pipeline" else { return .json("{\"result\":1}") }
            return .json(
                "["
                    + request.commands.map { $0[0] == "SCRIPT" ? "{\"error\":\"ERR no\"}" : "{\"result\":2}" }
                    .joined(separator: ",") + "]"
            )
        }
        let client = try standIn.client()
        let source = "return 1 --" + String(repeating: "x", count: 5000)
        let script = RESPCommand("EVAL", source, 1, "k", ByteBuffer(bytes: [0xFF]))
        #expect(try await errorReply { try await client.execute(script) }?.text == "ERR no")
        #expect(standIn.requests.map(\.target) == ["/pipeline"])
        let incr = RESPCommand("INCR", "k")
        let replies = try await client.execute(pipeline: [incr, script, incr])
        #expect(replies == [.integer(2), .error(RESPError("ERR no")), .integer(2)])
        #expect(standIn.requests.allSatisfy { $0.target == "/pipeline" })
    }

    @Test func acceptsNoEndlessAnswer() async throws {
        let long = StandIn.results([StandIn.text(String(repeating: "x", count: 3000))])
        let standIn = try await StandIn.start { _, count in
            count == 0
                ? .json(long)
                : .raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n\(long.prefix(2000))\r\n")
        }
        let client = try standIn.client { $0.maxResponseBytes = 1000 }
        for _ in 0..<2 {
            let error = try await upstashError { try await client.execute(RESPCommand("GET", "k")) }
            #expect(error?.code == .resultTooLarge && error?.isRefusal == true)
        }
    }
}
