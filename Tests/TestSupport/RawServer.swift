import NIOConcurrencyHelpers
public import NIOCore

/// A server on the loopback interface that answers requests in bytes of the test's own.
public final class RawServer: Sendable {
    public struct Answer: Sendable {
        var bytes: ByteBuffer
        var isLast: Bool

        /// - Parameters:
        ///   - head: status and headers, a line each.
        ///   - isLast: whether the connection is closed behind it.
        public init(_ head: String..., body: ByteBuffer = ByteBuffer(), isLast: Bool = false) {
            bytes = ByteBuffer(string: "HTTP/1.1 \(head.joined(separator: "\r\n"))\r\n\r\n")
            bytes.writeImmutableBuffer(body)
            self.isLast = isLast
        }

        /// Something else than HTTP.
        public init(raw: String) {
            bytes = ByteBuffer(string: raw)
            isLast = true
        }
    }

    private let channel: any Channel
    private let received: NIOLockedValueBox<[String]>

    public var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    /// The requests, in lower case.
    public var requests: [String] { received.withLockedValue { $0 } }

    private init(_ channel: any Channel, _ received: NIOLockedValueBox<[String]>) {
        self.channel = channel
        self.received = received
    }

    deinit { channel.close(promise: nil) }

    /// - Parameter answer: gets a request in lower case.
    public static func start(_ answer: @escaping @Sendable (String) -> Answer) async throws -> RawServer {
        let received = NIOLockedValueBox<[String]>([])
        let channel = try await listenOnLoopback { channel in
            try channel.pipeline.syncOperations.addHandler(Handler(received, answer))
        }
        return RawServer(channel, received)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let received: NIOLockedValueBox<[String]>
        private let answer: @Sendable (String) -> Answer
        private var head = ""

        init(_ received: NIOLockedValueBox<[String]>, _ answer: @escaping @Sendable (String) -> Answer) {
            self.received = received
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            head += String(buffer: unwrapInboundIn(data)).lowercased()
            // The first bytes of TLS are answered as well.
            guard isWhole || head.unicodeScalars.first == "\u{16}" else { return }
            let answer = answer(head)
            received.withLockedValue { $0.append(head) }
            head = ""
            let written = context.writeAndFlush(wrapOutboundOut(answer.bytes))
            if answer.isLast { written.whenComplete { [channel = context.channel] _ in channel.close(promise: nil) } }
        }

        /// Whether the body has come, too.
        private var isWhole: Bool {
            guard let end = head.firstRange(of: "\r\n\r\n")?.upperBound else { return false }
            let length = head[..<end].firstMatch(of: /\ncontent-length: *([0-9]+)/).flatMap { Int($0.1) }
            return head[end...].utf8.count >= length ?? 0
        }
    }
}
