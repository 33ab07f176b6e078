import NIOCore
import NIOHTTP1

/// Sees what the shared types of HTTP leave out of a request's head: the host in its target, and its version.
///
/// Clients of HTTP/1.0 are answered as they understand it: no chunks, no leave for bodies, and the connection ends with
/// the answer. What names no host, or several, is no request (RFC 9112, section 3.2), nor is what has another coding than
/// chunks. A body that cannot be read ends the connection behind the answer to its request, which is no other one for
/// that. Who offers another protocol is answered in this one; the parser reads nothing behind such a request, and would
/// keep all that comes.
final class RequestHeads: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var hasOldClient = false
    private var isUnreadable = false
    /// Whether the parser takes what comes behind the request for another protocol.
    private var offersProtocol = false
    /// Whether a request has begun to come, and not ended.
    private var isReceiving = false
    private var hasPart = false
    /// Whether a head has begun to come, and not ended.
    private(set) var isHalfRead = false

    /// Adds one where heads are still whole; a pipeline without a decoder gets none.
    static func add(to pipeline: ChannelPipeline.SynchronousOperations) -> RequestHeads? {
        guard let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) else {
            return nil
        }
        let heads = RequestHeads()
        return (try? pipeline.addHandler(heads, position: .after(decoder))).map { heads }
    }

    /// Something came. What made no part, and is of no body, is of a head.
    func channelReadComplete(context: ChannelHandlerContext) {
        isHalfRead = !hasPart && !isReceiving && !offersProtocol
        hasPart = false
        context.fireChannelReadComplete()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasPart = true
        guard !isUnreadable else { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            if case .end = unwrapInboundIn(data) {
                isReceiving = false
                if offersProtocol { dropWhatFollows(context) }
            }
            return context.fireChannelRead(data)
        }
        let isOld = (head.version.major, head.version.minor) < (1, 1)
        let hosts = head.headers["Host"].count
        // The parser takes whatever else is there for no coding at all, a tab behind the word, too.
        let codings = head.headers["Transfer-Encoding"]
        let isKnown = codings.allSatisfy { $0.lowercased().split(separator: " ") == ["chunked"] }
        guard isKnown, hosts == 1 || hosts == 0 && isOld else {
            isUnreadable = true
            // The framework answers it as everything that cannot be read.
            return context.fireErrorCaught(HTTPParserError.unknown)
        }
        isReceiving = true
        let host = Self.host(inTarget: head.uri)
        offersProtocol = head.method == .CONNECT || Self.offersProtocol(head.headers)
        let isLast = isOld || !head.isKeepAlive || offersProtocol
        guard isLast || host != nil else { return context.fireChannelRead(data) }
        if let host {
            // It goes before the header (RFC 9112, section 3.2.2), which stays for those whom a contradiction warns.
            head.headers = HTTPHeaders([("Host", host)] + head.headers.map { ($0.name, $0.value) })
        }
        // The framework closes behind the answer to a request that says so in just that word.
        if isLast { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        if isOld {
            head.headers.remove(name: "Expect")
            answerOldClient(context)
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    /// The framework answers every error of the parser, be it of a request that has its answer.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // That of such a request is told already.
        if isUnreadable, error is HTTPParserError { return }
        context.fireErrorCaught(isReceiving && error is HTTPParserError ? UnreadableBody() : error)
    }

    private func answerOldClient(_ context: ChannelHandlerContext) {
        guard !hasOldClient else { return }
        hasOldClient = true
        try? context.pipeline.syncOperations.addHandler(OldAnswers(), position: .after(self))
    }

    private func dropWhatFollows(_ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        guard let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) else { return }
        try? pipeline.addHandler(DroppedBytes(), position: .before(decoder))
    }

    private static func offersProtocol(_ headers: HTTPHeaders) -> Bool {
        // The parser takes `Proxy-Connection` for `Connection`.
        headers.contains(name: "Upgrade")
            && ["Connection", "Proxy-Connection"].contains { name in
                headers[canonicalForm: name].contains { $0.lowercased() == "upgrade" }
            }
    }

    /// - Returns: nil for a path, empty for what is neither a path nor a URL with a host.
    private static func host(inTarget target: String) -> String? {
        guard target.utf8.first != UInt8(ascii: "/"), target != "*" else { return nil }
        guard let start = target.firstRange(of: "://")?.upperBound else { return "" }
        return String(target[start...].prefix { !"/?#".contains($0) })
    }
}

/// Of a request whose head was read.
struct UnreadableBody: Error {}

/// Lets nothing through to the parser.
private final class DroppedBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}

/// Answers in the words of HTTP/1.0; apart, so that answers to others take no step more.
private final class OldAnswers: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        head.version = .http1_0
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
