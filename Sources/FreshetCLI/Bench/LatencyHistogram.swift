/// Counts of latencies in buckets whose width grows with the latency, so that every quantile is off by less than 1 %.
///
/// The layout is that of Gil Tene's HdrHistogram: each power of two is cut into equal parts.
struct LatencyHistogram: Sendable {
    /// Parts of a power of two.
    private static let parts = 128
    private static let bits = 7
    /// Up to 2⁴⁰ ns, a little over 18 minutes; what is longer counts as that.
    private static let limit = 1 << 40

    private var counts = [Int](repeating: 0, count: (40 - bits + 1) * parts)
    private(set) var count = 0
    private(set) var longest = 0

    mutating func add(_ latency: Duration) {
        let (seconds, attoseconds) = latency.components
        let nanoseconds = seconds > 1000 ? Self.limit : Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        let value = min(max(nanoseconds, 0), Self.limit - 1)
        counts[Self.bucket(value)] += 1
        count += 1
        longest = max(longest, value)
    }

    mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        longest = max(longest, other.longest)
    }

    /// The latency in nanoseconds that so great a share does not exceed; 0 of nothing.
    func quantile(_ share: Double) -> Int {
        var left = max(1, Int((Double(count) * share).rounded(.up)))
        for (bucket, number) in counts.enumerated() {
            left -= number
            if left <= 0 { return min(longest, Self.highest(in: bucket)) }
        }
        return longest
    }

    private static func bucket(_ value: Int) -> Int {
        guard value >= parts else { return value }
        let shift = Int.bitWidth - 1 - value.leadingZeroBitCount - bits
        return (shift + 1) * parts + (value >> shift) - parts
    }

    private static func highest(in bucket: Int) -> Int {
        guard bucket >= parts else { return bucket }
        let shift = bucket / parts - 1
        return ((bucket % parts + parts + 1) << shift) - 1
    }
}
