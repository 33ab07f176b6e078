import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport

/// A connection whose bytes the test writes itself.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let inbox: NIOLockedValueBox<(bytes: ByteBuffer, isClosed: Bool)>

    init(port: Int) async throws {
        let inbox = NIOLockedValueBox((bytes: ByteBuffer(), isClosed: false))
        self.inbox = inbox
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(inbox: inbox))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .get()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func close() async { try? await channel.close() }

    /// What comes from now on is looked at.
    func forget() { inbox.withLockedValue { $0.bytes.clear() } }

    var received: String { inbox.withLockedValue { String(buffer: $0.bytes) } }
    var isClosed: Bool { inbox.withLockedValue { $0.isClosed } }

    /// Whether a text arrives in time.
    func receives(_ text: String) async -> Bool {
        await eventually { received.contains(text) }
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let inbox: NIOLockedValueBox<(bytes: ByteBuffer, isClosed: Bool)>

        init(inbox: NIOLockedValueBox<(bytes: ByteBuffer, isClosed: Bool)>) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            inbox.withLockedValue { _ = $0.bytes.writeBuffer(&bytes) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            inbox.withLockedValue { $0.isClosed = true }
        }
    }
}
