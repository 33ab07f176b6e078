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

    @Test func insertionsSinceATickStay() {
        var clock = InsertionClock()
        for tick in 1...1000 { clock.note(at: UInt32(tick * 3), entries: 100) }
        func insertions(now: UInt32) -> [Double] {
            stride(from: 0, to: 2700, by: 90).map { clock.since(now - $0, now: now) }
        }
        let before = insertions(now: 3000)
        clock.moveTicksBack(by: 200)
        #expect(insertions(now: 2800) == before)
    }

    /// Calls that come by neither an insertion nor a read.
    @Test(arguments: ["updates", "updates in place", "other weights"]) func writesMoveTicksBackToo(_ calls: String)
        throws
    {
        let cache = BoundedCache<String, [Int]>(.init(capacity: .weight(100) { $1.count }))
        for key in ["a", "b", "c"] { cache.set(key, [1]) }
        cache.time.pointee.tick.store(UseWord.tickLimit - 2, ordering: .relaxed)
        for round in 0..<10 {
            let key = round % 2 == 0 ? "b" : "a"
            switch calls {
            case "updates": try cache.update(key) { $0.value = [round] }
            case "updates in place": try cache.update(key) { $0.value?[0] = round }
            default: cache.set(key, Array(repeating: round, count: round % 4 + 2))
            }
        }
        #expect(cache.time.pointee.now < UseWord.tickLimit)
        #expect(cache.snapshot().map(\.key) == ["a", "b", "c"])
    }
}
