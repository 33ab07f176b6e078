/// A part of the index. It finds entries; which of them stay is the policy's affair, which all shards share.
///
/// Its lock is split into stripes, one for each of a few processors: a read takes its own processor's, so that no line
/// of memory goes back and forth between processors that only read; a write takes all of them, in order.
@usableFromInline
struct Shard {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let stripeCount: Int

    @inlinable
    init(base: UnsafeMutableRawPointer, stripeCount: Int) {
        self.base = base
        self.stripeCount = stripeCount
    }

    /// A part of the lock, and a copy of what reads need of the shard, on cache lines of their own.
    @usableFromInline
    struct Stripe: Equatable {
        @usableFromInline let base: UnsafeMutableRawPointer

        @inlinable init(base: UnsafeMutableRawPointer) { self.base = base }

        @usableFromInline
        struct State {
            // First, since the thread sanitizer takes a change of any field for one of the first, and the table is also
            // read under the core's lock.
            @usableFromInline var hits: UInt64 = 0
            /// Written when all stripes' locks and the core's are held.
            @usableFromInline var table: SlotTable
            @usableFromInline var misses: UInt64 = 0
            @usableFromInline var replacements: UInt64 = 0
            /// Updates in progress on keys of this shard; written when all stripes' locks are held.
            @usableFromInline var updates: UInt32 = 0
            /// Values that such updates have taken out to change them in place; written like `updates`.
            @usableFromInline var taken: UInt32 = 0

            init(table: SlotTable) { self.table = table }
        }

        @usableFromInline static var stateOffset: Int { 16 }

        @inlinable
        var lock: UnsafeMutablePointer<CacheLock> { base.assumingMemoryBound(to: CacheLock.self) }

        @inlinable
        var state: UnsafeMutablePointer<State> {
            (base + Self.stateOffset).assumingMemoryBound(to: State.self)
        }
    }

    /// Two cache lines, which processors like to fetch together.
    @usableFromInline static var spacing: Int { 128 }

    @inlinable
    func stripe(_ index: Int) -> Stripe { Stripe(base: base + index &* Self.spacing) }

    static let firstTableSize = 8

    func initialize() {
        precondition(MemoryLayout<CacheLock>.size <= Stripe.stateOffset)
        precondition(MemoryLayout<Stripe.State>.size <= Self.spacing - Stripe.stateOffset)
        let table = SlotTable(capacity: Self.firstTableSize)
        for index in 0..<stripeCount {
            stripe(index).lock.initialize(to: CacheLock())
            stripe(index).state.initialize(to: Stripe.State(table: table))
        }
    }

    func deallocate() {
        table.deallocate()
        for index in 0..<stripeCount { stripe(index).lock.deinitialize(count: 1) }
    }

    @inlinable var table: SlotTable { stripe(0).state.pointee.table }
    @inlinable var updates: UInt32 { stripe(0).state.pointee.updates }

    /// Locks for writing.
    @inlinable
    func lock() {
        for index in 0..<stripeCount { stripe(index).lock.pointee.lock() }
    }

    @inlinable
    func unlock() {
        for index in 0..<stripeCount { stripe(index).lock.pointee.unlock() }
    }

    /// Makes a lock for reading, by the stripe `held`, one for writing if no one else holds any part of it.
    @inlinable
    func upgrade(from held: Stripe) -> Bool {
        for index in 0..<stripeCount where stripe(index) != held {
            if !stripe(index).lock.pointee.tryLock() {
                for earlier in 0..<index where stripe(earlier) != held { stripe(earlier).lock.pointee.unlock() }
                return false
            }
        }
        return true
    }

    /// The shard's lock is held for writing.
    func setTable(_ table: SlotTable) {
        for index in 0..<stripeCount { stripe(index).state.pointee.table = table }
    }

    /// The shard's lock is held for writing.
    func countUpdates(_ change: Int32) {
        let count = UInt32(bitPattern: Int32(bitPattern: updates) + change)
        for index in 0..<stripeCount { stripe(index).state.pointee.updates = count }
    }

    /// The shard's lock is held for writing.
    func countTaken(_ change: Int32) {
        let count = UInt32(bitPattern: Int32(bitPattern: stripe(0).state.pointee.taken) + change)
        for index in 0..<stripeCount { stripe(index).state.pointee.taken = count }
    }
}
