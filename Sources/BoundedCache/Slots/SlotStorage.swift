public import Synchronization

/// What only the policy needs of an entry. 12 bytes. Guarded by the core's lock but for the weight.
@usableFromInline
struct SlotLinks {
    /// The neighbour in the entry's queue; in the highest bit, whether that is the main queue.
    private var newerAndQueue: UInt32
    var older: UInt32 = .none
    /// Written under the core's lock and the shard's, read under either. Not first: the thread sanitizer takes a change
    /// of any field by way of a pointer for one of the first.
    @usableFromInline var weight: UInt32

    init(weight: UInt32) {
        self.weight = weight
        newerAndQueue = .none
    }

    var newer: UInt32 {
        get { newerAndQueue & .none }
        set { newerAndQueue = newerAndQueue & ~.none | newValue }
    }

    var isMain: Bool {
        get { newerAndQueue & ~.none != 0 }
        set { newerAndQueue = newerAndQueue & .none | (newValue ? ~.none : 0) }
    }
}

/// What stands before the key and value of an entry, so that a hit finds all it needs in one place. 8 bytes.
@usableFromInline
struct SlotHead: ~Copyable {
    /// A ``UseWord``.
    @usableFromInline let uses = Atomic<UInt32>(0)
    @usableFromInline let hash: UInt32

    @inlinable
    init(hash: UInt32) { self.hash = hash }

    @inlinable var word: UseWord { UseWord(bits: uses.load(ordering: .relaxed)) }
}

/// How often and when an entry was used, in one word that a hit rewrites: uses counted (2 bits), whether it is in the
/// main queue (1 bit, a hint: two writers at a time may lose it), and the tick of the last use (29 bits).
@usableFromInline
struct UseWord {
    @usableFromInline var bits: UInt32

    @inlinable init(bits: UInt32) { self.bits = bits }

    @inlinable
    init(tick: UInt32, uses: UInt32 = 0, isMain: Bool) {
        bits = tick << 3 | (isMain ? 4 : 0) | uses
    }

    @inlinable var uses: UInt32 { bits & 3 }
    @inlinable var isMain: Bool { bits & 4 != 0 }
    @inlinable var tick: UInt32 { bits >> 3 }

    /// Ticks are moved back long before they would overflow 29 bits.
    @usableFromInline static var tickLimit: UInt32 { 1 << 28 }
}

extension UInt32 {
    /// No slot. Slots have 31 bits.
    @usableFromInline static var none: UInt32 { 0x7FFF_FFFF }
}

/// Entries in segments that double in size and never move, so that a slot may be read under its shard's lock while
/// others are added. Memory of a segment is touched only as far as it is used.
@usableFromInline
struct SlotStorage {
    @usableFromInline
    struct Segment {
        /// Heads with their keys and values.
        @usableFromInline let slots: UnsafeMutableRawPointer
        @usableFromInline let links: UnsafeMutablePointer<SlotLinks>
        /// Nanoseconds on the cache's clock; `.max` where the entry does not expire. Written under the shard's lock,
        /// read by the sweep without it.
        @usableFromInline let deadlines: UnsafeMutablePointer<Atomic<UInt64>>
        /// Deadlines that reads do not put off; only in caches with a time to idle. Guarded by the shard's lock.
        @usableFromInline let limits: UnsafeMutablePointer<UInt64>?
    }

    @usableFromInline static var firstBits: Int { 10 }
    static let maximumSegments = 22

    @usableFromInline let segments = UnsafeMutablePointer<Segment>.allocate(capacity: maximumSegments)

    let slotStride: Int

    @usableFromInline
    init(slotStride: Int) { self.slotStride = slotStride }

    @inlinable
    static func locate(_ slot: UInt32) -> (segment: Int, offset: Int) {
        let position = Int(truncatingIfNeeded: slot) &+ (1 << firstBits)
        let bit = (Int.bitWidth &- 1) &- position.leadingZeroBitCount
        return (bit &- firstBits, position &- (1 &<< bit))
    }

    @usableFromInline
    func head(_ slot: UInt32) -> UnsafeMutablePointer<SlotHead> {
        let (segment, offset) = Self.locate(slot)
        return (segments[segment].slots + offset * slotStride).assumingMemoryBound(to: SlotHead.self)
    }

    @inlinable
    func links(_ slot: UInt32) -> UnsafeMutablePointer<SlotLinks> {
        let (segment, offset) = Self.locate(slot)
        return segments[segment].links + offset
    }

    @inlinable
    func deadline(_ slot: UInt32) -> UInt64 {
        let (segment, offset) = Self.locate(slot)
        return segments[segment].deadlines[offset].load(ordering: .relaxed)
    }

    @inlinable
    func setDeadline(_ slot: UInt32, _ deadline: UInt64) {
        let (segment, offset) = Self.locate(slot)
        segments[segment].deadlines[offset].store(deadline, ordering: .relaxed)
    }

    /// Never to an earlier one.
    @usableFromInline
    func putOffDeadline(_ slot: UInt32, to deadline: UInt64) {
        let (segment, offset) = Self.locate(slot)
        segments[segment].deadlines[offset].max(deadline, ordering: .relaxed)
    }

    @inlinable
    func limit(_ slot: UInt32) -> UnsafeMutablePointer<UInt64>? {
        let (segment, offset) = Self.locate(slot)
        return segments[segment].limits.map { $0 + offset }
    }
}
