/// A memory of keys that were evicted, at 4 bytes each.
///
/// Eight cells to a bucket, in the order of eviction, so that the oldest falls out. A cell has 15 bits of fingerprint,
/// which queue the entry left, and when it was last used, in insertions divided by a quantum.
final class GhostTable {
    struct Ghost {
        let leftMain: Bool
        /// Insertions since its last use.
        let age: Double
    }

    private static let width = 8
    /// Steps of time across the table's memory: enough that they do not show in the hit ratio.
    private static let resolution: UInt64 = 2048

    private let cells: UnsafeMutablePointer<UInt32>
    private let buckets: Int
    private let quantum: UInt64

    /// Remembers about `capacity` keys.
    init(capacity: Int) {
        buckets = max(1, (capacity + Self.width - 1) / Self.width)
        quantum = max(1, UInt64(capacity) / Self.resolution)
        cells = .allocate(capacity: buckets * Self.width)
        cells.initialize(repeating: 0, count: buckets * Self.width)
    }

    deinit { cells.deallocate() }

    var capacity: Int { buckets * Self.width }

    func insert(_ hash: UInt32, leftMain: Bool, lastUse: Double) {
        let (bucket, fingerprint) = place(hash)
        for index in stride(from: Self.width - 1, to: 0, by: -1) { bucket[index] = bucket[index - 1] }
        let time = UInt32(UInt64(max(0, lastUse)) / quantum & 0xFFFF)
        bucket[0] = fingerprint << 17 | (leftMain ? 1 << 16 : 0) | time
    }

    /// Finds the ghost of a key and forgets it.
    func take(_ hash: UInt32, now: UInt64) -> Ghost? {
        let (bucket, fingerprint) = place(hash)
        for index in 0..<Self.width where bucket[index] >> 17 == fingerprint {
            let cell = bucket[index]
            for later in index..<(Self.width - 1) { bucket[later] = bucket[later + 1] }
            bucket[Self.width - 1] = 0
            let elapsed = (UInt32(now / quantum & 0xFFFF) &- (cell & 0xFFFF)) & 0xFFFF
            return Ghost(leftMain: cell & 1 << 16 != 0, age: Double(elapsed) * Double(quantum))
        }
        return nil
    }

    private func place(_ hash: UInt32) -> (UnsafeMutablePointer<UInt32>, fingerprint: UInt32) {
        // Another permutation of the hash than the index uses, or the shards would show in the buckets.
        let mixed = UInt64(hash) &* 0xD6E8_FEB8_6659_FD93
        let folded = (mixed ^ mixed >> 32) &* 0xD6E8_FEB8_6659_FD93
        let bucket = Int(
            (folded >> 32).multipliedReportingOverflow(by: UInt64(buckets)).partialValue >> 32
        )
        let fingerprint = UInt32(truncatingIfNeeded: folded & 0x7FFF)
        return (cells + bucket * Self.width, fingerprint == 0 ? 1 : fingerprint)
    }
}
