import BoundedCache
import Dispatch
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct StressTests {
    /// Values name their key, so that a value under the wrong key is seen.
    final class Value: Sendable {
        let key: Int
        let padding: [Int]
        init(_ key: Int) {
            self.key = key
            padding = [key, key]
        }
    }

    private func replace(_ value: inout Value?, with key: Int) { value = Value(key) }

    @Test(arguments: [100, 20_000]) func manyThreadsKeepTheInvariants(_ limit: Int) {
        let departures = Atomic<Int>(0)
        let clock = ManualClock()
        let cache = BoundedCache<Int, Value>(
            .init(
                capacity: .weight(limit) { key, _ in 1 + key % 7 },
                clock: CacheClock(clock),
                evictionListener: { key, value, _ in
                    if key != value.key { Issue.record("\(value.key) left as \(key)") }
                    departures.add(1, ordering: .relaxed)
                }
            )
        )
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            var random = SplitMix64(seed: UInt64(thread))
            for step in 0..<6000 {
                let key = Int(random.next() % 512 * (random.next() % 16))
                switch random.next() % 20 {
                case 0..<10:
                    if let value = cache.get(key), value.key != key || value.padding != [key, key] {
                        Issue.record("\(value.key) under \(key)")
                    }
                case 10..<15:
                    let life: Duration? = step % 2 == 0 ? .milliseconds(Int(random.next() % 50)) : nil
                    cache.set(key, Value(key), timeToLive: life)
                case 15: cache.remove(key)
                case 16:
                    let stored = try? cache.update(key) { draft in
                        if draft.value?.key ?? key != key { Issue.record("wrong value in an update") }
                        // By way of `inout` the old value is taken out.
                        if step % 2 == 0 { replace(&draft.value, with: key) } else { draft.value = Value(key) }
                        return true
                    }
                    if stored == nil { Issue.record("an update failed") }
                case 17: clock.advance(by: .milliseconds(1))
                case 18 where step % 500 == 0: thread == 0 ? cache.removeAll() : cache.sweep()
                default: _ = cache.peek(key)
                }
                if step % 64 == 0, cache.totalWeight > limit {
                    Issue.record("too heavy: \(cache.totalWeight)")
                }
            }
        }
        let snapshot = cache.snapshot()
        #expect(snapshot.allSatisfy { $0.key == $0.value.key && $0.weight == 1 + $0.key % 7 })
        cache.removeAll()
        #expect(cache.count == 0 && cache.totalWeight == 0)
        let statistics = cache.statistics
        let left = EvictionCause.allCases.reduce(0) { $0 + statistics.evictions($1) }
        #expect(left == departures.load(ordering: .relaxed))
        #expect(UInt64(left) - statistics.evictions(.replaced) == statistics.insertions)
    }

    @Test func oneHotKey() {
        let cache = BoundedCache<String, Value>(capacity: 1000)
        cache.set("key", Value(1))
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<20_000 where cache.get("key")?.key != 1 { Issue.record("lost") }
        }
        #expect(cache.statistics.hits == 160_000)
    }
}
