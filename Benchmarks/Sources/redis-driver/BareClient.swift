import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// As little as a client over NIO can be that shares one connection between tasks and writes their commands together: no
/// deadlines, no cancellation, no errors, no connection made again, commands that are bytes already, replies that are no
/// more than `+OK` or a string. What is left is what NIO, the tasks and the machine cost.
final class BareClient: Sendable {
    let eventLoop: any EventLoop
    private let outgoing: NIOLockedValueBox<Outgoing>
    private let handler: NIOLoopBound<Handler>

    private struct Caller {
        let replies: Int
        let continuation: UnsafeContinuation<ByteBuffer, Never>
    }

    private struct Outgoing {
        var bytes = ByteBuffer()
        var callers: [Caller] = []
        var isWakePending = false
    }

    init(port: Int) async throws {
        let outgoing = NIOLockedValueBox(Outgoing())
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.outgoing = outgoing
        self.eventLoop = eventLoop
        handler = try await ClientBootstrap(group: eventLoop).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = Handler(outgoing)
                try channel.pipeline.syncOperations.addHandler(handler)
                return NIOLoopBound(handler, eventLoop: channel.eventLoop)
            }
        }
    }

    /// - Returns: the last reply.
    func execute(_ bytes: [UInt8], replies: Int) async -> ByteBuffer {
        await withUnsafeContinuation { continuation in
            let isFirst = outgoing.withLockedValue { outgoing in
                outgoing.bytes.writeBytes(bytes)
                outgoing.callers.append(Caller(replies: replies, continuation: continuation))
                defer { outgoing.isWakePending = true }
                return !outgoing.isWakePending
            }
            if isFirst { eventLoop.execute { self.handler.value.drain() } }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let outgoing: NIOLockedValueBox<Outgoing>
        private var context: ChannelHandlerContext?
        private var callers = CircularBuffer<Caller>(initialCapacity: 1024)
        private var repliesToFirst = 0
        private var received = ByteBuffer()

        init(_ outgoing: NIOLockedValueBox<Outgoing>) { self.outgoing = outgoing }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func drain() {
            let taken = outgoing.withLockedValue { outgoing in
                var taken = Outgoing()
                taken.bytes.reserveCapacity(outgoing.bytes.capacity)
                taken.callers.reserveCapacity(outgoing.callers.capacity)
                swap(&taken, &outgoing)
                return taken
            }
            guard !taken.callers.isEmpty else { return }
            callers.append(contentsOf: taken.callers)
            context?.writeAndFlush(wrapOutboundOut(taken.bytes), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            outgoing.withLockedValue { $0.isWakePending = true }
            var more = unwrapInboundIn(data)
            if received.readableBytes == 0 {
                received = more
            } else {
                received.discardReadBytes()
                received.writeBuffer(&more)
            }
            while let reply = nextReply() {
                repliesToFirst += 1
                if repliesToFirst == callers.first?.replies {
                    repliesToFirst = 0
                    callers.removeFirst().continuation.resume(returning: reply)
                }
            }
        }

        private func nextReply() -> ByteBuffer? {
            let found = received.withUnsafeReadableBytes { bytes -> (start: Int, length: Int)? in
                var length = 0
                var position = 1
                while position < bytes.count, bytes[position] != UInt8(ascii: "\r") {
                    length = length &* 10 &+ Int(bytes[position]) &- Int(UInt8(ascii: "0"))
                    position += 1
                }
                if bytes.first == UInt8(ascii: "+") {
                    return position + 2 <= bytes.count ? (1, position - 1) : nil
                }
                return position + 2 + length + 2 <= bytes.count ? (position + 2, length) : nil
            }
            guard let found else { return nil }
            received.moveReaderIndex(forwardBy: found.start)
            defer { received.moveReaderIndex(forwardBy: 2) }
            return received.readSlice(length: found.length)
        }

        func channelReadComplete(context: ChannelHandlerContext) { drain() }
    }
}
