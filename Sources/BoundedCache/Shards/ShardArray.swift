/// The shards of a cache.
@usableFromInline
struct ShardArray {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let mask: UInt32
    @usableFromInline let stripeMask: Int32
    @usableFromInline let processor: @convention(c) () -> Int32
    /// How many entries each shard has; guarded by the core's lock.
    private let counts: UnsafeMutablePointer<Int>

    /// - Parameters: powers of two.
    @usableFromInline
    init(count: Int, stripeCount: Int) {
        precondition(count > 0 && count & (count - 1) == 0)
        precondition(stripeCount > 0 && stripeCount & (stripeCount - 1) == 0)
        mask = UInt32(count - 1)
        stripeMask = Int32(stripeCount - 1)
        processor = currentProcessor
        base = .allocate(byteCount: count * stripeCount * Shard.spacing, alignment: Shard.spacing)
        counts = .allocate(capacity: count)
        counts.initialize(repeating: 0, count: count)
        for index in 0..<count { self[index].initialize() }
    }

    func deallocate() {
        for index in 0..<count { self[index].deallocate() }
        counts.deallocate()
        base.deallocate()
    }

    @usableFromInline var count: Int { Int(mask) + 1 }

    @inlinable
    subscript(index: Int) -> Shard {
        let stripeCount = Int(stripeMask) &+ 1
        return Shard(base: base + index &* stripeCount &* Shard.spacing, stripeCount: stripeCount)
    }

    @inlinable
    subscript(hash hash: UInt32) -> Shard { self[Int(truncatingIfNeeded: hash & mask)] }

    /// The stripe of the hash's shard that a thread on this processor reads by.
    @inlinable
    func stripe(for hash: UInt32) -> Shard.Stripe {
        let stripe = stripeMask == 0 ? 0 : Int(truncatingIfNeeded: processor() & stripeMask)
        return self[hash: hash].stripe(stripe)
    }

    /// Adds a slot that is not there yet; the core's lock is held. `expected` is how many the shard may come to hold.
    func insert(_ hash: UInt32, _ slot: UInt32, expected: Int) {
        let index = Int(hash & mask)
        let shard = self[index]
        if counts[index] * 5 >= Int(shard.table.capacity) * 4 { grow(shard, expected: expected) }
        shard.table.place(hash, slot)
        counts[index] += 1
    }

    /// The core's lock and the shard's are held.
    func remove(_ hash: UInt32, _ slot: UInt32) {
        let index = Int(hash & mask)
        if self[index].table.remove(hash, slot) { counts[index] -= 1 }
    }

    /// Puts small tables in the place of those that are empty; the core's lock and all shards' are held.
    func shrink() {
        for index in 0..<count {
            let old = self[index].table
            self[index].setTable(SlotTable(capacity: Shard.firstTableSize))
            old.deallocate()
        }
    }

    private func grow(_ shard: Shard, expected: Int) {
        let old = shard.table
        let oldSize = Int(old.capacity)
        // By quarters: tables are a sixth of an entry's memory.
        let step = oldSize + max(8, oldSize / 4)
        let whole = min(expected + expected / 4 + 64, Int(UInt32.max))
        // The last growth goes just as far as the limit on entries makes necessary.
        let new = SlotTable(capacity: oldSize < whole ? min(step, whole) : min(step, Int(UInt32.max)))
        old.copy(to: new)
        shard.lock()
        shard.setTable(new)
        shard.unlock()
        old.deallocate()
    }
}
