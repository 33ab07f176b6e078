import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RESP
import RedisClient
import Testing

@testable import FreshetServer

@Suite("Replies that are held")
struct HeldRepliesTests {
    @Test("a pipeline of small replies goes in two pieces, of large ones soon in pieces of one, refused or not")
    func pieces() async throws {
        #expect(try await pieces(of: 100, answeredWith: 10) == [8, 92])
        #expect(try await pieces(of: 1500, answeredWith: 10) == [8, 128, 512, 512, 340])
        let limit = UpstashEndpointLimits().maxCommandBytes
        #expect(try await pieces(of: 20, answeredWith: limit + 1) == [8] + Array(repeating: 1, count: 12))
        // Soon there is no room for more.
        #expect(try await pieces(of: 20, answeredWith: limit) == [8] + Array(repeating: 1, count: 12))
    }

    @Test("a pipeline of the read-only token goes in pieces that read the same no more than a hundred times")
    func piecesForReading() async throws {
        let get = #"["GET","k"]"#
        let mget = "[\"MGET\"\(String(repeating: ",\"k\"", count: 61))]"
        for (command, count, expected) in [(get, 250, [8, 101, 101, 40]), (mget, 3, [1, 1, 1])] {
            let backend = RecordingBackend(reply: .integer(1))
            let runner = UpstashRunner(backend: backend, limits: UpstashEndpointLimits())
            try await send(count, command, isReadOnly: true, to: runner)
            #expect(backend.counts == expected)
        }
    }

    @Test("what is known of one pipeline's replies holds for the next one's first piece")
    func firstPieces() {
        let pieces = PipelinePieces()
        #expect(pieces.size(after: 8, 80) == 128)
        #expect(pieces.first == 128)
        // A short one says nothing against it, a long one does not make it longer.
        #expect(pieces.size(after: 1, 10) == 16)
        #expect(pieces.size(after: 512, 5120) == 512)
        #expect(pieces.first == 128)
        #expect(pieces.size(after: 128, 128 << 20) == 1)
        #expect(pieces.first == 1)
    }

    @Test("an endpoint sends its second pipeline of small replies at once")
    func secondPipeline() async throws {
        let backend = RecordingBackend(reply: .integer(1))
        let runner = UpstashRunner(backend: backend, limits: UpstashEndpointLimits())
        for _ in 0..<2 { try await send(100, to: runner) }
        #expect(backend.counts == [8, 92, 100])
    }

    private func pieces(of count: Int, answeredWith size: Int) async throws -> [Int] {
        let backend = RecordingBackend(reply: .bulkString(ByteBuffer(repeating: UInt8(ascii: "x"), count: size)))
        let runner = UpstashRunner(backend: backend, limits: UpstashEndpointLimits())
        try await send(count, to: runner)
        #expect(backend.counts.reduce(0, +) == count)
        return backend.counts
    }

    private func send(
        _ count: Int,
        _ command: String = #"["GET","k"]"#,
        isReadOnly: Bool = false,
        to runner: UpstashRunner
    ) async throws {
        let body = "[\(Array(repeating: command, count: count).joined(separator: ","))]"
        let pipeline = try JSONCommandReader.pipeline(ByteBuffer(string: body), limits: runner.limits)
        var writer = runner.writer(.resp2)
        let memory = ByteBudget(limit: runner.limits.maxBytesInFlight).share()
        try await runner.run(pipeline: pipeline, isReadOnly: isReadOnly, to: &writer, memory)
    }

    @Test("they count with all that is under way; those for which there is no room are errors of their entries")
    func budget() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 1000
        limits.maxBytesInFlight = 14_000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            _ = try await endpoint.ask(.POST, "/set/k", String(repeating: "x", count: 900))
            let write = #"["APPEND","w","x"]"#
            let gets = Self.body(#"["INCR","n"]"# + String(repeating: #",["GET","k"]"#, count: 20) + ",\(write)")
            let small = Self.body(#"["PING"]"# + String(repeating: #",["PING"]"#, count: 20))
            // In pieces that know of no large ones, too.
            for (path, warmth) in [("/pipeline", gets), ("/pipeline", small), ("/multi-exec", gets)] {
                _ = try await endpoint.ask(.POST, "/pipeline", warmth)
                let answer = try await endpoint.ask(.POST, path, gets)
                #expect(answer.status == 200, "\(path) \(answer.body)")
                let results = answer.body.components(separatedBy: #"{"result":"xxx"#).count - 1
                let errors = answer.body.components(separatedBy: "no room for the answer now").count - 1
                #expect(results > 3, "\(path)")
                #expect(errors == 20 - results, "\(path)")
                // What takes no more than an error is told.
                #expect(answer.body.range(of: #"\{"result":\d+\}\]$"#, options: .regularExpression) != nil)
            }
            // A body takes the room of any reply.
            let padded = #"["GET","k"]"# + String(repeating: " ", count: 13_500)
            let answer = try await endpoint.ask(.POST, "/", padded)
            #expect(answer.status == 502, "\(answer.body)")
            #expect(answer.error == "ERR the answers under way are too large; commands were run")
            // The room is free again.
            #expect(try await endpoint.ask(.POST, "/", #"["GET","k"]"#).status == 200)
        }
    }

    @Test("neither many small ones nor those that are longer as JSON refuse a whole pipeline", arguments: ["x", "\""])
    func nearlyFull(character: String) async throws {
        var limits = UpstashEndpointLimits()
        limits.maxBytesInFlight = 300_000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            _ = try await endpoint.ask(.POST, "/set/k", String(repeating: character, count: 500))
            let gets = Self.body(#"["GET","k"]"# + String(repeating: #",["GET","k"]"#, count: 1000))
            let answer = try await endpoint.ask(.POST, "/pipeline", gets)
            #expect(answer.status == 200, "\(answer.body.prefix(200))")
            #expect(answer.body.components(separatedBy: #"{"result":"#).count > 10)
            #expect(answer.body.components(separatedBy: "no room for the answer now").count > 500)
            // An error takes room, too: what could not have any is not run.
            let pings = Self.body(#"["INCR","n"]"# + String(repeating: #",["PING"]"#, count: 2500))
            #expect(try await endpoint.ask(.POST, "/pipeline", pings).status == 503)
            #expect(try await endpoint.ask(.POST, "/", #"["GET","n"]"#).body == #"{"result":null}"#)
        }
    }

    @Test("what was written in vain once is not written again, nor on the event loop")
    func hopeless() async throws {
        let reply = RESPValue.bulkString(ByteBuffer(repeating: 1, count: 1 << 18))
        let runner = UpstashRunner(backend: RecordingBackend(reply: .null), limits: UpstashEndpointLimits())
        var writer = runner.writer(.json)
        writer.beginList()
        let memory = ByteBudget(limit: 2 << 20).share()
        try await runner.write([.integer(1)] + Array(repeating: reply, count: 5), to: &writer, memory)
        writer.endList()
        let answer = String(buffer: writer.buffer)
        #expect(answer.hasPrefix(#"[{"result":1},{"result":"\u0001"#))
        #expect(answer.components(separatedBy: "no room for the answer now").count - 1 == 4)
    }

    @Test("one that is larger than any entry may be needs no room")
    func tooLargeForAnEntry() async throws {
        var limits = UpstashEndpointLimits()
        limits.maxCommandBytes = 1000
        limits.maxBytesInFlight = 10_000
        try await Endpoint.overRedis(limits: limits) { endpoint, _ in
            for _ in 0..<12 { _ = try await endpoint.ask(.POST, "/rpush/l", String(repeating: "x", count: 900)) }
            let answer = try await endpoint.ask(.POST, "/", #"["LRANGE","l",0,-1]"#)
            #expect(answer.status == 200, "\(answer.body)")
            #expect(answer.error == "ERR max request size exceeded. Limit: 1000 bytes, Actual: 10800 bytes")
        }
    }

    private static func body(_ commands: String) -> String { "[\(commands)]" }

    @Test(
        "of what there is no room for hardly anything is written",
        arguments: [UpstashAnswerFormat.json, .base64, .resp2]
    )
    func writesNothingInVain(format: UpstashAnswerFormat) {
        let zeros = RESPValue.bulkString(ByteBuffer(repeating: 0, count: 60_000))
        for large in [
            zeros, .array(Array(repeating: zeros, count: 2)), .error(RESPError(String(repeating: "\n", count: 60_000))),
        ] {
            var writer = UpstashAnswerWriter(format, maxBytes: format == .json ? 100_000 : 60_000)
            writer.write(.integer(1))
            writer.write(large)
            writer.write(.integer(2))
            #expect(String(buffer: writer.buffer).contains("ERR max request size exceeded. Limit: "))
            #expect(String(buffer: writer.buffer).contains("2"))
            #expect(writer.buffer.storageCapacity < 1000)
        }
        var writer = UpstashAnswerWriter(format, maxBytes: 1000)
        writer.write(.array(Array(repeating: .integer(1), count: 100_000)))
        #expect(writer.buffer.readableBytes < 200)
        if format != .resp2 { #expect(writer.buffer.storageCapacity < 10_000) }
    }

    @Test("what just fits is written", arguments: [(UpstashAnswerFormat.json, 613), (.base64, 149), (.resp2, 108)])
    func fits(format: UpstashAnswerFormat, size: Int) {
        let value = RESPValue.bulkString(ByteBuffer(repeating: 0, count: 100))
        for limit in [size, size - 1] {
            var writer = UpstashAnswerWriter(format, maxBytes: limit)
            writer.write(value)
            #expect((writer.buffer.readableBytes == size) == (limit == size), "\(writer.buffer.readableBytes)")
        }
    }

    @Test("long ones are written beside the event loop, which goes on meanwhile")
    func beside() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let runner = UpstashRunner(backend: RecordingBackend(reply: .null), limits: UpstashEndpointLimits())
        try await withTaskExecutorPreference(EventLoopTaskExecutor(loop)) {
            #expect(loop.inEventLoop)
            let hasGoneOn = NIOLockedValueBox(false)
            loop.execute { hasGoneOn.withLockedValue { $0 = true } }
            var writer = runner.writer(.resp2)
            let reply = RESPValue.bulkString(ByteBuffer(repeating: 0, count: 2 << 20))
            try await runner.write([reply], to: &writer, ByteBudget(limit: .max).share())
            #expect(hasGoneOn.withLockedValue { $0 })
            #expect(loop.inEventLoop)
        }
    }
}

/// Gives every command the same reply, and notes how many come together.
private final class RecordingBackend: UpstashBackend {
    private let reply: RESPValue
    private let recorded = NIOLockedValueBox<[Int]>([])

    init(reply: RESPValue) { self.reply = reply }

    var counts: [Int] { recorded.withLockedValue { $0 } }

    func connect() async throws {}

    func execute(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        recorded.withLockedValue { $0.append(commands.count) }
        return Array(repeating: reply, count: commands.count)
    }

    func transaction(_ commands: [RESPCommand], hasScripts: Bool) async throws -> [RESPValue] {
        throw UpstashRefusal.notInREST("MULTI")
    }

    func subscribe(_ events: UpstashEvents) async throws -> RedisSubscription {
        throw UpstashRefusal.notInREST(events.command)
    }

    func monitor() async throws -> AsyncStream<String> { throw UpstashRefusal.notInREST("MONITOR") }

    func close() async {}
}
