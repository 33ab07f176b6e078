import NIOCore

/// What the store has taken in the last minute. One that starts again from what it wrote to disk, and a replica that takes
/// a primary's place, lack the last moments of it: after a gap all of it is told again.
struct RecentWrites {
    enum Write {
        case invalidation(Invalidation)
        /// Of a load under that lease, which is over at that instant in any case.
        case loadEnd(token: String, leaseEnd: MonotonicInstant)
    }

    struct Item {
        let key: String
        let write: Write
        let at: MonotonicInstant
    }

    /// As long as failovers take, a primary that nobody can reach and goes on for a while included.
    private static let age = Duration.seconds(60)
    private static let limit = 1024

    private enum Phase {
        /// Nothing has been heard yet, so nothing missed.
        case unheard
        case live
        case gap
    }

    private var items = CircularBuffer<Item>()
    private var phase = Phase.unheard

    mutating func add(_ write: Write, of key: String, at now: MonotonicInstant) {
        if phase != .gap { prune(at: now) }
        if items.count == Self.limit { items.removeFirst() }
        items.append(Item(key: key, write: write, at: now))
    }

    /// - Returns: what the store may lose.
    mutating func gapBegan(at now: MonotonicInstant) -> CircularBuffer<Item> {
        guard phase == .live else { return [] }
        prune(at: now)
        phase = .gap
        return items
    }

    /// - Returns: what the store may have lost.
    mutating func gapEnded() -> CircularBuffer<Item> {
        defer { phase = .live }
        guard phase == .gap else { return [] }
        defer { items = [] }
        return items
    }

    private mutating func prune(at now: MonotonicInstant) {
        while let first = items.first, first.at + Self.age < now { items.removeFirst() }
    }
}
