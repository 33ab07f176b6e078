public import Synchronization

/// An open-addressing table of (hash, slot) words with linear probing and backward-shift deletion.
///
/// Words change under the core's lock. One that is added may be so while others read; to move or take out words, or to
/// put a larger table in the place of this, takes the shard's lock for writing.
@usableFromInline
struct SlotTable {
    /// Hash in the high half, slot + 1 in the low; 0 is empty.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let capacity: UInt32

    init(capacity: Int) {
        words = .allocate(capacity: capacity)
        for position in 0..<capacity { (words + position).initialize(to: Atomic(0)) }
        self.capacity = UInt32(capacity)
    }

    func deallocate() { words.deallocate() }

    @inlinable
    func home(_ hash: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(hash) &* UInt64(capacity)) &>> 32)
    }

    /// The slot under `hash` that `matches`, or `.none`.
    @inlinable
    func find(_ hash: UInt32, _ matches: (UInt32) -> Bool) -> UInt32 {
        var position = home(hash)
        while true {
            let word = words[position].load(ordering: .acquiring)
            if word == 0 { return .none }
            if UInt32(truncatingIfNeeded: word &>> 32) == hash {
                let slot = UInt32(truncatingIfNeeded: word) &- 1
                if matches(slot) { return slot }
            }
            position &+= 1
            if position == Int(truncatingIfNeeded: capacity) { position = 0 }
        }
    }

    func place(_ hash: UInt32, _ slot: UInt32) {
        place(UInt64(hash) << 32 | UInt64(slot + 1))
    }

    private func place(_ word: UInt64) {
        var position = home(UInt32(truncatingIfNeeded: word >> 32))
        while words[position].load(ordering: .relaxed) != 0 { position = after(position) }
        words[position].store(word, ordering: .releasing)
    }

    /// Whether the word was there.
    func remove(_ hash: UInt32, _ slot: UInt32) -> Bool {
        let size = Int(capacity)
        let wanted = UInt64(hash) << 32 | UInt64(slot + 1)
        var hole = home(hash)
        while true {
            let word = words[hole].load(ordering: .relaxed)
            if word == wanted { break }
            if word == 0 { return false }
            hole = after(hole)
        }
        var position = hole
        while true {
            position = after(position)
            let word = words[position].load(ordering: .relaxed)
            if word == 0 { break }
            let home = home(UInt32(truncatingIfNeeded: word >> 32))
            // A word may move back into the hole unless its home lies after it, around the circle.
            let distance = position >= home ? position - home : position + size - home
            let gap = position >= hole ? position - hole : position + size - hole
            if distance >= gap {
                words[hole].store(word, ordering: .relaxed)
                hole = position
            }
        }
        words[hole].store(0, ordering: .relaxed)
        return true
    }

    func copy(to other: SlotTable) {
        for position in 0..<Int(capacity) {
            let word = words[position].load(ordering: .relaxed)
            if word != 0 { other.place(word) }
        }
    }

    private func after(_ position: Int) -> Int { position + 1 == Int(capacity) ? 0 : position + 1 }
}
