import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Passes bytes on, and counts the HTTP requests among them.
final class CountingRelay: Sendable {
    private let upstream: Int
    private let count = NIOLockedValueBox(0)
    private let listener = NIOLockedValueBox<(any Channel)?>(nil)

    var port: Int { listener.withLockedValue { $0?.localAddress?.port } ?? 0 }
    var requestCount: Int { count.withLockedValue { $0 } }

    private init(upstream: Int) {
        self.upstream = upstream
    }

    static func start(to port: Int) async throws -> CountingRelay {
        let relay = CountingRelay(upstream: port)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { relay.connect($0) }
            .bind(host: "127.0.0.1", port: 0).get()
        relay.listener.withLockedValue { $0 = channel }
        return relay
    }

    private func connect(_ client: any Channel) -> EventLoopFuture<Void> {
        ClientBootstrap(group: client.eventLoop)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(Pipe(to: client) { _ in })
                }
            }
            .connect(host: "127.0.0.1", port: upstream)
            .flatMap { [count] server in
                client.eventLoop.makeCompletedFuture {
                    let pipe = Pipe(to: server) { heads in count.withLockedValue { $0 += heads } }
                    try client.pipeline.syncOperations.addHandler(pipe)
                }
            }
            .flatMap { client.setOption(.autoRead, value: true) }
    }
}

private final class Pipe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    // In no body: JSON has no raw line breaks in strings.
    private static let endOfRequestLine = Array(" HTTP/1.1\r\n".utf8)

    private let peer: any Channel
    private let onHeads: (Int) -> Void
    private var matched = 0

    init(to peer: any Channel, onHeads: @escaping (Int) -> Void) {
        self.peer = peer
        self.onHeads = onHeads
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        var heads = 0
        for byte in bytes.readableBytesView {
            if byte != Self.endOfRequestLine[matched] { matched = 0 }
            if byte == Self.endOfRequestLine[matched] { matched += 1 }
            if matched == Self.endOfRequestLine.count {
                heads += 1
                matched = 0
            }
        }
        if heads > 0 { onHeads(heads) }
        peer.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        peer.close(promise: nil)
    }
}
