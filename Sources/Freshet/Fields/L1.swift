import BoundedCache
import Metrics
import NIOCore

/// The entries this process holds, bounded by the bytes of their values.
final class L1: Sendable {
    private let entries: BoundedCache<String, Entry>
    private let spawner: any Spawner
    private let metrics: L1Metrics

    init(maxBytes: Int, spawner: any Spawner, metrics factory: any MetricsFactory = MetricsSystem.factory) {
        self.spawner = spawner
        let metrics = L1Metrics(factory)
        self.metrics = metrics
        entries = BoundedCache(
            .init(
                capacity: .weight(maxBytes) { key, entry in
                    // About what an entry costs besides its value, which is held encoded and decoded.
                    256 + key.utf8.count + 2 * (entry.payload?.bytes.readableBytes ?? 0)
                },
                clock: spawner is SystemSpawner
                    ? .system : CacheClock { .nanoseconds(spawner.now().nanoseconds) },
                evictionListener: { _, _, cause in metrics.count(cause) }
            )
        )
    }

    func entry(_ key: String) -> Entry? { entries.get(key) }

    /// What is held, without a say in what is evicted.
    func peek(_ key: String) -> Entry? { entries.peek(key) }

    func hold(_ entry: Entry, of key: String) {
        let outcome = entries.set(key, entry, timeToLive: entry.staleUntil - spawner.now())
        if outcome == .oversized { metrics.countOversized() }
    }

    /// Makes what is held stale or drops it, as an invalidation wants it.
    ///
    /// - Parameter generation: that the invalidation has brought; what is of it already is spared.
    func invalidate(_ key: String, _ invalidation: Invalidation, unlessOf generation: Generation? = nil) {
        guard let entry = entries.peek(key), generation == nil || entry.generation != generation else { return }
        let now = spawner.now()
        switch entry.freshness(at: now).action(on: invalidation == .expire ? .expired : .removed) {
        case .makeStale: hold(entry.expired(at: now, of: generation), of: key)
        default: entries.remove(key)
        }
    }

    /// Has the store asked before what is held is served.
    func suspect(_ key: String) {
        if let entry = entries.peek(key) { hold(entry.suspected, of: key) }
    }

    /// Has the next read noted again.
    func forgetRead(_ key: String) { entries.peek(key)?.forgetRead() }

    /// What is held of any key that a condition is true of.
    func keys(where condition: (Entry) -> Bool) -> [String] {
        entries.snapshot().compactMap { condition($0.value) ? $0.key : nil }
    }

    /// Believes what is held if it is what the store knew when it was asked, else has the store asked again.
    func compare(_ key: String, with known: EntryRead.Known?, askedAt: MonotonicInstant) {
        // What came in the meantime is newer than the answer.
        guard let entry = entries.peek(key), entry.checkedAt < askedAt else { return }
        hold(entry.known != nil && entry.known == known ? entry.compared(at: askedAt) : entry.suspected, of: key)
    }

    func drop(_ key: String) { entries.remove(key) }

    /// Drops what is held, unless it has come since the store was asked.
    func drop(_ key: String, unlessSince askedAt: MonotonicInstant) {
        if let entry = entries.peek(key), entry.checkedAt < askedAt { entries.remove(key) }
    }

    /// About how many bytes of memory are in use.
    var bytes: Int { entries.totalWeight }

    /// Frees what has expired.
    func sweep() { entries.sweep() }

    /// Frees what has expired and sets the gauges.
    func measure() {
        sweep()
        metrics.set(entries: entries.count, bytes: bytes)
    }
}
