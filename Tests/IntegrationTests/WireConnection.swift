import NIOCore
import NIOHTTP1
import NIOPosix

/// One HTTP connection that says exactly what became of a request.
final class WireConnection: Sendable {
    enum Outcome: Sendable {
        case answered(status: Int, body: String)
        /// The connection ended without a byte of an answer: a client asks again elsewhere.
        case closed
        /// The answer broke off.
        case cutOff

        var status: Int? { if case .answered(let status, _) = self { status } else { nil } }
        var body: String? { if case .answered(_, let body) = self { body } else { nil } }
    }

    private let channel: any Channel

    private init(_ channel: any Channel) { self.channel = channel }

    static func open(port: Int) async throws -> WireConnection {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(30))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(Exchange())
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .get()
        return WireConnection(channel)
    }

    /// Opens many, some at a time.
    static func open(_ count: Int, port: @escaping @Sendable (Int) -> Int) async throws -> [WireConnection] {
        try await withThrowingTaskGroup { group in
            for number in 0..<min(count, 200) { group.addTask { try await open(port: port(number)) } }
            var connections: [WireConnection] = []
            while let connection = try await group.next() {
                connections.append(connection)
                let number = connections.count + 199
                if number < count { group.addTask { try await open(port: port(number)) } }
            }
            return connections
        }
    }

    deinit { channel.close(promise: nil) }

    /// Sends a request.
    ///
    /// - Returns: when it is written, and what comes of it.
    func send(_ method: HTTPMethod = .GET, _ path: String) -> (isSent: EventLoopFuture<Void>, EventLoopFuture<Outcome>)
    {
        let outcome = channel.eventLoop.makePromise(of: Outcome.self)
        let isSent = channel.writeAndFlush(Question(method: method, path: path, outcome: outcome))
        isSent.whenFailure { _ in outcome.succeed(.closed) }
        return (isSent, outcome.futureResult)
    }

    func ask(_ method: HTTPMethod = .GET, _ path: String) async throws -> Outcome {
        try await send(method, path).1.get()
    }

    private struct Question: Sendable {
        let method: HTTPMethod
        let path: String
        let outcome: EventLoopPromise<Outcome>
    }

    private final class Exchange: ChannelDuplexHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundIn = Question
        typealias OutboundOut = HTTPClientRequestPart

        private var outcome: EventLoopPromise<Outcome>?
        private var status: Int?
        private var body = ByteBuffer()

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let question = unwrapOutboundIn(data)
            outcome = question.outcome
            let headers: HTTPHeaders = ["host": "127.0.0.1"]
            let head = HTTPRequestHead(
                version: .http1_1,
                method: question.method,
                uri: question.path,
                headers: headers
            )
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): status = Int(head.status.code)
            case .body(var part): body.writeBuffer(&part)
            case .end:
                end(.answered(status: status ?? 0, body: String(buffer: body)))
                status = nil
                body.clear()
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            end(status == nil ? .closed : .cutOff)
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            end(status == nil ? .closed : .cutOff)
            context.close(promise: nil)
        }

        private func end(_ result: Outcome) {
            outcome?.succeed(result)
            outcome = nil
        }
    }
}
