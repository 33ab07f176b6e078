import BoundedCache
import Testing

/// What the policy is for, on keys made for it.
@Suite struct PolicyTests {
    private func hitRatio(_ capacity: Int, _ keys: some Sequence<Int>) -> Double {
        let cache = BoundedCache<Int, Int>(capacity: capacity)
        for key in keys where cache.get(key) == nil { cache.set(key, key) }
        return cache.statistics.hitRatio
    }

    @Test(arguments: [100, 506, 3000]) func aLoopLargerThanTheCacheKeepsAPart(_ capacity: Int) {
        // LRU has no hit here; the optimum's share is the cache's share of the loop.
        let ratio = hitRatio(capacity, (0..<(capacity * 100)).map { $0 % (capacity * 2) })
        #expect(ratio > 0.42)
    }

    @Test func scansDoNotWashOutWhatIsUsed() {
        var keys: [Int] = []
        for round in 0..<40 {
            for _ in 0..<5 { keys.append(contentsOf: 0..<400) }
            keys.append(contentsOf: (1_000_000 + round * 1000)..<(1_000_000 + round * 1000 + 1000))
        }
        #expect(hitRatio(500, keys) > 0.60, "of 0.66")
    }

    @Test func popularityMayShift() {
        let keys = (0..<200_000).map { index in index / 50_000 * 10_000 + index * 7919 % 80 }
        #expect(hitRatio(100, keys) > 0.99)
    }

    /// Entries with lives of two lengths: dead ones do not take the place of live ones for long.
    @Test func mixedLivesCostLittle() {
        let clock = ManualClock()
        let capacity = 1000
        var random = SeededGenerator(state: 7)
        let keys = (0..<150_000).map { _ in
            let share = Double.random(in: 0..<1, using: &random)
            return Int(share * share * share * 5000)
        }
        func play(exactly: Bool) -> Double {
            let cache = BoundedCache<Int, Int>(
                .init(capacity: .entries(capacity), clock: CacheClock(clock))
            )
            for (index, key) in keys.enumerated() {
                clock.advance(by: .milliseconds(1))
                if exactly, index % 16 == 0 { cache.sweep() }
                if cache.get(key) == nil {
                    cache.set(
                        key,
                        key,
                        timeToLive: .milliseconds(key % 2 == 0 ? 4 * capacity : 40 * capacity)
                    )
                }
            }
            return cache.statistics.hitRatio
        }
        #expect(play(exactly: true) - play(exactly: false) < 0.006)
    }
}
