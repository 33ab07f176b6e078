/// What ``Adviser`` needs to know of a field's loads on this node. A value of constant size.
struct FieldHistory: Sendable {
    /// When the counted loads began.
    private(set) var since: MonotonicInstant?
    /// Loads that brought a value, the first one left out: it is compared with nothing.
    private(set) var loads = 0
    /// Those of them that brought another value.
    private(set) var changes = 0
    /// Loads that had to be, since the freshness was over.
    private(set) var dueLoads = 0
    /// Those of them at which it had been over for half the ttl or longer: nobody had read since.
    private(set) var lateLoads = 0
    /// From the load before to each of ``lateLoads``, together.
    private(set) var lateGaps = Duration.zero
    private(set) var hasDyingLinks = false
    private var content: String?
    /// What was held last, and that no invalidation has ended.
    private var held: (loadedAt: MonotonicInstant, freshUntil: MonotonicInstant)?

    /// More loads than this are too old to count: they weigh half.
    private static let memory = 1024

    /// Compares a value with the one before it: the one that is held, else the one that was loaded last.
    ///
    /// - Returns: whether it says the same.
    mutating func compare(_ new: ContentDigest, with known: ContentDigest?) -> Bool {
        let old = known?.digest ?? content
        content = new.digest
        hasDyingLinks = new.hasDyingLinks
        return old == new.digest
    }

    /// A load of a value has ended.
    mutating func count(hasChanged: Bool, at now: MonotonicInstant) {
        guard let since else {
            since = now
            return
        }
        loads += 1
        if hasChanged { changes += 1 }
        guard loads > Self.memory else { return }
        loads /= 2
        changes /= 2
        dueLoads /= 2
        lateLoads /= 2
        lateGaps = lateGaps / 2
        self.since = since + (now - since) / 2
    }

    /// A value is held.
    mutating func hold(loadedAt: MonotonicInstant, freshUntil: MonotonicInstant) { held = (loadedAt, freshUntil) }

    mutating func invalidate() { held = nil }

    mutating func beginLoad(ttl: Duration, at now: MonotonicInstant) {
        guard let held, held.freshUntil <= now else { return }
        self.held = nil
        dueLoads += 1
        guard now - held.freshUntil >= ttl / 2 else { return }
        lateLoads += 1
        lateGaps += now - held.loadedAt
    }
}
