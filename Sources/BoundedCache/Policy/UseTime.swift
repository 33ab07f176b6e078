public import Synchronization

/// The time that uses are counted in, and what reads must know of the policy. All reads look at it; insertions change
/// it.
@usableFromInline
struct UseTime: ~Copyable {
    /// Goes on with every insertion; while the cache is small with every use too, later with one in thousands.
    @usableFromInline let tick = Atomic<UInt32>(1)
    /// Ticks within which a second use does not count as another.
    @usableFromInline let window = Atomic<UInt32>(0)
    /// Whether the cache is so large that uses between two insertions may have the same tick.
    @usableFromInline let isCoarse = Atomic<Bool>(false)
    @usableFromInline let expires = Atomic<Bool>(false)

    /// Entries up to which every use has a tick of its own.
    static let exactCount = 2048
    /// Hits by one processor in one shard between two ticks of a larger cache.
    @usableFromInline static var hitsPerTick: UInt64 { 4096 }

    init() {}

    var now: UInt32 { tick.load(ordering: .relaxed) }

    /// Whether any entry ever had a deadline.
    @inlinable var hasDeadlines: Bool { expires.load(ordering: .relaxed) }

    @usableFromInline
    func noteDeadline() { expires.store(true, ordering: .relaxed) }

    @discardableResult
    func advance() -> UInt32 { tick.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Takes note of how many entries there are; the core's lock is held.
    func note(count: Int) {
        let isLarge = count > Self.exactCount
        guard isLarge != isCoarse.load(ordering: .relaxed) else { return }
        isCoarse.store(isLarge, ordering: .relaxed)
        // Entries that share the last tick are to be told apart from now on.
        if !isLarge { advance() }
    }

    /// Takes note of a use of the entry whose word is `uses`; its shard's lock is held for reading at least.
    ///
    /// Of two uses at the same time one may be lost. In the small queue a use soon after the last is no sign of
    /// popularity: the correlated reference period of Johnson and Shasha, "2Q" (VLDB 1994).
    @inlinable
    func note(_ uses: borrowing Atomic<UInt32>) {
        let word = UseWord(bits: uses.load(ordering: .relaxed))
        var now = tick.load(ordering: .relaxed)
        if word.tick == now { return }
        if !isCoarse.load(ordering: .relaxed) { now = tick.wrappingAdd(1, ordering: .relaxed).newValue }
        let counts = word.uses < 3 && (word.isMain || now &- word.tick >= window.load(ordering: .relaxed))
        uses.store(now &<< 3 | word.bits & 7 &+ (counts ? 1 : 0), ordering: .relaxed)
    }
}
