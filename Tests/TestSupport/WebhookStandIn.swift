import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// An HTTP server on the loopback interface that keeps what is posted to it.
public final class WebhookStandIn: Sendable {
    private struct State {
        var bodies: [String] = []
        var answers: [Answer] = []
    }

    public enum Answer: Sendable {
        case status(Int, retryAfter: Int? = nil)
        /// Never answers.
        case hang
    }

    private let channel: any Channel
    private let state: NIOLockedValueBox<State>

    /// The path is what makes such URLs secrets.
    public static let path = "/services/T000/B000/s3cret"
    public var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)\(Self.path)" }

    /// What was posted as JSON to the path, in the order it came.
    public var bodies: [String] { state.withLockedValue { $0.bodies } }

    private init(_ channel: any Channel, _ state: NIOLockedValueBox<State>) {
        self.channel = channel
        self.state = state
    }

    deinit { channel.close(promise: nil) }

    /// - Parameter answers: to the first requests; further ones get 200.
    public static func start(_ answers: [Answer] = []) async throws -> WebhookStandIn {
        let state = NIOLockedValueBox(State(answers: answers))
        let channel = try await listenOnLoopback { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline()
            try channel.pipeline.syncOperations.addHandler(Handler(state: state))
        }
        return WebhookStandIn(channel, state)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let state: NIOLockedValueBox<State>
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(state: NIOLockedValueBox<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = ByteBuffer()
            case .body(var part): body.writeBuffer(&part)
            case .end: answer(context)
            }
        }

        private func answer(_ context: ChannelHandlerContext) {
            let isPost =
                head?.method == .POST && head?.uri == WebhookStandIn.path
                && head?.headers.first(name: "content-type")?.hasPrefix("application/json") == true
            let answer: Answer = state.withLockedValue { state in
                guard isPost else { return .status(404) }
                state.bodies.append(String(buffer: body))
                return state.answers.isEmpty ? .status(200) : state.answers.removeFirst()
            }
            guard case .status(let status, let retryAfter) = answer else { return }
            var headers: HTTPHeaders = ["content-length": "0"]
            if let retryAfter { headers.add(name: "retry-after", value: "\(retryAfter)") }
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
