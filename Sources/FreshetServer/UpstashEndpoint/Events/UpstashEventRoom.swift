import NIOCore

/// The room there is for events that wait. One takes it once, however many readers it waits for.
struct UpstashEventRoom {
    /// Of the same bytes it is the same one.
    struct Event: Hashable, Sendable {
        /// Taken once: an event may be long, and is looked for under a lock.
        private let digest: Int
        let bytes: ByteBuffer

        init(_ bytes: ByteBuffer) {
            digest = bytes.hashValue
            self.bytes = bytes
        }

        func hash(into hasher: inout Hasher) { hasher.combine(digest) }
    }

    private var left: Int
    /// In how many places each event waits.
    private var places: [Event: Int] = [:]

    init(bytes: Int) { left = bytes }

    /// The event as it waits elsewhere already, so that its bytes are there once; nil if there is no room.
    mutating func take(_ event: Event) -> Event? {
        if let index = places.index(forKey: event) {
            places.values[index] += 1
            return places.keys[index]
        }
        guard event.bytes.readableBytes <= left else { return nil }
        left -= event.bytes.readableBytes
        places[event] = 1
        return event
    }

    mutating func giveBack(_ event: Event) {
        guard let index = places.index(forKey: event) else { return }
        places.values[index] -= 1
        guard places.values[index] == 0 else { return }
        places.remove(at: index)
        left += event.bytes.readableBytes
    }
}
