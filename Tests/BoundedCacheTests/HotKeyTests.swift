import BoundedCache
import TestSupport
import Testing

@Suite struct HotKeyTests {
    /// However close upon another its uses come, what is used most is not evicted.
    @Test(arguments: [500, 20_000]) func theKeyUsedMostStays(_ capacity: Int) {
        let evicted = Collected<Int>()
        let cache = BoundedCache<Int, Int>(
            .init(capacity: .entries(capacity)) { key, _, cause in
                if key < 0, cause == .capacity { evicted.append(key) }
            }
        )
        var random = SplitMix64(seed: 1)
        for _ in 0..<(capacity * 50) {
            if cache.get(-1) == nil { cache.set(-1, 0) }
            let key = Int(random.next() % UInt64(capacity * 3))
            if cache.get(key) == nil { cache.set(key, key) }
        }
        #expect(evicted.all.count <= 1)
    }
}
