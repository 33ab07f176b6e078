import NIOConcurrencyHelpers
import NIOCore
import TestSupport

/// An HTTP server that answers when it is told to.
final class SlowSource: Sendable {
    private let channel: any Channel
    private let waiting: NIOLockedValueBox<[any Channel]>

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/value.json" }

    var isAsked: Bool { waiting.withLockedValue { !$0.isEmpty } }

    /// Whether everybody who has asked is gone.
    var isLeft: Bool { waiting.withLockedValue { $0.allSatisfy { !$0.isActive } } }

    static func start() async throws -> SlowSource {
        let waiting = NIOLockedValueBox<[any Channel]>([])
        let channel = try await listenOnLoopback { channel in
            try channel.pipeline.syncOperations.addHandler(Asked(waiting: waiting))
        }
        return SlowSource(channel, waiting)
    }

    private init(_ channel: any Channel, _ waiting: NIOLockedValueBox<[any Channel]>) {
        self.channel = channel
        self.waiting = waiting
    }

    deinit { channel.close(promise: nil) }

    func answer(_ json: String = "\"done\"") {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(json.utf8.count)\r\n\r\n"
        for channel in waiting.withLockedValue({ $0 }) {
            channel.writeAndFlush(ByteBuffer(string: head + json), promise: nil)
        }
    }

    private final class Asked: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let waiting: NIOLockedValueBox<[any Channel]>

        init(waiting: NIOLockedValueBox<[any Channel]>) { self.waiting = waiting }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            waiting.withLockedValue { $0.append(context.channel) }
        }
    }
}
