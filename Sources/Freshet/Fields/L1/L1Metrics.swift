import BoundedCache
import Metrics

/// What L1 holds and what left it.
struct L1Metrics: Sendable {
    private let entries, bytes: Meter
    private let evictions: [EvictionCause: Counter]
    private let oversized: Counter

    init(_ factory: any MetricsFactory) {
        entries = Meter(label: "freshet_l1_entries", factory: factory)
        bytes = Meter(label: "freshet_l1_bytes", factory: factory)
        oversized = Counter(label: "freshet_l1_oversized_total", factory: factory)
        evictions = Dictionary(
            uniqueKeysWithValues: EvictionCause.allCases.map { cause in
                let dimensions = [("cause", cause.rawValue)]
                return (cause, Counter(label: "freshet_l1_evictions_total", dimensions: dimensions, factory: factory))
            }
        )
    }

    /// A value is too large to be held.
    func countOversized() { oversized.increment() }

    func count(_ cause: EvictionCause) { evictions[cause]?.increment() }

    func set(entries: Int, bytes: Int) {
        self.entries.set(entries)
        self.bytes.set(bytes)
    }
}
