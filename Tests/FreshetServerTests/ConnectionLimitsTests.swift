import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import Testing

@testable import FreshetServer

@Suite("Limits of a connection")
struct ConnectionLimitsTests {
    private static func channel(
        bufferedBytes: @escaping (any Channel) -> Int = { _ in 0 }
    ) throws -> EmbeddedChannel {
        var limits = ServerLimits()
        limits.maxBodyBytes = 10
        limits.requestTimeout = .seconds(30)
        limits.writeTimeout = .seconds(20)
        limits.drainTime = .seconds(10)
        limits.lastRequestTime = .seconds(2)
        limits.refusalFields = { [.accessControlAllowOrigin: $0 ?? "*"] }
        let channel = EmbeddedChannel(handler: ConnectionLimits(limits: limits, bufferedBytes: bufferedBytes))
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        return channel
    }

    private static func head(length: String? = nil) -> HTTPRequestPart {
        var head = HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/")
        head.headerFields[.origin] = "https://app.example"
        head.headerFields[.contentLength] = length
        return .head(head)
    }

    private static func request(_ channel: EmbeddedChannel) throws {
        try channel.writeInbound(head())
        try channel.writeInbound(HTTPRequestPart.end(nil))
    }

    private static func writeAnswer(_ channel: EmbeddedChannel) throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    private static func setWritable(_ channel: EmbeddedChannel, _ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
    }

    /// The head of an answer, which comes next.
    private static func head(_ channel: EmbeddedChannel) throws -> HTTPResponse {
        let part = try channel.readOutbound(as: HTTPResponsePart.self)
        return try #require(part.flatMap { if case .head(let head) = $0 { head } else { nil } })
    }

    private static func body(_ channel: EmbeddedChannel) throws -> ByteBuffer {
        let part = try channel.readOutbound(as: HTTPResponsePart.self)
        return try #require(part.flatMap { if case .body(let body) = $0 { body } else { nil } })
    }

    /// The connection ends then, and not before.
    private static func expectEnd(of channel: EmbeddedChannel, after time: TimeAmount) {
        channel.embeddedEventLoop.advanceTime(by: time - .milliseconds(1))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }

    private static func answer(_ channel: EmbeddedChannel) throws {
        try writeAnswer(channel)
        while try channel.readOutbound(as: HTTPResponsePart.self) != nil {}
    }

    @Test(
        "of the files some are left, and three for each event loop",
        arguments: [(128, 16, 16), (1024, 4, 756), (64, 16, 1)]
    )
    func files(files: Int, loops: Int, connections: Int) {
        #expect(OpenFiles.connections(of: files, loops: loops) == connections)
    }

    @Test("a client that sends no request is cut off", arguments: [true, false])
    func silence(afterOne: Bool) throws {
        let channel = try Self.channel()
        if afterOne {
            try Self.request(channel)
            try Self.answer(channel)
        }
        Self.expectEnd(of: channel, after: .seconds(30))
    }

    @Test("a client whose request was answered before its end is cut off when it sends no more")
    func silenceAfterEarlyAnswer() throws {
        let channel = try Self.channel()
        try channel.writeInbound(Self.head(length: "5"))
        try Self.answer(channel)
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "12345")))
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        try channel.writeInbound(HTTPRequestPart.end(nil))
        Self.expectEnd(of: channel, after: .seconds(30))
    }

    @Test("the time is counted from the answer before, and of a request under way from its beginning")
    func counted() throws {
        let channel = try Self.channel()
        for wait in [10, 29] {
            channel.embeddedEventLoop.advanceTime(by: .seconds(Int64(wait)))
            try Self.request(channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(7))
            try Self.answer(channel)
        }
        Self.expectEnd(of: channel, after: .seconds(30))
    }

    @Test("the time of a request behind another begins when that is answered")
    func behindAnother() throws {
        let channel = try Self.channel()
        try Self.request(channel)
        try channel.writeInbound(Self.head())
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(channel.isActive)
        try Self.answer(channel)
        Self.expectEnd(of: channel, after: .seconds(30))
    }

    @Test("a body that drips is cut off, an answer that takes its time is not")
    func drip() throws {
        let slow = try Self.channel()
        try slow.writeInbound(Self.head(length: "5"))
        for _ in 0..<6 {
            slow.embeddedEventLoop.advanceTime(by: .seconds(10))
            if slow.isActive { try slow.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "x"))) }
        }
        #expect(!slow.isActive)

        let waiting = try Self.channel()
        try Self.request(waiting)
        waiting.embeddedEventLoop.advanceTime(by: .seconds(600))
        #expect(waiting.isActive)
        _ = try waiting.finish(acceptAlreadyClosed: true)
    }

    @Test(
        "a body that is too large gets 413 and the connection is closed",
        arguments: ["11", "-1", "99999999999999999999"]
    )
    func large(length: String) throws {
        let channel = try Self.channel()
        try channel.writeInbound(Self.head(length: length))
        let head = try Self.head(channel)
        #expect(head.status == .contentTooLarge)
        #expect(head.headerFields[.connection] == "close")
        #expect(head.headerFields[.accessControlAllowOrigin] == "https://app.example")
        let body = try Self.body(channel)
        #expect(String(buffer: body).contains("a body of 10 bytes"))
        #expect(!channel.isActive)
        #expect(try channel.readInbound(as: HTTPRequestPart.self) == nil)
    }

    @Test("a body without a length is counted: 413 if no answer has begun", arguments: [false, true])
    func chunked(isAnswered: Bool) throws {
        let channel = try Self.channel()
        try channel.writeInbound(Self.head())
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "0123456789")))
        if isAnswered { try Self.answer(channel) }
        #expect(channel.isActive)
        #expect(throws: UnreadableBody.self) {
            try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "x")))
        }
        #expect(!channel.isActive)
        let part = try channel.readOutbound(as: HTTPResponsePart.self)
        guard case .head(let head) = part else { return #expect(isAnswered) }
        #expect(!isAnswered)
        #expect(head.status == .contentTooLarge)
        // What the route answers afterwards goes nowhere.
        #expect(throws: ChannelError.self) { try Self.answer(channel) }
    }

    @Test("a body whose sender waits for leave is let come, unless it is too large or not next in line")
    func expectation() throws {
        func head(length: String, method: HTTPRequest.Method = .post) -> HTTPRequestPart {
            guard case .head(var head) = Self.head(length: length) else { return .end(nil) }
            head.method = method
            head.headerFields[.expect] = "100-Continue"
            return .head(head)
        }
        func status(_ channel: EmbeddedChannel) throws -> Int? {
            guard case .head(let head)? = try channel.readOutbound(as: HTTPResponsePart.self) else { return nil }
            return head.status.code
        }
        let channel = try Self.channel { _ in 0 }
        try channel.writeInbound(head(length: "10"))
        #expect(try status(channel) == 100)
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "0123456789")))
        try channel.writeInbound(HTTPRequestPart.end(nil))
        try channel.writeInbound(head(length: "10"))
        #expect(try status(channel) == nil)
        // It does not wait after all.
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "0")))
        try Self.writeAnswer(channel)
        #expect(try (0..<3).map { _ in try status(channel) } == [200, nil, nil])
        _ = try? channel.finish()

        let get = try Self.channel()
        try get.writeInbound(head(length: "10", method: .get))
        #expect(try status(get) == nil)
        _ = try? get.finish()

        let refused = try Self.channel()
        try refused.writeInbound(head(length: "11"))
        #expect(try status(refused) == 413)
        #expect(!refused.isActive)
    }

    @Test("behind other requests, both wait until those are answered", arguments: [true, false])
    func behindOthers(hasLength: Bool) throws {
        func statuses(_ channel: EmbeddedChannel) throws -> [Int] {
            var statuses: [Int] = []
            while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
                if case .head(let head) = part { statuses.append(head.status.code) }
            }
            return statuses
        }
        for isTooLarge in [true, false] {
            let channel = try Self.channel()
            for _ in 0..<2 { try Self.request(channel) }
            guard case .head(var head) = Self.head(length: !hasLength ? nil : isTooLarge ? "11" : "10") else { return }
            if !isTooLarge { head.headerFields[.expect] = "100-continue" }
            try channel.writeInbound(HTTPRequestPart.head(head))
            if isTooLarge { try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "0123456789x"))) }
            #expect(channel.isActive)
            try Self.writeAnswer(channel)
            #expect(try statuses(channel) == [200])
            try Self.writeAnswer(channel)
            #expect(try statuses(channel) == [200, isTooLarge ? 413 : 100])
            #expect(channel.isActive != isTooLarge)
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
    }

    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = HTTPResponsePart
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    @Test("behind other requests, as much again of a body that is too large is let come, and no more")
    func holdsBack() throws {
        let (channel, reads) = (try Self.channel(), Reads())
        try channel.pipeline.syncOperations.addHandler(reads, position: .first)
        for length in [nil, "11"] { try channel.writeInbound(Self.head(length: length)) }
        for (bytes, isLetCome) in [(10, true), (10, true), (1, false)] {
            try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0, count: bytes)))
            let before = reads.count
            channel.read()
            #expect((reads.count > before) == isLetCome)
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Closes one side of a connection, which embedded ones do not have.
    private final class Sides: ChannelOutboundHandler {
        typealias OutboundIn = HTTPResponsePart

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
        }
    }

    private static func channelWithSides() throws -> (channel: EmbeddedChannel, reads: Reads) {
        let (channel, reads) = (try Self.channel(), Reads())
        try channel.pipeline.syncOperations.addHandlers([Sides(), reads], position: .first)
        return (channel, reads)
    }

    @Test("once a body is refused, the rest of it is let come until its sender pauses or ends")
    func lingers() throws {
        for ends in [false, true] {
            let (channel, reads) = try Self.channelWithSides()
            try channel.writeInbound(Self.head(length: "11"))
            #expect(try Self.status(channel) == .contentTooLarge)
            for _ in 0..<3 {
                channel.embeddedEventLoop.advanceTime(by: .milliseconds(1900))
                #expect(channel.isActive)
                let before = reads.count
                try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0, count: 100)))
                #expect(reads.count > before)
            }
            if ends {
                channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
                #expect(!channel.isActive)
            } else {
                // The last part came after the last look.
                channel.embeddedEventLoop.advanceTime(by: .milliseconds(300))
                #expect(channel.isActive)
                channel.embeddedEventLoop.advanceTime(by: .seconds(2))
                #expect(!channel.isActive)
            }
        }
    }

    @Test("a client that has closed its side before it is refused has no rest to come, nor has one when all is over")
    func doesNotLinger() throws {
        for isOver in [false, true] {
            let (channel, _) = try Self.channelWithSides()
            for _ in 0..<2 { try Self.request(channel) }
            try channel.writeInbound(Self.head(length: isOver ? "5" : "11"))
            if isOver {
                channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
                channel.embeddedEventLoop.advanceTime(by: .seconds(10))
                #expect(try Self.status(channel) == .serviceUnavailable)
            } else {
                channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
                for _ in 0..<2 { try Self.answer(channel) }
            }
            #expect(!channel.isActive)
        }
    }

    @Test(
        "who reads a body whose end is dropped gets an error, and not an early end",
        arguments: [true, false],
        [true, false]
    )
    func droppedEnd(isBehindAnother: Bool, closesItsSide: Bool) throws {
        let (channel, _) = try Self.channelWithSides()
        if isBehindAnother { try Self.request(channel) }
        try channel.writeInbound(Self.head())
        for part in ["abc", "defghijk"] { try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: part))) }
        try channel.writeInbound(HTTPRequestPart.end(nil))
        if closesItsSide {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            if isBehindAnother { try Self.answer(channel) }
            channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            #expect(!channel.isActive)
        }
        #expect(throws: UnreadableBody.self) { try channel.throwIfErrorCaught() }
    }

    @Test("heads that cannot be read are answered with words: 431 if too long, else 400", arguments: [true, false])
    func unreadableHead(isTooLong: Bool) throws {
        let channel = try Self.channel()
        let error = isTooLong ? HTTPParserError.headerOverflow : .invalidMethod
        channel.pipeline.fireErrorCaught(error)
        #expect(throws: HTTPParserError.self) { try channel.throwIfErrorCaught() }
        try channel.writeOutbound(
            HTTPResponsePart.head(HTTPResponse(status: .badRequest, headerFields: [.contentLength: "0"]))
        )
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        let head = try Self.head(channel)
        #expect(head.status == (isTooLong ? .requestHeaderFieldsTooLarge : .badRequest))
        #expect(head.headerFields[.accessControlAllowOrigin] == "*")
        let body = try Self.body(channel)
        #expect(head.headerFields[.contentLength] == String(body.readableBytes))
        #expect(String(buffer: body).contains(isTooLong ? "32768 bytes" : "one Host"))
        guard case .end? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test("what is not answered when the time to drain is over gets 503, and the connection is closed")
    func drained() throws {
        let channel = try Self.channel()
        for _ in 0..<2 { try Self.request(channel) }
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        #expect(try channel.readOutbound(as: HTTPResponsePart.self) == nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        let head = try Self.head(channel)
        #expect(head.status == .serviceUnavailable)
        #expect(head.headerFields[.retryAfter] == "1")
        #expect(head.headerFields[.connection] == "close")
        let body = try Self.body(channel)
        #expect(String(buffer: body).contains("Shutting down"))
    }

    @Test("an answer in the way when the time to drain is over is ended, and gets no other one behind it")
    func drainedInAnswer() throws {
        let channel = try Self.channel()
        try Self.request(channel)
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        _ = try channel.readOutbound(as: HTTPResponsePart.self)
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(!channel.isActive)
        #expect(try channel.readOutbound(as: HTTPResponsePart.self) == nil)
    }

    @Test("while the service drains, a request has so long to come to its end, or gets 503", arguments: [true, false])
    func unfinished(ends: Bool) throws {
        let channel = try Self.channel()
        try channel.writeInbound(Self.head(length: "5"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "12345")))
        if ends { try channel.writeInbound(HTTPRequestPart.end(nil)) }
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(channel.isActive == ends)
        #expect(try Self.status(channel) == (ends ? nil : .serviceUnavailable))
        if ends {
            _ = try channel.finish()
        } else {
            #expect(throws: UnreadableBody.self) { try channel.throwIfErrorCaught() }
        }
    }

    @Test("one that does not come to its end takes no answer from those before it")
    func unfinishedBehindOthers() throws {
        let channel = try Self.channel()
        for _ in 0..<2 { try Self.request(channel) }
        try channel.writeInbound(Self.head(length: "5"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        for _ in 0..<2 {
            #expect(channel.isActive)
            try Self.writeAnswer(channel)
            #expect(try Self.status(channel) == .ok)
        }
        #expect(!channel.isActive)
        #expect(try Self.status(channel) == .serviceUnavailable)
    }

    @Test("a refusal is not to be cached, and has no body where HEAD asked")
    func refusalOfHead() throws {
        let channel = try Self.channel()
        var head = HTTPRequest(method: .head, scheme: nil, authority: nil, path: "/")
        head.headerFields[.contentLength] = "11"
        try channel.writeInbound(HTTPRequestPart.head(head))
        let answer = try Self.head(channel)
        #expect(answer.status == .contentTooLarge)
        #expect(answer.headerFields[.cacheControl] == "no-store")
        guard case .end? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
    }

    @Test("what another request was for says nothing of the body of a refusal")
    func refusalBehindHead() throws {
        for isAnswered in [true, false] {
            let channel = try Self.channel()
            if !isAnswered {
                try Self.request(channel)
            }
            try channel.writeInbound(
                HTTPRequestPart.head(HTTPRequest(method: .head, scheme: nil, authority: nil, path: "/"))
            )
            try channel.writeInbound(HTTPRequestPart.end(nil))
            if isAnswered {
                try Self.answer(channel)
                channel.pipeline.fireErrorCaught(HTTPParserError.headerOverflow)
                #expect(throws: HTTPParserError.self) { try channel.throwIfErrorCaught() }
                try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .badRequest)))
            } else {
                channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
                channel.embeddedEventLoop.advanceTime(by: .seconds(10))
            }
            guard case .head? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
            guard case .body? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
            _ = try channel.finish(acceptAlreadyClosed: true)
        }
        // Nor the other way round.
        let channel = try Self.channel()
        for method in [HTTPRequest.Method.head, .get] {
            let head = HTTPRequest(method: method, scheme: nil, authority: nil, path: "/")
            try channel.writeInbound(HTTPRequestPart.head(head))
            try channel.writeInbound(HTTPRequestPart.end(nil))
        }
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        guard case .head? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
        guard case .end? = try channel.readOutbound(as: HTTPResponsePart.self) else { return #expect(Bool(false)) }
    }

    /// Of the next answer, which is read to its end.
    private static func status(_ channel: EmbeddedChannel) throws -> HTTPResponse.Status? {
        var status: HTTPResponse.Status?
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
            switch part {
            case .head(let head): status = head.status
            case .body: break
            case .end: return status
            }
        }
        return status
    }

    @Test("a client that leaves its answer unread is cut off")
    func unread() throws {
        let channel = try Self.channel()
        try Self.request(channel)
        Self.setWritable(channel, false)
        Self.expectEnd(of: channel, after: .seconds(20))
    }

    @Test("a client that reads its answer slowly is not cut off until it stops")
    func slow() throws {
        var unread = 500
        let channel = try Self.channel { _ in unread }
        try Self.request(channel)
        Self.setWritable(channel, false)
        for _ in 0..<4 {
            unread -= 1
            channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            #expect(channel.isActive)
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(!channel.isActive)
    }

    @Test("a client whose answer waits to be read is not cut off, however little of it", arguments: [true, false])
    func slowBehindEnd(isLong: Bool) throws {
        var unread = 500
        let channel = try Self.channel { _ in unread }
        try Self.request(channel)
        if isLong { channel.isWritable = false }
        channel.pipeline.fireChannelWritabilityChanged()
        try Self.answer(channel)
        for _ in 0..<6 {
            unread -= 1
            channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            #expect(channel.isActive)
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(!channel.isActive)
    }

    @Test("a client that closes its side is cut off, unless it is answered at once", arguments: [true, false])
    func halfClosed(isAnswered: Bool) throws {
        let channel = try Self.channel()
        try Self.request(channel)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(249))
        #expect(channel.isActive)
        if isAnswered { try Self.answer(channel) }
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(channel.isActive == isAnswered)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test("a client that closes its side gets an answer in the way to its end, unless it is not gone on with")
    func halfClosedInAnswer() throws {
        let channel = try Self.channel()
        try Self.request(channel)
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        Self.setWritable(channel, false)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(channel.isActive)
        Self.setWritable(channel, true)
        Self.expectEnd(of: channel, after: .milliseconds(500))
    }

    @Test("a client that closes its side and does not read is cut off")
    func halfClosedUnread() throws {
        let channel = try Self.channel()
        try Self.request(channel)
        Self.setWritable(channel, false)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.advanceTime(by: .seconds(49))
        #expect(!channel.isActive)
    }

    @Test("a client that closes its side behind several requests waits for each as long")
    func halfClosedBehindSeveral() throws {
        let channel = try Self.channel()
        for _ in 0..<3 { try Self.request(channel) }
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        for _ in 0..<2 {
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(249))
            try Self.answer(channel)
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            #expect(channel.isActive)
        }
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(250))
        #expect(!channel.isActive)
    }
}
