import NIOCore

/// What the store was told in the last minute. One that starts again from what it wrote to disk, and a replica that takes
/// a primary's place, may lack the last moments of it: after a gap it is told again.
struct RecentWrites {
    struct Invalidated: Sendable {
        let key: String
        let invalidation: Invalidation
        /// What the key has had since, as far as messages told: while it has that, nothing is lost.
        var generation: Generation?
    }

    /// The end of a load under that lease, which is over at that instant in any case.
    struct LoadEnd {
        let key: String
        let token: String
        let leaseEnd: MonotonicInstant
        let at: MonotonicInstant
    }

    /// As long as failovers take, a primary that nobody can reach and goes on for a while included.
    private static let age = Duration.seconds(60)
    private static let limit = 1024

    private enum Phase {
        /// Nothing has been heard yet, so nothing missed.
        case unheard
        case live
        /// With what had been invalidated before it.
        case gap([Invalidated])
    }

    private var phase = Phase.unheard
    private var invalidated = KeyMemory<Invalidated>(capacity: limit)
    private var loadEnds = CircularBuffer<LoadEnd>()

    mutating func add(
        _ invalidation: Invalidation,
        of key: String,
        _ generation: Generation? = nil,
        at now: MonotonicInstant
    ) {
        let former = invalidated.value(of: key, at: now)?.invalidation
        let new = Invalidated(
            key: key,
            invalidation: former == .remove ? .remove : invalidation,
            generation: generation
        )
        invalidated.remember(new, of: key, until: now + Self.age, at: now)
    }

    mutating func addLoadEnd(of key: String, token: String, leaseEnd: MonotonicInstant, at now: MonotonicInstant) {
        if case .live = phase { prune(at: now) }
        if loadEnds.count == Self.limit { loadEnds.removeFirst() }
        loadEnds.append(LoadEnd(key: key, token: token, leaseEnd: leaseEnd, at: now))
    }

    /// A message tells which generation a key has. One of a fill may be from before the invalidation, and late.
    mutating func heard(_ generation: Generation, of key: String, isInvalidation: Bool) {
        invalidated.change(key) { item in
            if isInvalidation || item.generation != nil { item.generation = generation }
        }
    }

    /// - Returns: what the store may lose.
    mutating func gapBegan(at now: MonotonicInstant) -> [Invalidated] {
        guard case .live = phase else { return [] }
        prune(at: now)
        let lost = invalidated.values(at: now)
        phase = .gap(lost)
        return lost
    }

    /// - Returns: what the store may have lost.
    mutating func gapEnded(at now: MonotonicInstant) -> ([Invalidated], CircularBuffer<LoadEnd>) {
        defer { phase = .live }
        guard case .gap(let before) = phase else { return ([], []) }
        defer { self = RecentWrites() }
        return (before + invalidated.values(at: now), loadEnds)
    }

    private mutating func prune(at now: MonotonicInstant) {
        while let first = loadEnds.first, first.at + Self.age < now { loadEnds.removeFirst() }
    }
}
