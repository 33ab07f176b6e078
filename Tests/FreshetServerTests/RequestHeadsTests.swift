import HTTPTypes
import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

@testable import FreshetServer

@Suite("Heads of requests")
struct RequestHeadsTests {
    /// What routes see of a head that comes over the wire.
    private static func head(_ text: String) throws -> HTTPRequest? {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(
            HTTPResponseEncoder(),
            ByteToMessageHandler(HTTPRequestDecoder()),
            HTTP1ToHTTPServerCodec(secure: false),
            ConnectionLimits(limits: ServerLimits())
        )
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        try channel.writeInbound(ByteBuffer(string: "\(text)\r\n\r\n"))
        guard case .head(let head)? = try channel.readInbound(as: HTTPRequestPart.self) else { return nil }
        // A connection of HTTP/1.0 ends with its request.
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return head
    }

    @Test(
        "without a token, a host in the target and every Host line must be a loopback one",
        arguments: [
            ("/", "localhost", true), ("http://localhost/", "localhost", true),
            ("HTTP://evil.example/", "localhost", false), ("http://localhost@evil.example/", "localhost", false),
            ("http://evil.example?x=/", "localhost", false), ("ftp://evil.example/", "localhost", false),
            ("http://localhost/", "evil.example", false),
        ]
    )
    func hosts(target: String, host: String, isAllowed: Bool) throws {
        let head = try #require(try Self.head("POST \(target) HTTP/1.1\r\nHost: \(host)"))
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        let refusal = AccessPolicy(listensOnLoopback: true).refusalToAdminister(request)
        #expect((refusal == nil) == isAllowed)
        #expect(head.path?.hasPrefix("/") == true)
    }

    @Test(
        "a request names one host, or none in HTTP/1.0; others are errors, and nothing behind them is read",
        arguments: [
            ("GET / HTTP/1.1", false), ("GET / HTTP/1.1\r\nHost: a\r\nhost: a", false),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: b", false), ("GET http://a/ HTTP/1.1", false),
            ("GET / HTTP/1.1\r\nHost:", true), ("GET / HTTP/1.0", true),
            ("GET http://a/ HTTP/1.1\r\nHost: b", true),
        ]
    )
    func oneHost(head: String, isRead: Bool) throws {
        if isRead {
            #expect(try Self.head(head)?.path == "/")
        } else {
            #expect(throws: HTTPParserError.self) { try Self.head("\(head)\r\n\r\nGET /2 HTTP/1.1\r\nHost: x") }
        }
    }

    @Test(
        "a body comes plain or in chunks; one in another coding makes no request",
        arguments: [
            "gzip", "gzip, chunked", "xchunked", "chunked, gzip", "chunked\r\nTransfer-Encoding: gzip", "", ",",
            "chunked\t", "chunked\r\nTransfer-Encoding:",
        ]
    )
    func codings(coding: String) throws {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        #expect(throws: HTTPParserError.self) { try Self.head("\(head)\(coding)") }
        #expect(throws: HTTPParserError.self) { try Self.head("\(head)\(coding)\r\nContent-Length: 0") }
        for chunked in ["Chunked", "chunked "] {
            #expect(try Self.head("\(head)\(chunked)\r\n\r\n0")?.path == "/")
        }
    }

    @Test("a body that cannot be read, or ends too soon, is no error that the framework answers")
    func unreadableBody() throws {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(throws: UnreadableBody.self) { try Self.head("\(head)Transfer-Encoding: chunked\r\n\r\nzz") }
        #expect(throws: HTTPParserError.self) { try Self.head("\(head)Content-Length: 0\r\n\r\nzz") }
    }

    @Test(
        "a connection ends with a request that says so in any letters, among other words too",
        arguments: [
            ("Close", "close"), ("keep-alive, CLOSE", "close"), ("TE\r\nConnection: close", "close"),
            ("keep-alive", "keep-alive"), ("closed", "closed"),
        ]
    )
    func last(connection: String, seen: String) throws {
        let head = try #require(try Self.head("GET / HTTP/1.1\r\nHost: a\r\nConnection: \(connection)"))
        #expect(head.headerFields[.connection] == seen)
    }

    @Test(
        "a connection ends with a request that offers another protocol, and what comes behind it is not kept",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx", true),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: x, Upgrade\r\nUpgrade: h2c\r\n\r\n", true),
        ]
    )
    func otherProtocols(request: String, isLast: Bool) throws {
        let channel = EmbeddedChannel()
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .fireError))
        try channel.pipeline.syncOperations.addHandlers(
            HTTPResponseEncoder(),
            decoder,
            HTTP1ToHTTPServerCodec(secure: false),
            ConnectionLimits(limits: ServerLimits())
        )
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        try channel.writeInbound(ByteBuffer(string: request))
        guard case .head(let head)? = try channel.readInbound(as: HTTPRequestPart.self) else {
            return #expect(Bool(false), "no head")
        }
        #expect((head.headerFields[.connection] == "close") == isLast)
        guard isLast else { return }
        try channel.writeInbound(ByteBuffer(string: "GET / HT"))
        let removal = channel.pipeline.syncOperations.removeHandler(decoder)
        channel.embeddedEventLoop.run()
        try removal.wait()
        #expect(throws: Never.self) { try channel.throwIfErrorCaught() }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test("a client of HTTP/1.0 is not given leave, and its connection is to be closed")
    func oldClients() throws {
        let head = try #require(try Self.head("POST / HTTP/1.0\r\nExpect: 100-continue\r\nConnection: keep-alive"))
        #expect(head.headerFields[.expect] == nil)
        #expect(head.headerFields[.connection] == "close")
    }
}
