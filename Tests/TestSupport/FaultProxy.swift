import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix

/// A TCP proxy on the loopback interface that does to a connection what networks do. It ends when it is stopped or
/// released.
public final class FaultProxy: Sendable {
    /// What is done to the bytes that pass. Takes effect at once, on open connections too.
    public struct Faults: Sendable {
        /// How long every piece is held back, in both directions.
        public var delay: TimeAmount?
        /// Bytes from the server vanish, as on a path that works one way only.
        public var swallowsReplies = false
        /// Bytes to the server vanish.
        public var swallowsRequests = false
        /// Replies pass in pieces of so many bytes.
        public var dripSize: Int?
        /// Nothing is read from clients any more, so that their sends fill up.
        public var stopsReading = false
        /// After each piece nothing more is read from a client for so long.
        public var pauseOfReading: TimeAmount?
        /// New connections are closed at once.
        public var refuses = false

        public init() {}
    }

    fileprivate struct State {
        var faults = Faults()
        var links: [ObjectIdentifier: any Channel] = [:]
        var accepted = 0
        var swallowed = 0
        var listener: (any Channel)?
        var upstreamPort: Int
    }

    private let state: NIOLockedValueBox<State>

    /// Where clients connect to.
    public var port: Int { state.withLockedValue { $0.listener?.localAddress?.port } ?? 0 }
    /// Connections that clients made so far.
    public var acceptedCount: Int { state.withLockedValue { $0.accepted } }
    /// Bytes that vanished so far.
    public var swallowedBytes: Int { state.withLockedValue { $0.swallowed } }
    public var openCount: Int { state.withLockedValue { $0.links.count } }
    /// Where new connections lead to.
    public var upstreamPort: Int {
        get { state.withLockedValue { $0.upstreamPort } }
        set { state.withLockedValue { $0.upstreamPort = newValue } }
    }

    private init(upstreamPort: Int) {
        state = NIOLockedValueBox(State(upstreamPort: upstreamPort))
    }

    deinit {
        cut()
        state.withLockedValue { $0.listener }?.close(promise: nil)
    }

    public static func start(upstreamPort: Int) async throws -> FaultProxy {
        let proxy = FaultProxy(upstreamPort: upstreamPort)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Small buffers, so that a client notices soon that nobody reads.
            .childChannelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { [state = proxy.state] in accept($0, state) }
            .bind(host: "127.0.0.1", port: 0).get()
        proxy.state.withLockedValue { $0.listener = listener }
        return proxy
    }

    public var faults: Faults {
        get { state.withLockedValue { $0.faults } }
        set {
            let links = state.withLockedValue { state in
                state.faults = newValue
                return Array(state.links.values)
            }
            for link in links { link.setOption(.autoRead, value: !newValue.stopsReading).whenComplete { _ in } }
        }
    }

    /// Closes all connections, as a router that restarts does.
    public func cut() {
        for link in state.withLockedValue({ Array($0.links.values) }) { link.close(promise: nil) }
    }

    public func stop() async throws {
        let listener = state.withLockedValue { $0.listener }
        cut()
        try await listener?.close().get()
    }

    private static func accept(_ client: any Channel, _ state: NIOLockedValueBox<State>) -> EventLoopFuture<Void> {
        let (faults, upstreamPort) = state.withLockedValue { state in
            state.accepted += 1
            state.links[ObjectIdentifier(client)] = client
            return (state.faults, state.upstreamPort)
        }
        client.closeFuture.whenComplete { _ in state.withLockedValue { $0.links[ObjectIdentifier(client)] = nil } }
        if faults.refuses { return client.close() }
        return ClientBootstrap(group: client.eventLoop)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(
                        Forwarder(state: state, peer: client, carriesReplies: true)
                    )
                }
            }
            .connect(host: "127.0.0.1", port: upstreamPort)
            .flatMap { server in
                client.eventLoop.makeCompletedFuture {
                    try client.pipeline.syncOperations.addHandler(
                        Forwarder(state: state, peer: server, carriesReplies: false)
                    )
                }.flatMap { client.setOption(.autoRead, value: !state.withLockedValue { $0.faults.stopsReading }) }
            }
            .flatMapError { _ in client.close() }
    }
}

/// Carries the bytes of one direction.
private final class Forwarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: NIOLockedValueBox<FaultProxy.State>
    private let peer: any Channel
    private let carriesReplies: Bool
    private var lastDue = NIODeadline.uptimeNanoseconds(0)
    /// Pieces that are held back.
    private var heldBack = 0

    init(state: NIOLockedValueBox<FaultProxy.State>, peer: any Channel, carriesReplies: Bool) {
        self.state = state
        self.peer = peer
        self.carriesReplies = carriesReplies
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let faults = state.withLockedValue { $0.faults }
        var bytes = unwrapInboundIn(data)
        if !carriesReplies, let pause = faults.pauseOfReading { rest(pause, context.channel) }
        if carriesReplies ? faults.swallowsReplies : faults.swallowsRequests {
            return state.withLockedValue { $0.swallowed += bytes.readableBytes }
        }
        let size = carriesReplies ? faults.dripSize ?? bytes.readableBytes : bytes.readableBytes
        while let piece = bytes.readSlice(length: min(size, bytes.readableBytes)), piece.readableBytes > 0 {
            send(piece, after: faults.delay, on: context.eventLoop)
        }
    }

    private func rest(_ pause: TimeAmount, _ client: any Channel) {
        client.setOption(.autoRead, value: false).whenComplete { _ in }
        client.eventLoop.scheduleTask(in: pause) { [state] in
            let isOpen = state.withLockedValue { !$0.faults.stopsReading }
            client.setOption(.autoRead, value: isOpen).whenComplete { _ in }
        }
    }

    private func send(_ bytes: ByteBuffer, after delay: TimeAmount?, on eventLoop: any EventLoop) {
        let now = NIODeadline.now()
        // What is sent later never overtakes what is held back, whatever happens to the delay in between.
        let due = max(now + (delay ?? .zero), lastDue + .nanoseconds(1))
        // A timer may be late.
        guard due > now || heldBack > 0 else { return peer.writeAndFlush(bytes, promise: nil) }
        lastDue = due
        heldBack += 1
        let forwarder = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: due) {
            forwarder.value.heldBack -= 1
            forwarder.value.peer.writeAndFlush(bytes, promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        peer.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
