import NIOConcurrencyHelpers

/// The queues of all readers, which share the room there is. Where it is used up, those end for whom most waits, so that
/// who keeps up does not pay for who does not.
final class UpstashEventQueues: Sendable {
    private let maxEvents: Int
    private let maxBytes: Int
    private let room: NIOLockedValueBox<UpstashEventRoom>
    private let queues = NIOLockedValueBox<[ObjectIdentifier: UpstashEventQueue]>([:])

    /// - Parameters:
    ///   - maxEvents: of one queue.
    ///   - maxBytes: of one queue.
    init(maxEvents: Int, maxBytes: Int, maxBytesInAll: Int) {
        self.maxEvents = maxEvents
        self.maxBytes = min(maxBytes, maxBytesInAll)
        room = NIOLockedValueBox(UpstashEventRoom(bytes: maxBytesInAll))
    }

    /// A queue that is to be removed in the end.
    func add() -> UpstashEventQueue {
        let queue = UpstashEventQueue(maxEvents: maxEvents, maxBytes: maxBytes, among: self)
        queues.withLockedValue { $0[ObjectIdentifier(queue)] = queue }
        return queue
    }

    func remove(_ queue: UpstashEventQueue) {
        _ = queues.withLockedValue { $0.removeValue(forKey: ObjectIdentifier(queue)) }
        queue.drop()
    }

    /// The event as it waits elsewhere already, so that its bytes are there once; nil if there is no room.
    func take(_ event: UpstashEventRoom.Event) -> UpstashEventRoom.Event? {
        var event = event
        while let taken = room.withLockedValue({ $0.take(event) }) {
            if taken == event { return taken }
            giveBack(taken)
            event = UpstashEventRoom.Event(digest: event.digest &+ 1, bytes: event.bytes)
        }
        return nil
    }

    func giveBack(_ event: UpstashEventRoom.Event) {
        room.withLockedValue { $0.giveBack(event) }
    }

    /// Ends queues for whose readers more waits than for this one's, the longest first, until there is room.
    func makeRoom(for queue: UpstashEventQueue, _ hasRoom: () -> Bool) {
        queues.withLockedValue { queues in
            while !hasRoom() {
                guard let longest = queues.values.max(by: { $0.waitingBytes < $1.waitingBytes }),
                    longest.waitingBytes > queue.waitingBytes
                else { return }
                longest.drop()
            }
        }
    }
}
