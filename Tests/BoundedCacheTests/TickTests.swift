import Synchronization
import Testing

@testable import BoundedCache

@Suite struct TickTests {
    /// Ticks have 29 bits, which a busy cache uses up in seconds: they are moved back and the order stays.
    @Test func orderSurvivesTheEndOfTheTicks() {
        let cache = BoundedCache<String, Int>(capacity: 10)
        for key in ["old", "a", "b"] { cache.set(key, 1) }
        cache.time.pointee.tick.store(UseWord.tickLimit - 2, ordering: .relaxed)
        for key in ["c", "d"] { cache.set(key, 1) }
        for _ in 0..<500 {
            _ = cache.get("a")
            _ = cache.get("b")
        }
        #expect(cache.time.pointee.now < UseWord.tickLimit)
        #expect(cache.snapshot().prefix(4).map(\.key) == ["b", "a", "d", "c"])
        #expect(cache.snapshot().count == 5)
    }
}
