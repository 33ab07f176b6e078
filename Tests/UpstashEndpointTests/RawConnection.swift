import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport

/// A connection whose bytes the test writes itself.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let inbox: NIOLockedValueBox<(bytes: ByteBuffer, isClosed: Bool)>

    /// - Parameters:
    ///   - isSlow: whether it reads nothing until it is told to.
    ///   - sendsOn: whether it stays open once the other side sends no more.
    init(port: Int, isSlow: Bool = false, sendsOn: Bool = false) async throws {
        let inbox = NIOLockedValueBox((bytes: ByteBuffer(), isClosed: false))
        self.inbox = inbox
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        // Little is taken for it by the system meanwhile.
        if isSlow { bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: 64 << 10) }
        channel =
            try await bootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(inbox: inbox))
                }
            }
            .channelOption(.autoRead, value: !isSlow)
            .channelOption(.allowRemoteHalfClosure, value: sendsOn)
            .connect(host: "127.0.0.1", port: port)
            .get()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func closeOutput() async throws { try await channel.close(mode: .output) }

    func readOnce() { channel.read() }

    /// Goes on to read after a time.
    func read(in time: TimeAmount) async throws {
        try await channel.eventLoop.scheduleTask(in: time) { [channel] in
            channel.setOption(.autoRead, value: true)
        }.futureResult.flatMap { $0 }.get()
    }

    func close() async { try? await channel.close() }

    /// What comes from now on is looked at.
    func forget() { inbox.withLockedValue { $0.bytes.clear() } }

    var received: String { inbox.withLockedValue { String(buffer: $0.bytes) } }
    var byteCount: Int { inbox.withLockedValue { $0.bytes.readableBytes } }
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
