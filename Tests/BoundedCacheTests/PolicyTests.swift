import BoundedCache
import TestSupport
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

    @Test(arguments: [100, 1000, 3000], [1.05, 1.1, 1.2])
    func aLoopALittleLargerThanTheCacheKeepsNearlyAll(_ capacity: Int, _ share: Double) {
        let length = Int(Double(capacity) * share)
        let ratio = hitRatio(capacity, (0..<(capacity * 30)).map { $0 % length })
        #expect(ratio > 1 / share - 0.12)
    }

    @Test(arguments: [100, 1000], [0.2, 0.4])
    func theSmallQueueGrowsToKeysThatComeBackLate(_ capacity: Int, _ share: Double) {
        // Each key twice, so many new ones apart: half of the reads can hit.
        let distance = Int(Double(capacity) * share)
        let ratio = hitRatio(capacity, (0..<(capacity * 100)).map { $0 / 2 - $0 % 2 * distance })
        #expect(ratio > 0.4)
    }

    @Test(arguments: [100, 1000]) func aSetThatChangesAltogetherIsHeldFromItsFirstRound(_ capacity: Int) {
        let length = capacity * 9 / 10
        let keys = (0..<(capacity * 200)).map { $0 / (5 * length) * 1_000_000 + $0 % length }
        #expect(hitRatio(capacity, keys) > 0.7, "of 0.8")
    }

    @Test(arguments: [(2, 3), (3, 5), (5, 8)]) func cachesOfAFewEntriesKeepAPartToo(_ capacity: Int, _ length: Int) {
        #expect(hitRatio(capacity, (0..<10_000).map { $0 % length }) > 0.31)
    }

    @Test func scansDoNotWashOutWhatIsUsed() {
        var keys: [Int] = []
        for round in 0..<40 {
            for _ in 0..<5 { keys.append(contentsOf: 0..<400) }
            keys.append(contentsOf: (1_000_000 + round * 1000)..<(1_000_000 + round * 1000 + 1000))
        }
        #expect(hitRatio(500, keys) > 0.60, "of 0.66")
    }

    /// Its recency made the small queue grow; it shrinks again.
    @Test func scansDoNotWashOutWhatIsUsedAfterAnotherWorkloadEither() {
        let cache = BoundedCache<Int, Int>(capacity: 1000)
        for key in (0..<200_000).map({ $0 / 4500 * 1_000_000 + $0 % 900 }) where cache.get(key) == nil {
            cache.set(key, 1)
        }
        let before = cache.statistics
        play(scans, on: cache)
        let after = cache.statistics
        let ratio = Double(after.hits - before.hits) / Double(scans.count)
        #expect(ratio > 0.5, "of 0.543 in a new cache")
    }

    /// What was learnt is a share of the cache, and the memory of keys is of its size.
    @Test func aCacheThatWasMadeSmallerIsAsGoodAsANewOne() {
        for (keys, least) in [((0..<200_000).map { $0 % 2000 }, 0.45), (scans, 0.5)] {
            let cache = BoundedCache<Int, Int>(capacity: 50_000)
            for key in 0..<75_000 { cache.set(-1 - key, 1) }
            cache.resize(to: 1000)
            let before = cache.statistics
            play(keys, on: cache)
            #expect(Double(cache.statistics.hits - before.hits) / Double(keys.count) > least)
        }
    }

    /// Where there is room, new entries fill the main queue, which scans pass by.
    @Test func aCacheThatWasMadeLargerFillsAsANewOne() {
        let cache = BoundedCache<Int, Int>(capacity: 100)
        for key in 0..<1000 { cache.set(-1 - key, 1) }
        cache.resize(to: 1000)
        for key in 0..<900 { cache.set(key, 1) }
        for key in 10_000..<12_000 { cache.set(key, 1) }
        #expect((0..<900).count { cache.peek($0) != nil } > 700)
    }

    /// 800 keys three times, then 2000 that do not come again, and so on.
    private let scans = (0..<60).flatMap { round -> [Int] in
        let start = 1_000_000_000 + round * 2000
        return (0..<2400).map { $0 % 800 } + (start..<(start + 2000))
    }

    private func play(_ keys: [Int], on cache: BoundedCache<Int, Int>) {
        for key in keys where cache.get(key) == nil { cache.set(key, key) }
    }

    @Test func popularityMayShift() {
        let keys = (0..<200_000).map { index in index / 50_000 * 10_000 + index * 7919 % 80 }
        #expect(hitRatio(100, keys) > 0.99)
    }

    /// Entries with lives of two lengths: dead ones do not take the place of live ones for long.
    @Test func mixedLivesCostLittle() {
        let clock = ManualClock()
        let capacity = 1000
        var random = SplitMix64(seed: 7)
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
