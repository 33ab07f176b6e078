import BoundedCache
import Metrics
import NIOCore

/// The entries this process holds, bounded by the bytes of their values. ``L1Change`` changes them.
final class L1: Sendable {
    let entries: BoundedCache<ExactKey, Entry>
    let spawner: any Spawner
    let metrics: L1Metrics

    init(maxBytes: Int, spawner: any Spawner) {
        self.spawner = spawner
        let metrics = L1Metrics(MetricsSystem.factory)
        self.metrics = metrics
        entries = BoundedCache(
            .init(
                capacity: .weight(maxBytes) { key, entry in
                    // About what an entry costs besides its value, which is held encoded and decoded.
                    256 + key.text.utf8.count + 2 * (entry.payload?.bytes.readableBytes ?? 0)
                },
                clock: spawner is SystemSpawner
                    ? .system : CacheClock { .nanoseconds(spawner.now().nanoseconds) },
                evictionListener: { _, _, cause in metrics.count(cause) }
            )
        )
    }

    /// Not inlined, so that the cache is read of itself and not retained.
    @inline(never)
    func entry(_ key: String) -> Entry? { entries.get(ExactKey(key)) }

    /// What is held, without a say in what is evicted.
    func peek(_ key: String) -> Entry? { entries.peek(ExactKey(key)) }

    /// Has the next read noted again.
    func forgetRead(_ key: String) { entries.peek(ExactKey(key))?.forgetRead() }

    /// What is held of any key that a condition is true of.
    func keys(where condition: (Entry) -> Bool) -> [String] {
        entries.snapshot().compactMap { condition($0.value) ? $0.key.text : nil }
    }

    /// About how many bytes of memory are in use.
    var bytes: Int { entries.totalWeight }

    /// Frees what has expired and sets the gauges.
    func measure() {
        entries.sweep()
        metrics.set(entries: entries.count, bytes: bytes)
    }
}
