import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import UpstashClient

/// An HTTP server on the loopback interface that answers as a test says. It ends when it is stopped or released.
final class StandIn: Sendable {
    struct Request: Sendable {
        let method: String
        let target: String
        let headers: HTTPHeaders
        let body: ByteBuffer

        /// The commands of a pipeline or transaction.
        var commands: [[String]] {
            (try? JSONSerialization.jsonObject(with: Data(body.readableBytesView))) as? [[String]] ?? []
        }
    }

    enum Reply: Sendable {
        case json(String, status: Int = 200, headers: [(String, String)] = [])
        /// Bytes as they are, and the end of the connection.
        case raw(String)
        /// Bytes as they are, and nothing after them.
        case stall(String)
        case close
        case silence
        /// Answered when the future is done.
        indirect case later(EventLoopFuture<Void>, Reply)
        case computedLater(EventLoopFuture<Void>, @Sendable () -> Reply)
        /// A stream of events, which stays open.
        case stream(String)
    }

    private struct State {
        var requests: [Request] = []
        var connections: [ObjectIdentifier: any Channel] = [:]
        var listener: (any Channel)?
        var port = 0
        var accepted = 0
    }

    private let answer: @Sendable (Request, Int) -> Reply
    private let state = NIOLockedValueBox(State())

    /// - Parameter answer: what to answer to a request; it is told how many came before.
    static func start(_ answer: @escaping @Sendable (Request, Int) -> Reply) async throws -> StandIn {
        let standIn = StandIn(answer)
        // One that outgoing connections are not given while nobody listens on it.
        try await standIn.listen(port: LoopbackSocket.freePort())
        return standIn
    }

    /// Answers every command with the same result.
    static func start(answering result: String) async throws -> StandIn {
        try await start { request, _ in .json(results(request.commands.map { _ in result })) }
    }

    static func results(_ results: [String]) -> String {
        "[" + results.map { "{\"result\":\($0)}" }.joined(separator: ",") + "]"
    }

    static func text(_ text: String) -> String { "\"\(Data(text.utf8).base64EncodedString())\"" }

    private init(_ answer: @escaping @Sendable (Request, Int) -> Reply) {
        self.answer = answer
    }

    deinit {
        state.withLockedValue { $0.listener }?.close(promise: nil)
        cut()
    }

    private func listen(port: Int) async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [weak self, state] channel in
                state.withLockedValue { state in
                    state.connections[ObjectIdentifier(channel)] = channel
                    state.accepted += 1
                }
                channel.closeFuture.whenComplete { _ in
                    state.withLockedValue { $0.connections[ObjectIdentifier(channel)] = nil }
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(StandInHandler(standIn: self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLockedValue { state in
            state.listener = listener
            state.port = listener.localAddress?.port ?? 0
        }
    }

    var port: Int { state.withLockedValue { $0.port } }
    var requests: [Request] { state.withLockedValue { $0.requests } }
    var openCount: Int { state.withLockedValue { $0.connections.count } }
    var acceptedCount: Int { state.withLockedValue { $0.accepted } }

    fileprivate func take(_ request: Request) -> Reply {
        let count = state.withLockedValue { state in
            state.requests.append(request)
            return state.requests.count - 1
        }
        return answer(request, count)
    }

    /// Sends more of the streams that are open.
    func push(_ text: String) {
        for connection in state.withLockedValue({ Array($0.connections.values) }) {
            connection.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
            connection.flush()
        }
    }

    func cut() {
        for connection in state.withLockedValue({ Array($0.connections.values) }) { connection.close(promise: nil) }
    }

    func stop() async throws {
        try await state.withLockedValue { $0.listener }?.close()
        cut()
    }

    /// Listens again, on the same port.
    func resume() async throws {
        try await listen(port: port)
    }

    func client(_ change: (inout UpstashClient.Configuration) -> Void = { _ in }) throws -> UpstashClient {
        try .patient("http://127.0.0.1:\(port)") {
            $0.retryBackoff = .milliseconds(1)...Duration.milliseconds(5)
            // Requests go one at a time unless a test wants otherwise.
            $0.overlapAfter = .seconds(60)
            change(&$0)
        }
    }
}

private final class StandInHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private weak var standIn: StandIn?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(standIn: StandIn?) {
        self.standIn = standIn
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
        case .body(let part):
            body.writeImmutableBuffer(part)
        case .end:
            guard let head, let standIn else { return }
            let request = StandIn.Request(
                method: head.method.rawValue,
                target: head.uri,
                headers: head.headers,
                body: body
            )
            send(standIn.take(request), context.channel)
        }
    }

    private func send(_ reply: StandIn.Reply, _ channel: any Channel) {
        switch reply {
        case .json(let text, let status, let headers):
            var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(text.utf8.count)")
            for (name, value) in headers { head.headers.add(name: name, value: value) }
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        case .raw(let text), .stall(let text):
            let bytes = ByteBuffer(string: text)
            let ends = if case .raw = reply { true } else { false }
            channel.pipeline.context(handlerType: HTTPResponseEncoder.self).whenSuccess { context in
                context.writeAndFlush(NIOAny(bytes)).whenComplete { _ in if ends { channel.close(promise: nil) } }
            }
        case .close:
            channel.close(promise: nil)
        case .silence:
            break
        case .later(let future, let reply):
            let handler = NIOLoopBound(self, eventLoop: channel.eventLoop)
            future.hop(to: channel.eventLoop).whenComplete { _ in handler.value.send(reply, channel) }
        case .computedLater(let future, let reply):
            let handler = NIOLoopBound(self, eventLoop: channel.eventLoop)
            future.hop(to: channel.eventLoop).whenComplete { _ in handler.value.send(reply(), channel) }
        case .stream(let text):
            var head = HTTPResponseHead(version: .http1_1, status: .ok)
            head.headers.add(name: "Content-Type", value: "text/event-stream")
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
