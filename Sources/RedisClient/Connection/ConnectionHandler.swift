import NIOCore
import RESP

/// What a connection that is ready reports to. Called on the connection's event loop only.
protocol ConnectionReceiver: AnyObject {
    func readStarted()
    /// Called once a read, with all that it completed, which may be taken out.
    func received(_ values: inout [RESPValue])
    func readCompleted()
    func becameWritable()
    /// Called once; nothing is called after it.
    func closed(_ error: RedisClientError)
}

/// One connection: says the handshake, then hands decoded values to its receiver.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let largestSpare = 1024

    /// What one caller's script nests too deep must not end the connection of all.
    private var decoder = RESPDecoder(dropsTooDeep: true)
    /// Empty; kept for its capacity.
    private var spare: [RESPValue] = []
    private var handshake: Handshake?
    private let ready: EventLoopPromise<RESPProtocol>
    private var receiver: (any ConnectionReceiver)?
    private var context: ChannelHandlerContext?
    private var failure: RedisClientError?
    /// Whether the server has said anything that could be understood.
    private(set) var hasReceived = false
    /// Whether the server tracks keys.
    private(set) var isTracked = false
    /// Who the server was told that it is, when the handshake is done.
    private(set) var credentials: Credentials?

    /// - Parameter ready: succeeds when the handshake is done; fails when the connection ends before.
    init(handshake: Handshake, ready: EventLoopPromise<RESPProtocol>) {
        self.handshake = handshake
        self.ready = ready
    }

    /// Whether the handshake is done.
    var isReady: Bool { handshake == nil }
    var isOpen: Bool { context?.channel.isActive ?? false }
    var isWritable: Bool { context?.channel.isWritable ?? false }
    var unsentByteCount: Int { context?.unsentByteCount ?? 0 }

    /// Must be called as soon as the connection is ready.
    func report(to receiver: any ConnectionReceiver) {
        self.receiver = receiver
    }

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    func send(_ commands: [RESPCommand]) {
        var encoder = RESPEncoder()
        encoder.append(contentsOf: commands)
        encoder.take { write($0) }
        flush()
    }

    /// Closes the connection; the receiver, or whoever waits for it to be ready, is told the reason at once. TLS may
    /// wait for a peer that is gone to take its leave.
    func close(_ reason: RedisClientError) {
        if failure == nil { failure = reason }
        context?.close(promise: nil)
        end()
    }

    /// Called when the channel is connected already.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // Whoever wanted the connection may have given it up while it was made.
        if failure != nil { return context.close(promise: nil) }
        if let commands = handshake?.start() { send(commands) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        hasReceived = true
        receiver?.readStarted()
        decoder.append(unwrapInboundIn(data))
        var values: [RESPValue] = []
        swap(&values, &spare)
        defer {
            values.removeAll(keepingCapacity: values.capacity <= Self.largestSpare)
            swap(&values, &spare)
        }
        do throws(RESPDecodingError) {
            while !isReady, failure == nil, let value = try decoder.next() { receivedInHandshake(value) }
            if isReady { try decoder.next(into: &values) }
            receiver?.received(&values)
        } catch {
            receiver?.received(&values)
            let violation = RedisClientError(
                .protocolViolation,
                "The server does not speak RESP.",
                mayHaveExecuted: isReady,
                underlying: error
            )
            close(violation)
        }
    }

    private func receivedInHandshake(_ value: RESPValue) {
        // Handshakes are answered by replies; a push can only belong to somebody else.
        if case .push = value { return }
        switch handshake?.receive(value) {
        case .done(let version):
            isTracked = handshake?.isTracked ?? false
            credentials = handshake?.credentials
            handshake = nil
            ready.succeed(version)
        case .send(let commands): send(commands)
        case .fail(let error): close(error)
        case .wait, nil: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.readCompleted()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { receiver?.becameWritable() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(describe(error, in: context.pipeline))
    }

    private func describe(_ error: any Error, in pipeline: ChannelPipeline) -> RedisClientError {
        if let handshake, TLSFailure.isFailure(error) {
            // Which the URL need not name: clusters and sentinels tell of others.
            let message = "\(handshake.address): \(TLSFailure.message(for: error, in: pipeline))"
            return RedisClientError(.tlsFailed, message, underlying: error)
        }
        return isReady
            ? RedisClientError(.connectionLost, "The connection broke.", mayHaveExecuted: true, underlying: error)
            : RedisClientError(
                .connectFailed,
                "The connection broke during the handshake.",
                underlying: handshake?.refusal ?? error
            )
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    private func end() {
        let reason =
            failure
            ?? (isReady
                ? RedisClientError(.connectionLost, "The server closed the connection.", mayHaveExecuted: true)
                : RedisClientError(
                    .connectFailed,
                    "The server closed the connection during the handshake.",
                    underlying: handshake?.refusal
                ))
        ready.fail(reason)
        let receiver = self.receiver
        self.receiver = nil
        receiver?.closed(reason)
    }
}
