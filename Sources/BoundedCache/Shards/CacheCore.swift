internal import Synchronization

/// What the shards of a cache share: the policy, the slots, the updates in progress. Behind one lock, which is taken
/// before a shard's lock and never after it. Hits and plain replacements do without it; no entry comes, goes or changes
/// its key but under it.
///
/// What a write asks of it, and of the policy, is `mutating` though it changes nothing: for a borrow of so large a value
/// the compiler copies it whole.
@usableFromInline
struct CacheCore: ~Copyable {
    /// Entries that each change looks at, whether they are over.
    @usableFromInline static var sweepStep: Int { 16 }
    /// Slots looked at for each of them at most, where most are free because there were more entries once.
    private static let slotsPerEntry = 64
    /// Steps that one change makes at most.
    @usableFromInline static var mostSweepSteps: Int { 8 }
    /// Used entries that one eviction may spare, each for one of its uses, before the least used of them goes.
    @usableFromInline static var turnsPerEviction: Int { 512 }

    var policy: EvictionPolicy
    var allocator: SlotAllocator
    @usableFromInline let shards: ShardArray
    /// Whether the limit is one of entries, so that tables need not grow beyond it.
    private let countsEntries: Bool
    @usableFromInline let time: UnsafeMutablePointer<UseTime>
    @usableFromInline var insertions: UInt64 = 0
    @usableFromInline var refusals: UInt64 = 0
    /// Entries that left, by cause.
    @usableFromInline var departures = EvictionCounts()
    /// Updates in progress in the whole cache, and threads that wait for one to end.
    @usableFromInline var updates = 0
    @usableFromInline var waiters = 0
    private var hand: UInt32 = 0

    init(policy: consuming EvictionPolicy, allocator: SlotAllocator, shards: ShardArray, countsEntries: Bool) {
        self.countsEntries = countsEntries
        self.allocator = allocator
        self.shards = shards
        time = policy.time
        self.policy = policy
    }

    @usableFromInline
    func deallocate() {
        allocator.deallocate()
        shards.deallocate()
        time.deinitialize(count: 1)
        time.deallocate()
    }

    @usableFromInline var limit: Int {
        mutating get { policy.limit }
    }

    /// Whether `weight` more would not fit.
    @usableFromInline
    mutating func lacksRoom(for weight: Int) -> Bool { policy.queues.weight > policy.limit - weight }

    @usableFromInline
    mutating func nextToEvict(sparing spared: UInt32) -> UInt32 { policy.nextToEvict(sparing: spared) }

    /// See ``EvictionPolicy/admit(_:)``.
    @usableFromInline
    mutating func admit(_ hash: UInt32) -> Bool { policy.admit(hash) }

    /// Takes note that an entry is about to be evicted.
    @usableFromInline
    mutating func remember(_ slot: UInt32) {
        let head = allocator.storage.head(slot)
        let word = head.pointee.word
        policy.remember(head.pointee.hash, word, isMain: allocator.storage.links(slot).pointee.isMain)
    }

    /// The shard's lock is held for writing, or no reader finds the slot.
    @usableFromInline
    mutating func changeWeight(of slot: UInt32, to weight: UInt32) {
        policy.queues.changeWeight(of: slot, to: weight)
    }

    /// The slots of a step.
    @usableFromInline var sweepBudget: Int {
        mutating get {
            Self.sweepStep * max(1, min(Int(allocator.used) / max(1, policy.queues.count), Self.slotsPerEntry))
        }
    }

    /// Moves on past at most `budget` slots to one whose deadline is reached; `.none` when the budget is used up.
    @usableFromInline
    mutating func nextExpired(now: UInt64, budget: inout Int) -> UInt32 {
        let used = allocator.used
        while budget > 0, used > 0 {
            budget -= 1
            hand = hand + 1 < used ? hand + 1 : 0
            if allocator.storage.deadline(hand) <= now { return hand }
        }
        return .none
    }

    /// Gives back the memory of a large cache that holds nothing.
    @usableFromInline
    mutating func giveMemoryBack() {
        guard policy.queues.count == 0, allocator.hasSeveralSegments else { return }
        whileNobodyReads {
            $0.allocator.freeAllButFirstSegment()
            $0.shards.shrink()
        }
        hand = 0
    }

    private mutating func whileNobodyReads(_ body: (inout Self) -> Void) {
        for index in 0..<shards.count { shards[index].lock() }
        body(&self)
        for index in 0..<shards.count { shards[index].unlock() }
    }

    /// A slot made ready for an entry; `.none` when there are too many.
    @usableFromInline
    mutating func takeSlot(weight: UInt32, deadline: UInt64, limit: UInt64) -> UInt32 {
        guard let slot = allocator.allocate(weight: weight, deadline: deadline) else { return .none }
        allocator.storage.limit(slot)?.initialize(to: limit)
        return slot
    }

    /// Lets readers find a slot that was filled.
    @usableFromInline
    mutating func index(_ slot: UInt32, _ hash: UInt32, isMain: Bool) {
        let word = UseWord(tick: time.pointee.now, isMain: isMain)
        allocator.storage.head(slot).pointee.uses.store(word.bits, ordering: .relaxed)
        policy.queues.link(slot, isMain: isMain)
        reindex(slot, hash)
        time.pointee.window.store(policy.window, ordering: .relaxed)
        time.pointee.note(count: policy.queues.count)
        insertions &+= 1
    }

    mutating func reindex(_ slot: UInt32, _ hash: UInt32) {
        let most = countsEntries ? policy.limit / shards.count : .max
        shards.insert(hash, slot, expected: min(most, Int(UInt32.max)))
    }

    /// Takes a slot, whose shard's lock is held and whose entry the caller moves out next, out of the index and the
    /// queues.
    @usableFromInline
    mutating func release(_ slot: UInt32) {
        shards.remove(allocator.storage.head(slot).pointee.hash, slot)
        policy.queues.unlink(slot)
        allocator.free(slot)
        time.pointee.note(count: policy.queues.count)
    }

    /// Lets an entry stay whose turn it was: a used entry of the small queue moves to the main one, an entry of the main
    /// queue pays with one of its uses.
    @usableFromInline
    mutating func keep(_ slot: UInt32) {
        let head = allocator.storage.head(slot)
        let word = head.pointee.word
        let left = allocator.storage.links(slot).pointee.isMain && word.uses > 0 ? word.uses - 1 : 0
        head.pointee.uses.store(UseWord(tick: word.tick, uses: left, isMain: true).bits, ordering: .relaxed)
        policy.queues.moveToMain(slot)
    }

    /// Sets all ticks back together when one comes near its end; the order of the last 2^27 uses stays.
    @usableFromInline
    mutating func moveTicksBack() {
        guard time.pointee.now >= UseWord.tickLimit else { return }
        whileNobodyReads { $0.moveTicks(backBy: UseWord.tickLimit / 2) }
    }

    private mutating func moveTicks(backBy amount: UInt32) {
        time.pointee.tick.subtract(amount, ordering: .relaxed)
        for slot in policy.queues.slots {
            let head = allocator.storage.head(slot)
            let word = head.pointee.word
            let moved = UseWord(tick: word.tick - min(amount, word.tick), uses: word.uses, isMain: word.isMain)
            head.pointee.uses.store(moved.bits, ordering: .relaxed)
        }
        policy.moveTicksBack(by: amount)
    }
}
