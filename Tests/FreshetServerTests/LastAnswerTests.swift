import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

@testable import FreshetServer

@Suite("The last answer of a connection")
struct LastAnswerTests {
    private static let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    /// A connection as the framework makes it.
    private static func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        var limits = ServerLimits()
        limits.lastRequestTime = .seconds(2)
        try channel.pipeline.syncOperations.addHandlers(
            HTTPResponseEncoder(),
            ByteToMessageHandler(HTTPRequestDecoder()),
            HTTP1ToHTTPServerCodec(secure: false),
            ConnectionLimits(limits: limits) { _ in 0 },
            HTTPConnectionStateHandler(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        )
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        return channel
    }

    private static func write(_ text: String, to channel: EmbeddedChannel) throws {
        try channel.writeInbound(ByteBuffer(string: text))
    }

    private static func drain(_ channel: EmbeddedChannel) {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    /// - Returns: whether the answer says that the connection ends with it.
    private static func answer(_ channel: EmbeddedChannel) throws -> Bool {
        try channel.writeOutbound(
            HTTPResponsePart.head(HTTPResponse(status: .ok, headerFields: [.contentLength: "0"]))
        )
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        #expect(text.hasPrefix("HTTP/1.1 200 "))
        return text.lowercased().contains("connection: close")
    }

    /// How many requests have come to the routes.
    private static func requests(_ channel: EmbeddedChannel) throws -> Int {
        var requests = 0
        while let part = try channel.readInbound(as: HTTPRequestPart.self) {
            if case .head = part { requests += 1 }
        }
        return requests
    }

    @Test("while the service drains, a head that is half there has so long to come", arguments: [true, false], [0, 1])
    func halfHead(ends: Bool, answered: Int) throws {
        let channel = try Self.channel()
        for _ in 0..<answered {
            try Self.write(Self.request, to: channel)
            #expect(try !Self.answer(channel))
        }
        for part in ["GET / HT", "TP/1.1\r\n"] { try Self.write(part, to: channel) }
        Self.drain(channel)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1900))
        #expect(channel.isActive)
        if ends {
            try Self.write("Host: a\r\n\r\n", to: channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(try Self.requests(channel) == answered + 1)
            #expect(try Self.answer(channel))
        } else {
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
        }
        #expect(!channel.isActive)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test("one on which nothing comes is closed at once", arguments: [true, false])
    func idle(afterOne: Bool) throws {
        let channel = try Self.channel()
        if afterOne {
            try Self.write(Self.request, to: channel)
            #expect(try !Self.answer(channel))
        }
        Self.drain(channel)
        #expect(!channel.isActive)
    }

    @Test("of several requests the last one's answer says that the connection ends, and what comes then is not heard")
    func several() throws {
        let channel = try Self.channel()
        for _ in 0..<2 { try Self.write(Self.request, to: channel) }
        Self.drain(channel)
        #expect(try !Self.answer(channel))
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try Self.write(Self.request, to: channel)
        #expect(try Self.requests(channel) == 2)
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        #expect(!channel.isActive)
    }

    @Test(
        "the answer to a request that asks for the end, or whose body cannot be read, ends the connection",
        arguments: [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ]
    )
    func last(request: String) throws {
        let channel = try Self.channel()
        try? Self.write(request, to: channel)
        #expect(try Self.answer(channel))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
