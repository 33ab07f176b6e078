/// Under which generation a flight loads, and what it was told of its key meanwhile. Pure.
struct FlightNews: Sendable {
    /// More invalidations than that while a lease is on its way, and the fill is left to the store to refuse.
    private static let mostTold = 16

    /// Whether the load has begun.
    private(set) var hasBegun = false
    /// The generation of the lease it began under; nil without a lease.
    private var generation: Generation?
    /// The generations that other processes have told of since the flight was opened, as far as they still say anything.
    private var told: [Generation] = []
    /// Whether another process has told of something stored, and the store has not been asked since.
    private var isFilled = false
    /// Whether somebody has changed what is stored, and the store has not been asked or given anything since.
    private(set) var isWritten = false
    /// Whether a forced load of the key has begun beside this one since the store was asked: what lease that gave is lost.
    private(set) var hasLostLease = false
    /// When a forced load of the key has begun beside this one.
    private(set) var forcedAt: MonotonicInstant?

    /// Whether anything was stored since the store was asked last.
    var hasAny: Bool { isFilled || isWritten }

    /// Whether something of the generation may be kept: it is the last that was told of, if any was, and was held against
    /// the store after the last forced load had begun.
    func allows(_ generation: Generation?, checkedAt instant: MonotonicInstant) -> Bool {
        (told.last.map { $0 == generation } ?? true) && (forcedAt.map { $0 < instant } ?? true)
    }

    /// The load begins.
    ///
    /// - Returns: whether the key was invalidated after its lease was granted.
    mutating func begin(under generation: Generation?) -> Bool {
        defer { told.removeFirst(max(0, told.count - 1)) }
        (hasBegun, self.generation) = (true, generation)
        return generation.map { told.contains($0) && told.last != $0 } ?? false
    }

    /// Another process has changed the key.
    ///
    /// - Returns: whether that was an invalidation of what is loaded. A load that has not begun yet will see it.
    mutating func tell(_ generation: Generation, isInvalidation: Bool) -> Bool {
        if told.last != generation {
            told.append(generation)
            told.removeFirst(max(0, told.count - (hasBegun ? 1 : Self.mostTold)))
        }
        if !isInvalidation { isFilled = true }
        return isInvalidation && hasBegun && generation != self.generation
    }

    /// Somebody has changed what is stored.
    mutating func tellWritten() { isWritten = true }

    /// A forced load begins before this one. Of no generation, since others may have followed its own, unheard of.
    mutating func tellForced(at now: MonotonicInstant) { (isWritten, hasLostLease, forcedAt) = (true, true, now) }

    /// The store is asked, or given what was loaded.
    mutating func forget() { (isFilled, isWritten, hasLostLease) = (false, false, false) }
}
