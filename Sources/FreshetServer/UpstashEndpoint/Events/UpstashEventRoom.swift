import NIOCore

/// The room there is for events that wait. One takes it once, however many readers it waits for.
struct UpstashEventRoom {
    struct Event: Equatable, Sendable {
        /// What it is looked up by, so that no lock is held while bytes are compared, which may be many.
        let digest: Int
        let bytes: ByteBuffer
    }

    private var left: Int
    /// In how many places each event waits, by its digest.
    private var places: [Int: (event: Event, count: Int)] = [:]

    init(bytes: Int) { left = bytes }

    /// The event that waits elsewhere under the same digest, or this one if none does; nil if there is no room.
    mutating func take(_ event: Event) -> Event? {
        if let index = places.index(forKey: event.digest) {
            places.values[index].count += 1
            return places.values[index].event
        }
        guard event.bytes.readableBytes <= left else { return nil }
        left -= event.bytes.readableBytes
        places[event.digest] = (event, 1)
        return event
    }

    /// - Parameter event: as it was taken.
    mutating func giveBack(_ event: Event) {
        guard let index = places.index(forKey: event.digest) else { return }
        places.values[index].count -= 1
        guard places.values[index].count == 0 else { return }
        places.remove(at: index)
        left += event.bytes.readableBytes
    }
}

extension UpstashEventRoom.Event {
    init(_ bytes: ByteBuffer) { self.init(digest: bytes.hashValue, bytes: bytes) }
}
