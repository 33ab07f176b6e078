import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import UpstashClient

/// A server on the loopback interface that takes connections and says nothing on them, so that no TLS is agreed on.
final class SilentListener: Sendable {
    private struct State {
        var listener: (any Channel)?
        /// What clients sent, each on its connection.
        var received: [ObjectIdentifier: (channel: any Channel, bytes: ByteBuffer)] = [:]
    }

    private let state = NIOLockedValueBox(State())

    static func start() async throws -> SilentListener {
        let silent = SilentListener()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Ear(silent))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        silent.state.withLockedValue { $0.listener = listener }
        return silent
    }

    /// The first words of each client.
    var greetings: [String] {
        state.withLockedValue { $0.received.values.map { String(decoding: $0.bytes.readableBytesView, as: UTF8.self) } }
    }

    func client(_ change: (inout UpstashClient.Configuration) -> Void = { _ in }) throws -> UpstashClient {
        let port = state.withLockedValue { $0.listener?.localAddress?.port } ?? 0
        return try .patient("https://127.0.0.1:\(port)", change)
    }

    func stop() async throws {
        let (listener, channels) = state.withLockedValue { ($0.listener, $0.received.values.map(\.channel)) }
        try await listener?.close()
        for channel in channels { channel.close(promise: nil) }
    }

    fileprivate func heard(_ bytes: ByteBuffer, _ channel: any Channel) {
        _ = state.withLockedValue {
            $0.received[ObjectIdentifier(channel), default: (channel, ByteBuffer())].bytes.writeImmutableBuffer(bytes)
        }
    }
}

private final class Ear: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let listener: SilentListener

    init(_ listener: SilentListener) {
        self.listener = listener
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        listener.heard(unwrapInboundIn(data), context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
