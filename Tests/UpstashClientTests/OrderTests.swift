import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing
import UpstashClient

@Suite struct OrderTests {
    /// Patient, because test machines are busy.
    private func eventually(_ condition: () -> Bool) async -> Bool {
        await TestSupport.eventually(within: .seconds(60), condition)
    }

    /// A database of one key, `k`, whose first write is held up.
    private final class Database: Sendable {
        private struct State {
            var value = "old"
            var refusals: Int
        }

        private let state: NIOLockedValueBox<State>
        private let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)

        /// - Parameter refusals: how many writes are refused at first.
        init(refusals: Int = 0) {
            state = NIOLockedValueBox(State(refusals: refusals))
        }

        func open() { gate.succeed() }

        func start() async throws -> StandIn {
            try await StandIn.start { [self] request, count in
                count == 0 ? .computedLater(gate.futureResult) { self.answer(request) } : answer(request)
            }
        }

        private func answer(_ request: StandIn.Request) -> StandIn.Reply {
            switch request.target {
            case "/pipeline", "/multi-exec":
                .json("[\(request.commands.map { run($0) }.joined(separator: ","))]")
            case "/SET/k":
                .json(run(["SET", "k", "new"]))
            default:
                .json(#"{"result":"OK"}"#)
            }
        }

        private func run(_ command: [String]) -> String {
            state.withLockedValue { state in
                guard command[1] == "k" else { return #"{"result":0}"# }
                guard command[0] == "SET" else { return #"{"result":\#(StandIn.text(state.value))}"# }
                if state.refusals > 0 {
                    state.refusals -= 1
                    return #"{"error":"READONLY Writes are temporarily rejected due to server upgrade"}"#
                }
                state.value = command[2]
                return #"{"result":"OK"}"#
            }
        }
    }

    enum Form: String, CaseIterable, Sendable {
        case list, bytes, transaction, pipeline

        func write(_ client: UpstashClient) async throws {
            switch self {
            case .list: try await client.execute(RESPCommand("SET", "k", "new"))
            case .bytes: try await client.execute(RESPCommand("SET", "k", ByteBuffer(bytes: [0xFF])))
            case .transaction: _ = try await client.transaction([RESPCommand("SET", "k", "new")])
            // In two requests, of which the second one writes.
            case .pipeline:
                let bytes = ByteBuffer(bytes: [0xFF])
                try await client.execute(pipeline: [RESPCommand("SET", "x", bytes), RESPCommand("SET", "k", "new")])
            }
        }

        func read(_ client: UpstashClient) async throws -> String? {
            let get = RESPCommand("GET", "k")
            switch self {
            case .list: return try await client.execute(get).string
            case .bytes: return try await client.execute(get).string
            case .transaction: return try await client.transaction([get]).first?.string
            case .pipeline:
                return try await client.execute(pipeline: [RESPCommand("ECHO", "x"), get]).last?.string
            }
        }
    }

    @Test("a read is not answered from before an earlier write, in whatever form they travel", arguments: Form.allCases)
    func readsWhatWasWrittenBefore(form: Form) async throws {
        let database = Database()
        let standIn = try await database.start()
        let client = try standIn.client { $0.overlapAfter = .zero }
        let write = Task { try await form.write(client) }
        #expect(await eventually { standIn.requests.count == 1 })
        var reads: [Task<String?, any Error>] = []
        for form in Form.allCases {
            reads.append(Task { try await form.read(client) })
            #expect(await eventually { client.waitingCount == reads.count + 1 })
        }
        // These have nothing to do with it, and go beside it.
        #expect(try await client.execute(RESPCommand("GET", "other")).integer == 0)
        _ = try await client.transaction([RESPCommand("GET", "other")])
        #expect(standIn.requests.count == 3)
        database.open()
        try await write.value
        for read in reads { #expect(try await read.value == "new") }
    }

    @Test("many who wait for one key, or a message without an answer, keep only those waiting that depend on them")
    func keepsOthersOutOfIt() async throws {
        let standIn = try await StandIn.start { request, _ in
            request.commands.contains { $0.contains("hang") }
                ? .silence : .json(StandIn.results(request.commands.map { _ in "1" }))
        }
        let client = try standIn.client { $0.overlapAfter = .zero }
        var waiting: [Task<Void, Never>] = []
        waiting.append(Task { _ = try? await client.execute(RESPCommand("PUBLISH", "hang", "m")) })
        #expect(await eventually { standIn.requests.count == 1 })
        #expect(try await client.execute(RESPCommand("SET", "other", "1")).integer == 1)
        waiting.append(Task { _ = try? await client.execute(RESPCommand("SET", "hang", "1")) })
        #expect(await eventually { standIn.requests.count == 3 })
        for _ in 0..<1500 { waiting.append(Task { _ = try? await client.execute(RESPCommand("GET", "hang")) }) }
        #expect(await eventually { client.waitingCount == waiting.count })
        for _ in 0..<10 {
            #expect(try await client.execute(RESPCommand("SET", "other", "1")).integer == 1)
            #expect(try await client.execute(RESPCommand("GET", "other")).integer == 1)
        }
        #expect(await eventually { client.waitingCount == waiting.count })
        for task in waiting { task.cancel() }
        for task in waiting { await task.value }
        standIn.cut()
    }

    @Test("of a pipeline in several requests the later ones are not overtaken by what could share the first")
    func readsWhatAPipelineWroteBefore() async throws {
        let database = Database()
        let standIn = try await database.start()
        let client = try standIn.client()
        let first = Task { try await client.execute(RESPCommand("GET", "other")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let bytes = RESPCommand("SET", "k", ByteBuffer(bytes: [0xFF]))
        let write = Task { try await client.execute(pipeline: [RESPCommand("SET", "x", "1"), bytes]) }
        #expect(await eventually { client.waitingCount == 2 })
        let read = Task { try await Form.list.read(client) }
        #expect(await eventually { client.waitingCount == 3 })
        database.open()
        #expect(try await read.value == "new")
        _ = try await (first.value, write.value)
    }

    @Test("a write that is sent again is not overtaken while it waits")
    func readsWhatIsWrittenAgain() async throws {
        let database = Database(refusals: 2)
        let standIn = try await database.start()
        let client = try standIn.client { $0.overlapAfter = .zero }
        let write = Task { try await Form.list.write(client) }
        #expect(await eventually { standIn.requests.count == 1 })
        let read = Task { try await Form.list.read(client) }
        #expect(await eventually { client.waitingCount == 2 })
        database.open()
        #expect(try await read.value == "new")
        try await write.value
    }

    @Test("reads of the request in which a write was rejected are asked again, and later writes are not undone")
    func keepsTheOrderOfARequest() async throws {
        let database = Database(refusals: 1)
        let standIn = try await database.start()
        let client = try standIn.client()
        let first = Task { try await client.execute(RESPCommand("GET", "other")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let write = Task { try await Form.list.write(client) }
        #expect(await eventually { client.waitingCount == 2 })
        let read = Task { try await Form.list.read(client) }
        #expect(await eventually { client.waitingCount == 3 })
        database.open()
        _ = try await first.value
        try await write.value
        #expect(try await read.value == "new")
        #expect(standIn.requests.map(\.commands.count) == [1, 2, 2])
    }

    @Test func doesNotUndoLaterWrites() async throws {
        let database = Database(refusals: 1)
        let standIn = try await database.start()
        let client = try standIn.client()
        let first = Task { try await client.execute(RESPCommand("GET", "other")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let rejected = Task { try await errorReply { try await Form.list.write(client) } }
        #expect(await eventually { client.waitingCount == 2 })
        let last = Task { try await client.execute(RESPCommand("SET", "k", "last")) }
        #expect(await eventually { client.waitingCount == 3 })
        database.open()
        _ = try await first.value
        #expect(try await rejected.value?.code == .readOnly)
        _ = try await last.value
        #expect(try await Form.list.read(client) == "last")
    }

    @Test("writes wait for earlier reads, and reads for none")
    func writesAfterEarlierReads() async throws {
        let database = Database()
        let standIn = try await database.start()
        let client = try standIn.client { $0.overlapAfter = .zero }
        let early = Task { try await Form.list.read(client) }
        #expect(await eventually { standIn.requests.count == 1 })
        #expect(try await Form.transaction.read(client) == "old")
        let write = Task { try await Form.transaction.write(client) }
        #expect(await eventually { client.waitingCount == 2 })
        #expect(try await client.execute(RESPCommand("GET", "other")).integer == 0)
        database.open()
        #expect(try await early.value == "old")
        try await write.value
    }

    @Test("a command that was cancelled or is overdue keeps nobody waiting", arguments: [true, false])
    func waitsForNobodyWhoLeft(isCancelled: Bool) async throws {
        let database = Database()
        let standIn = try await database.start()
        let client = try standIn.client { $0.overlapAfter = .zero }
        let write = Task { try await Form.list.write(client) }
        #expect(await eventually { standIn.requests.count == 1 })
        // It waits for the first, and the last one waits for it.
        let commands = [RESPCommand("GET", "k"), RESPCommand("SET", "l", "v")]
        let timeout = isCancelled ? Duration.seconds(30) : .milliseconds(200)
        let hasLeft = NIOLockedValueBox(false)
        let impatient = Task {
            defer { hasLeft.withLockedValue { $0 = true } }
            return try await upstashError { try await client.execute(pipeline: commands, timeout: timeout) }
        }
        #expect(await eventually { client.waitingCount == 2 || !isCancelled && hasLeft.withLockedValue { $0 } })
        let last = Task { try await client.execute(RESPCommand("GET", "l")) }
        if isCancelled {
            #expect(await eventually { client.waitingCount == 3 })
            impatient.cancel()
        }
        #expect(try await last.value.integer == 0)
        #expect(try await impatient.value?.code == (isCancelled ? .cancelled : .timedOut))
        database.open()
        try await write.value
    }

    enum Departure: String, CaseIterable, Sendable {
        case cancelledRead, cancelledWrite, overdueWrite
    }

    @Test(
        "a command that ends after it was sent keeps nobody waiting, whatever it shares its request with",
        arguments: Departure.allCases
    )
    func waitsForNobodyWhoLeftLater(departure: Departure) async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, count in
            if request.commands.contains(["GET", "hang"]) { return .silence }
            let reply = StandIn.Reply.json(StandIn.results(request.commands.map { _ in "1" }))
            return count == 0 ? .later(gate.futureResult, reply) : reply
        }
        let client = try standIn.client()
        let first = Task { try await client.execute(RESPCommand("GET", "other")) }
        #expect(await eventually { standIn.requests.count == 1 })
        let command = departure == .cancelledRead ? RESPCommand("GET", "k") : RESPCommand("SET", "k", "early")
        // A write may still be run, and so is waited for as long as it had time.
        let timeout = departure == .cancelledRead ? Duration.seconds(30) : .seconds(3)
        let early = Task { try await upstashError { try await client.execute(command, timeout: timeout) } }
        let hang = Task { try await upstashError { try await client.execute(RESPCommand("GET", "hang")) } }
        #expect(await eventually { client.waitingCount == 3 })
        gate.succeed()
        #expect(await eventually { standIn.requests.count == 2 })
        #expect(standIn.requests[1].commands.contains { $0[1] == "k" })
        if departure != .overdueWrite { early.cancel() }
        let last = try await client.transaction([RESPCommand("SET", "k", "late")])
        #expect(last.map(\.integer) == [1])
        let error = try await early.value
        #expect(error?.code == .timedOut || departure != .overdueWrite && error?.code == .cancelled)
        hang.cancel()
        #expect(try await hang.value?.code == .cancelled)
        _ = try await first.value
        standIn.cut()
    }

    @Test("a pipeline that is refused as a whole, and goes one by one, keeps its place")
    func keepsTheOrderOfARefusedPipeline() async throws {
        let gate = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        let standIn = try await StandIn.start { request, count in
            if count == 0 { return .later(gate.futureResult, .json("{\"error\":\"ERR no\"}", status: 400)) }
            if request.commands == [["BAD", "x"]] { return .json("[{\"error\":\"ERR bad\"}]") }
            return .json(StandIn.results(request.commands.map { _ in "1" }))
        }
        let client = try standIn.client { $0.overlapAfter = .zero }
        let pipeline = Task {
            try await client.execute(pipeline: [RESPCommand("BAD", "x"), RESPCommand("SET", "k", "v")])
        }
        #expect(await eventually { standIn.requests.count == 1 })
        let read = Task { try await Form.list.read(client) }
        #expect(await eventually { client.waitingCount == 2 })
        gate.succeed()
        #expect(try await pipeline.value.map(\.integer) == [nil, 1])
        _ = try await read.value
        let sent = standIn.requests.dropFirst().flatMap(\.commands)
        #expect(sent == [["BAD", "x"], ["SET", "k", "v"], ["GET", "k"]])
    }
}
