import NIOConcurrencyHelpers
import NIOCore

/// A server on the loopback interface that takes connections and says nothing on them, so that no TLS is agreed on.
/// It ends when it is released.
public final class SilentListener: Sendable {
    /// What the greeting of a client has that offers HTTP/1.1 and nothing else: the list of protocols of TLS behind its
    /// length, and the name in it behind its own (RFC 7301).
    public static let http1Only = "\u{0}\u{9}\u{8}http/1.1"

    fileprivate struct State {
        var listener: (any Channel)?
        /// What clients sent, each on its connection.
        var received: [ObjectIdentifier: (channel: any Channel, bytes: ByteBuffer)] = [:]
    }

    private let state = NIOLockedValueBox(State())

    public static func start() async throws -> SilentListener {
        let silent = SilentListener()
        let listener = try await listenOnLoopback { [state = silent.state] channel in
            try channel.pipeline.syncOperations.addHandler(Ear(state))
        }
        silent.state.withLockedValue { $0.listener = listener }
        return silent
    }

    /// The first words of each client.
    public var greetings: [String] {
        state.withLockedValue { $0.received.values.map { String(decoding: $0.bytes.readableBytesView, as: UTF8.self) } }
    }

    public var url: String { "https://127.0.0.1:\(state.withLockedValue { $0.listener?.localAddress?.port } ?? 0)" }

    deinit {
        let (listener, channels) = state.withLockedValue { ($0.listener, $0.received.values.map(\.channel)) }
        for channel in channels + (listener.map { [$0] } ?? []) { channel.close(promise: nil) }
    }
}

private final class Ear: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: NIOLockedValueBox<SilentListener.State>

    init(_ state: NIOLockedValueBox<SilentListener.State>) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (channel, bytes) = (context.channel, unwrapInboundIn(data))
        _ = state.withLockedValue {
            $0.received[ObjectIdentifier(channel), default: (channel, ByteBuffer())].bytes.writeImmutableBuffer(bytes)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
