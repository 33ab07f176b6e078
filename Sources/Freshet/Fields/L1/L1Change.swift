import BoundedCache

/// Changes of what L1 holds, made while a lock of the caller's is held. What is not the cache's own – counting what
/// left, and the destructors of values and errors – waits for ``end()``, when that is unlocked.
struct L1Change: ~Copyable {
    private let l1: L1
    private var departures = Departures<ExactKey, Entry>()
    /// What was looked at here. Should another thread's read sweep it meanwhile, this is the last to hold it.
    private var seen: [Entry] = []
    private var oversized = 0
    /// Failures that are remembered no longer.
    var forgotten: [FailureMemory.Failure] = []

    init(of l1: L1) { self.l1 = l1 }

    /// What is held, without a say in what is evicted.
    mutating func peek(_ key: String) -> Entry? {
        let entry = l1.peek(key)
        if let entry { seen.append(entry) }
        return entry
    }

    /// - Returns: whether it is held: not if it is too large, or has ended already.
    @discardableResult
    mutating func hold(_ entry: Entry, of key: String) -> Bool {
        let life = entry.staleUntil - l1.spawner.now()
        let outcome = l1.entries.set(ExactKey(key), entry, timeToLive: life, into: &departures)
        if outcome == .oversized { oversized += 1 }
        return outcome == .inserted || outcome == .replaced
    }

    mutating func drop(_ key: String) { l1.entries.remove(ExactKey(key), into: &departures) }

    /// Drops what is held, unless it has come since the store was asked.
    mutating func drop(_ key: String, unlessSince askedAt: MonotonicInstant) {
        if let entry = peek(key), max(entry.checkedAt, entry.loadedAt) < askedAt { drop(key) }
    }

    /// Makes what is held stale or drops it, as an invalidation wants it.
    ///
    /// - Parameter generation: that the invalidation has brought; what is of it already is spared.
    mutating func invalidate(_ key: String, _ invalidation: Invalidation, unlessOf generation: Generation? = nil) {
        guard let entry = peek(key), generation == nil || entry.generation != generation else { return }
        if let entry = entry.invalidated(invalidation, at: l1.spawner.now(), of: generation) {
            hold(entry, of: key)
        } else {
            drop(key)
        }
    }

    /// Has the store asked before what is held is served, unless that is what was stored.
    mutating func suspect(_ key: String, unlessLoadedUnder mark: String?) {
        guard let entry = peek(key), mark == nil || entry.leaseMark != mark else { return }
        hold(entry.suspected, of: key)
    }

    /// The same, for what somebody is said to have written.
    mutating func suspectWritten(_ key: String) {
        if let entry = peek(key)?.suspectedAsWritten(at: l1.spawner.now()) { hold(entry, of: key) }
    }

    /// Believes what is held if it is what the store knew when it was asked, else has the store asked again.
    mutating func compare(_ key: String, with known: EntryRead.Known?, askedAt: MonotonicInstant) {
        // What came in the meantime is newer than the answer.
        guard let entry = peek(key), entry.checkedAt < askedAt else { return }
        hold(entry.known != nil && entry.known == known ? entry.compared(at: askedAt) : entry.suspected, of: key)
    }

    /// The lock is no longer held.
    consuming func end() {
        l1.entries.tell(of: departures)
        for _ in 0..<oversized { l1.metrics.countOversized() }
        withExtendedLifetime((seen, forgotten)) {}
    }
}
