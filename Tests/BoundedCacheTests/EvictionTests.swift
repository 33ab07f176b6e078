import Testing

@testable import BoundedCache

@Suite struct EvictionTests {
    /// An insertion does not pass over all entries, however much they were used.
    @Test func anInsertionAsksFewEntries() {
        let cache = BoundedCache<Int, Int>(capacity: 2000)
        for key in 0..<2000 { cache.set(key, key) }
        for _ in 0..<5 { for key in 0..<2000 { _ = cache.get(key) } }
        var uses = cache.countedUses
        #expect(uses > 3000)
        for key in 2000..<2010 {
            #expect(cache.set(key, key) == .inserted)
            #expect(cache.get(key) == key)
            #expect(cache.count == 2000)
            #expect(uses - cache.countedUses <= CacheCore.turnsPerEviction + 3)
            uses = cache.countedUses
        }
    }

    /// The entry that is passed over again and again, since it is the one that grows, is not the one to go.
    @Test func anEntryThatGrowsOutlivesAllOthers() {
        let cache = BoundedCache<Int, Int>(.init(capacity: .weight(1000) { $1 }))
        for key in 0..<500 { cache.set(key, 1) }
        for _ in 0..<5 { for key in 0..<500 { _ = cache.get(key) } }
        cache.set(7, 1000)
        #expect(cache.get(7) == 1000)
        #expect(cache.count == 1)
        #expect(cache.totalWeight == 1000)
    }

    /// What is over makes room for what is not, however much it was used.
    @Test func theUsesOfWhatIsOverCountForNothing() {
        let clock = ManualClock()
        let cache = BoundedCache<Int, Int>(.init(capacity: .entries(3), clock: CacheClock(clock)))
        cache.set(1, 1, timeToLive: .seconds(1))
        cache.set(2, 2)
        cache.set(3, 3)
        for _ in 0..<5 { _ = cache.get(1) }
        clock.advance(by: .seconds(1))
        cache.resize(to: 2)
        #expect(cache.peek(2) == 2)
        #expect(cache.peek(3) == 3)
        #expect(cache.statistics.departures.expired == 1)
    }

    /// What weighs nothing goes for nobody, until it weighs something.
    @Test func entriesThatTakeNoRoomStay() {
        let cache = BoundedCache<Int, Int>(.init(capacity: .weight(1000) { $1 }))
        for key in 0..<5000 { cache.set(key, 0) }
        cache.set(5000, 600)
        cache.set(5001, 600)
        #expect(cache.peek(5000) == nil)
        #expect(cache.count == 5001)
        cache.set(5001, 0)
        for key in 0..<5000 { cache.set(key, 1) }
        #expect(cache.count == 1001)
        #expect(cache.totalWeight == 1000)
        #expect(cache.peek(5001) == 0)
        cache.removeAll()
        #expect(cache.count == 0)
    }

    /// The last entry may end with a read, and nobody come by once more.
    @Test func memoryComesBackWithTheReadThatFindsTheLastOneOver() {
        let clock = ManualClock()
        let cache = BoundedCache<Int, Int>(.init(capacity: .entries(5000), clock: CacheClock(clock)))
        cache.set(0, 0, timeToLive: .seconds(1))
        for key in 1..<5000 { cache.set(key, key) }
        for key in 1..<5000 { cache.remove(key) }
        clock.advance(by: .seconds(1))
        #expect(cache.core.pointee.allocator.hasSeveralSegments)
        #expect(cache.get(0) == nil)
        #expect(!cache.core.pointee.allocator.hasSeveralSegments)
    }
}

extension BoundedCache {
    fileprivate var countedUses: Int {
        core.pointee.policy.queues.slots.reduce(0) { $0 + Int(head($1).pointee.word.uses) }
    }
}
