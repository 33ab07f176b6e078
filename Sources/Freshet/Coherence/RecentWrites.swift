import NIOCore

/// What the store has taken lately. One that starts again from what it wrote to disk, and a replica that takes a primary's
/// place, may lack the last moments of it: after a gap it is told again.
///
/// Holds 1,024 invalidations, as many of other processes, and as many ends of loads at most, the last ones.
struct RecentWrites {
    struct Invalidated {
        let key: String
        let invalidation: Invalidation
        /// The key's since then, where that is known: a store that has it has lost nothing.
        var generation: Generation?
        let at: MonotonicInstant
        /// Whether another process sent it, and this one was told.
        var isOthers = false
        /// After how many gaps it will be told again: a connection that breaks again and again costs no more.
        var gaps = 3
    }

    struct LoadEnd {
        let key: String
        let token: String
        /// When the lease is over in any case.
        let leaseEnd: MonotonicInstant
        let at: MonotonicInstant
    }

    /// As long as failovers take, a primary that nobody can reach and goes on for a while included.
    private static let age = Duration.seconds(60)
    /// A lease that comes back longer after its load's end is soon over by itself.
    private static let ageOfLoadEnds = Duration.seconds(10)
    private var invalidated = CircularBuffer<Invalidated>()
    /// Those of other processes, by their messages.
    private var heard = CircularBuffer<Invalidated>()
    private var loadEnds = CircularBuffer<LoadEnd>()
    private var hasGap = false
    private(set) var lastGapBegan: MonotonicInstant?

    mutating func add(_ item: Invalidated) {
        prune(at: item.at)
        if item.isOthers { heard.append(upToLimit: item) } else { invalidated.append(upToLimit: item) }
    }

    mutating func add(_ end: LoadEnd) {
        prune(at: end.at)
        loadEnds.append(upToLimit: end)
    }

    /// - Returns: what the store may lose: what others told it, then what this process did, each in its order.
    mutating func gapBegan(at now: MonotonicInstant) -> CircularBuffer<Invalidated> {
        if hasGap { return [] }
        prune(at: now)
        hasGap = true
        lastGapBegan = now
        return heard + invalidated
    }

    /// - Returns: what the store may have lost, in the same order.
    mutating func gapEnded(at now: MonotonicInstant) -> (CircularBuffer<Invalidated>, CircularBuffer<LoadEnd>) {
        guard hasGap else { return ([], []) }
        let lost = (heard + invalidated, loadEnds.filter { now < $0.leaseEnd })
        hasGap = false
        loadEnds = []
        heard.countGap()
        invalidated.countGap()
        return lost
    }

    /// In a gap nothing grows old: it is not known since when the store lacks what.
    private mutating func prune(at now: MonotonicInstant) {
        if hasGap { return }
        while let first = heard.first, first.at + Self.age < now { heard.removeFirst() }
        while let first = invalidated.first, first.at + Self.age < now { invalidated.removeFirst() }
        while let first = loadEnds.first, first.at + Self.ageOfLoadEnds < now { loadEnds.removeFirst() }
    }
}

extension CircularBuffer {
    fileprivate mutating func append(upToLimit element: Element) {
        if count == 1024 { removeFirst() }
        append(element)
    }
}

extension CircularBuffer<RecentWrites.Invalidated> {
    fileprivate mutating func countGap() {
        for index in indices { self[index].gaps -= 1 }
        removeAll { $0.gaps == 0 }
    }
}
