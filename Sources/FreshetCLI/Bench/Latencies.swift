import Histogram

/// Latencies up to an hour, off by less than 1 %. Of a fixed size: to grow takes longer than most answers.
struct Latencies: Sendable {
    private static let longest: UInt64 = 3_600_000_000_000

    /// In nanoseconds.
    private var histogram = Histogram<UInt32>(
        lowestDiscernibleValue: 1000,
        highestTrackableValue: longest,
        numberOfSignificantValueDigits: .two
    )

    var count: Int { Int(histogram.totalCount) }
    var footprint: Int { histogram.estimatedFootprintInBytes }

    mutating func record(_ latency: Duration) {
        histogram.record(min(UInt64(Swift.max(0, latency / .nanoseconds(1))), Self.longest))
    }

    mutating func add(_ others: Latencies) { histogram.add(others.histogram) }

    /// In milliseconds.
    func quantile(_ percent: Double) -> Double { milliseconds(histogram.valueAtPercentile(percent)) }
    var max: Double { milliseconds(histogram.max) }

    private func milliseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds / 1000) / 1000 }
}
