import NIOConcurrencyHelpers
import NIOCore

/// Events that wait for a reader, who may be slow. It ends with the first one for which there is no room; what waits then
/// is dropped, so that it takes no room from other readers.
struct UpstashEventQueue: Sendable {
    private struct State {
        var events = CircularBuffer<ByteBuffer>()
        var hasEnded = false
    }

    private let limit: Int
    private let room: ByteBudget.Share
    private let state = NIOLockedValueBox(State())
    /// Tells that there may be events, and ends with the queue.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// - Parameter room: for bytes.
    init(limit: Int, room: ByteBudget.Share) {
        self.limit = limit
        self.room = room
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// False if it has ended.
    func put(_ event: ByteBuffer) -> Bool {
        let (isTaken, dropped) = state.withLockedValue { state in
            if append(event, &state) { return (true, CircularBuffer<ByteBuffer>()) }
            defer { if !state.hasEnded { state = State(hasEnded: true) } }
            return (false, state.hasEnded ? [] : state.events)
        }
        if isTaken { signal.yield() } else { signal.finish() }
        for event in dropped { room.giveBack(event.readableBytes) }
        return isTaken
    }

    /// A sign of life; left out where there is no room.
    func putComment() {
        if state.withLockedValue({ append(.serverSentComment, &$0) }) { signal.yield() }
    }

    private func append(_ event: ByteBuffer, _ state: inout State) -> Bool {
        guard !state.hasEnded, state.events.count < limit, room.take(event.readableBytes) else { return false }
        state.events.append(event)
        return true
    }

    /// What waits is read to its end.
    func finish() {
        state.withLockedValue { $0.hasEnded = true }
        signal.finish()
    }

    /// The next event, if there is one already. It takes its room until it is written.
    func next() -> ByteBuffer? { state.withLockedValue { $0.events.popFirst() } }

    func written(_ event: ByteBuffer) { room.giveBack(event.readableBytes) }
}
