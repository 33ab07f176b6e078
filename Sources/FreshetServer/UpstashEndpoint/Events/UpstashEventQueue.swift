import NIOConcurrencyHelpers
import NIOCore

/// Events that wait for a reader, who may be slow. It ends with the first one for which there is no room; what waits then
/// is dropped, so that it takes no room from other readers.
final class UpstashEventQueue: Sendable {
    private struct State {
        var events = CircularBuffer<UpstashEventRoom.Event>()
        /// Bytes of `events`.
        var bytes = 0
        var hasEnded = false
    }

    private enum Outcome {
        case taken, hasEnded
        /// There is no room for more of this queue.
        case isFull
        /// There is no room for more of any queue.
        case areAllFull
    }

    private let maxEvents: Int
    private let maxBytes: Int
    private let queues: UpstashEventQueues
    private let state = NIOLockedValueBox(State())
    /// Tells that there may be events, and ends with the queue.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// - Parameter queues: among which it is one.
    init(maxEvents: Int, maxBytes: Int, among queues: UpstashEventQueues) {
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
        self.queues = queues
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Bytes that nobody has begun to write.
    var waitingBytes: Int { state.withLockedValue { $0.bytes } }

    /// False if it has ended.
    func put(_ bytes: ByteBuffer) -> Bool {
        let event = UpstashEventRoom.Event(bytes)
        var outcome = append(event)
        if outcome == .areAllFull {
            queues.makeRoom(for: self) {
                outcome = append(event)
                return outcome != .areAllFull
            }
        }
        switch outcome {
        case .taken: signal.yield()
        case .hasEnded: break
        case .isFull, .areAllFull: drop()
        }
        return outcome == .taken
    }

    /// A sign of life; left out where there is no room.
    func putComment() {
        if append(UpstashEventRoom.Event(.serverSentComment)) == .taken { signal.yield() }
    }

    private func append(_ event: UpstashEventRoom.Event) -> Outcome {
        let bytes = event.bytes.readableBytes
        var outcome = state.withLockedValue { check(bytes, in: $0) }
        guard outcome == .taken else { return outcome }
        guard let event = queues.take(event) else { return .areAllFull }
        // It may have ended meanwhile.
        outcome = state.withLockedValue { state in
            let outcome = check(bytes, in: state)
            guard outcome == .taken else { return outcome }
            state.events.append(event)
            state.bytes += bytes
            return outcome
        }
        if outcome != .taken { queues.giveBack(event) }
        return outcome
    }

    /// What becomes of an event, as far as this queue is concerned.
    private func check(_ bytes: Int, in state: State) -> Outcome {
        if state.hasEnded { return .hasEnded }
        return state.events.count < maxEvents && bytes <= maxBytes - state.bytes ? .taken : .isFull
    }

    /// Ends it without what waits.
    func drop() {
        let events = state.withLockedValue { state in
            defer { state = State(hasEnded: true) }
            return state.events
        }
        signal.finish()
        for event in events { queues.giveBack(event) }
    }

    /// What waits is read to its end.
    func finish() {
        state.withLockedValue { $0.hasEnded = true }
        signal.finish()
    }

    /// The next event, if there is one already. It takes its room until it is written.
    func next() -> UpstashEventRoom.Event? {
        state.withLockedValue { state in
            let event = state.events.popFirst()
            state.bytes -= event?.bytes.readableBytes ?? 0
            return event
        }
    }

    func written(_ event: UpstashEventRoom.Event) { queues.giveBack(event) }
}
