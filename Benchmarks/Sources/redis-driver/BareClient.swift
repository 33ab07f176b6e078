import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The least that a client over NIO can be that shares one connection between tasks and writes their commands together.
///
/// It has no deadlines, cancellation, limits or pushes, and does not connect again. Commands are bytes already; replies, of
/// which it knows `+…` and strings, are found and counted, but not kept. What is left is what NIO, the tasks and the machine cost.
final class BareClient: Sendable {
    private let eventLoop: any EventLoop
    private let outgoing: NIOLockedValueBox<Outgoing>
    private let handler: NIOLoopBound<Handler>

    private struct Caller {
        let replies: Int
        let continuation: UnsafeContinuation<Void, Never>
    }

    private struct Outgoing {
        var bytes = ByteBuffer()
        var callers: [Caller] = []
        var isWakePending = false
    }

    init(port: Int, eventLoop: any EventLoop) async throws {
        let outgoing = NIOLockedValueBox(Outgoing())
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

    /// Returns when so many replies have come.
    func execute(_ bytes: [UInt8], replies: Int) async {
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
        /// Bytes still to come of the string that is being read, the end of its line included.
        private var missingBytes = 0
        /// The beginning of a head.
        private var unread = ByteBuffer()
        /// Empty; kept for its capacity.
        private var spare = Outgoing()

        init(_ outgoing: NIOLockedValueBox<Outgoing>) { self.outgoing = outgoing }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        func drain() {
            outgoing.withLockedValue { outgoing in
                outgoing.isWakePending = false
                if !outgoing.callers.isEmpty { swap(&spare, &outgoing) }
            }
            guard !spare.callers.isEmpty else { return }
            callers.append(contentsOf: spare.callers)
            context?.writeAndFlush(wrapOutboundOut(spare.bytes), promise: nil)
            spare.callers.removeAll(keepingCapacity: true)
            spare.bytes.clear(minimumCapacity: min(spare.bytes.capacity, 1 << 18))
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            outgoing.withLockedValue { $0.isWakePending = true }
            var bytes = unwrapInboundIn(data)
            if unread.readableBytes > 0 {
                unread.writeBuffer(&bytes)
                swap(&unread, &bytes)
                unread = ByteBuffer()
            }
            while bytes.readableBytes > 0 {
                if missingBytes == 0, !readHead(&bytes) {
                    unread = bytes
                    return
                }
                let step = min(missingBytes, bytes.readableBytes)
                bytes.moveReaderIndex(forwardBy: step)
                missingBytes -= step
                if missingBytes == 0 { replied() }
            }
        }

        /// - Returns: whether it was there.
        private func readHead(_ bytes: inout ByteBuffer) -> Bool {
            let head = bytes.withUnsafeReadableBytes { bytes -> (kind: UInt8, number: Int, count: Int)? in
                var number = 0
                for position in 1..<max(1, bytes.count - 1) {
                    if bytes[position] == UInt8(ascii: "\r") { return (bytes[0], number, position + 2) }
                    number = number &* 10 &+ Int(bytes[position]) &- Int(UInt8(ascii: "0"))
                }
                return nil
            }
            guard let head else { return false }
            bytes.moveReaderIndex(forwardBy: head.count)
            switch head.kind {
            case UInt8(ascii: "$") where head.number >= 0: missingBytes = head.number + 2
            case UInt8(ascii: "+"): break
            default: preconditionFailure("a reply that the plan does not have")
            }
            return true
        }

        private func replied() {
            repliesToFirst += 1
            if repliesToFirst == callers.first?.replies {
                repliesToFirst = 0
                callers.removeFirst().continuation.resume()
            }
        }

        func channelReadComplete(context: ChannelHandlerContext) { drain() }

        func channelInactive(context: ChannelHandlerContext) {
            precondition(callers.isEmpty, "the server closed the connection")
        }
    }
}
