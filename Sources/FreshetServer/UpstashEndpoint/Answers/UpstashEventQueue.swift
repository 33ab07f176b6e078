import NIOCore

/// Events that wait for a reader, who may be slow. It ends with the first one for which there is no room.
struct UpstashEventQueue: Sendable {
    struct Event: Sendable {
        let bytes: ByteBuffer
        /// Taken of the room.
        fileprivate var size = 0
    }

    /// Ends when the queue has ended and is empty.
    let events: AsyncStream<Event>
    private let end: AsyncStream<Event>.Continuation
    private let room: ByteBudget.Share

    /// - Parameter room: for bytes.
    init(limit: Int, room: ByteBudget.Share) {
        (events, end) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(limit))
        self.room = room
    }

    /// False if it has ended.
    func put(_ bytes: ByteBuffer) -> Bool {
        let size = bytes.readableBytes
        if room.take(size) {
            if case .enqueued = end.yield(Event(bytes: bytes, size: size)) { return true }
            room.giveBack(size)
        }
        finish()
        return false
    }

    /// A sign of life; left out where there is no room.
    func putComment() { end.yield(Event(bytes: .serverSentComment)) }

    func finish() { end.finish() }

    func written(_ event: Event) { room.giveBack(event.size) }
}
