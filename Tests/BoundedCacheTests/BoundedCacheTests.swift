import BoundedCache
import TestSupport
import Testing

@Suite struct BoundedCacheTests {
    @Test func storesReplacesAndRemoves() {
        let cache = BoundedCache<String, Int>(capacity: 2)
        #expect(cache.set("a", 1) == .inserted)
        #expect(cache.set("a", 2) == .replaced)
        #expect(cache.get("a") == 2)
        #expect(cache.peek("a") == 2)
        #expect(cache.remove("a") == 2)
        #expect(cache.remove("a") == nil)
        #expect(cache.get("a") == nil)
        #expect(cache.count == 0)
    }

    @Test(arguments: [0, 1, 2, 3, 7, 64, 1000, 5000])
    func neverHoldsMoreThanItsCapacity(_ capacity: Int) {
        let cache = BoundedCache<Int, Int>(capacity: capacity)
        for key in 0..<(capacity * 2 + 10) {
            #expect(cache.set(key, key) == (capacity == 0 ? .oversized : .inserted))
            #expect(cache.get(key) == (capacity == 0 ? nil : key), "what was just stored is there")
            if cache.count > capacity { Issue.record("\(cache.count) entries in a cache of \(capacity)") }
        }
        #expect(cache.count == capacity)
        #expect(cache.snapshot().count == capacity)
    }

    @Test func weighsEntries() {
        let cache = BoundedCache<String, String>(.init(capacity: .weight(10) { $0.count + $1.count }))
        #expect(cache.set("a", "1234") == .inserted)
        #expect(cache.totalWeight == 5)
        #expect(cache.set("b", "1234") == .inserted)
        #expect(cache.set("a", "123456") == .replaced)
        #expect(cache.totalWeight == 7, "the other had to go")
        #expect(cache.get("a") == "123456")
        #expect(cache.get("b") == nil)
        #expect(cache.set("c", "1234567890") == .oversized)
        #expect(cache.get("c") == nil)
        #expect(cache.set("a", "1234567890") == .oversized)
        #expect(cache.get("a") == nil, "a superseded value is not served")
        #expect(cache.totalWeight == 0)
        #expect(cache.statistics.refusals == 2)
    }

    /// The entry that grows is the only one in its queue, and the others' queue is within its share.
    @Test(arguments: [96, 99, 100]) func anEntryMayGrowAtTheCostOfAllOthers(_ weight: Int) throws {
        for isUpdate in [false, true] {
            let cache = BoundedCache<String, Int>(.init(capacity: .weight(100) { _, value in value }))
            cache.set("a", 5)
            cache.set("b", 1)
            if isUpdate { try cache.update("b") { $0.value = weight } } else { cache.set("b", weight) }
            #expect(cache.get("b") == weight)
            #expect(cache.totalWeight <= 100)
        }
    }

    @Test func weightsBeyondReasonAreRefused() {
        let cache = BoundedCache<Int, Int>(.init(capacity: .weight(.max) { _, weight in weight }))
        #expect(cache.set(1, .max) == .oversized)
        #expect(cache.set(2, Int(UInt32.max)) == .inserted)
        #expect(cache.set(3, -5) == .inserted)
        #expect(cache.set(4, 0) == .inserted)
        #expect(cache.totalWeight == Int(UInt32.max))
        #expect(cache.count == 3)
    }

    @Test func resizes() {
        let cache = BoundedCache<Int, Int>(capacity: 100)
        for key in 0..<100 { cache.set(key, key) }
        cache.resize(to: 10)
        #expect(cache.count == 10)
        #expect(cache.capacity == 10)
        cache.resize(to: 50)
        for key in 1000..<1100 { cache.set(key, key) }
        #expect(cache.count == 50)
        cache.resize(to: -1)
        #expect((cache.count, cache.capacity) == (0, 0))
        #expect(cache.set(1, 1) == .oversized)
    }

    @Test func aSmallCacheMayGrowWithoutLimit() {
        let cache = BoundedCache<Int, Int>(capacity: 10)
        cache.resize(to: .max)
        for key in 0..<1000 { cache.set(key, key) }
        #expect(cache.count == 1000)
        #expect((0..<1000).allSatisfy { cache.get($0) == $0 })
    }

    @Test func removesEverything() {
        let cache = BoundedCache<Int, Int>(capacity: 100)
        for key in 0..<300 { cache.set(key, key) }
        cache.removeAll()
        #expect(cache.count == 0)
        #expect(cache.totalWeight == 0)
        #expect((0..<300).allSatisfy { cache.get($0) == nil })
        #expect(cache.set(1, 1) == .inserted)
        #expect(cache.get(1) == 1)
    }

    @Test func snapshotIsInOrderOfUse() {
        let cache = BoundedCache<String, Int>(capacity: 10)
        for (index, key) in ["a", "b", "c", "d"].enumerated() { cache.set(key, index) }
        _ = cache.get("b")
        _ = cache.peek("a")
        _ = cache.get("a")
        cache.set("c", 9)
        #expect(cache.snapshot().map(\.key) == ["c", "a", "b", "d"])
        #expect(cache.snapshot().map(\.value) == [9, 0, 1, 3])
    }

    @Test(arguments: ["resize", "remove"]) func aCacheThatWasLargeTellsUsesApartAgain(_ change: String) {
        let cache = BoundedCache<Int, Int>(capacity: 5000)
        for key in 0..<5000 { cache.set(key, key) }
        for key in 0..<5000 { _ = cache.get(key) }
        if change == "resize" { cache.resize(to: 10) } else { for key in 10..<5000 { cache.remove(key) } }
        var random = SplitMix64(seed: 1)
        let keys = cache.snapshot().map(\.key).shuffled(using: &random)
        #expect(keys.count == 10)
        for key in keys { _ = cache.get(key) }
        #expect(cache.snapshot().map(\.key) == keys.reversed())
    }

    @Test func countsWhatItDoes() {
        let cache = BoundedCache<Int, Int>(capacity: 2)
        for key in 0..<5 { cache.set(key, key) }
        cache.set(4, 5)
        cache.remove(4)
        _ = cache.get(4)
        _ = cache.get(3)
        _ = cache.peek(3)
        let statistics = cache.statistics
        #expect(statistics.insertions == 5)
        #expect(statistics.evictions(.capacity) == 3)
        #expect(statistics.evictions(.replaced) == 1)
        #expect(statistics.evictions(.removed) == 1)
        #expect(statistics.hits + statistics.misses == 2)
        #expect(BoundedCache<Int, Int>(capacity: 1).statistics.hitRatio == 0)
    }

    @Test func tellsItsListenerOutsideTheLock() {
        let told = Collected<String>()
        let holder = Holder<BoundedCache<Int, Int>>()
        let cache = BoundedCache<Int, Int>(
            .init(capacity: .entries(1)) { key, value, cause in
                told.append("\(key) \(value) \(cause)")
                _ = holder.value?.get(key)
                _ = holder.value?.count
                if cause == .replaced { holder.value?.remove(key) }
            }
        )
        holder.value = cache
        cache.set(1, 1)
        cache.set(1, 2)
        cache.set(2, 3)
        cache.set(3, 4)
        cache.removeAll()
        #expect(told.all == ["1 1 replaced", "1 2 removed", "2 3 capacity", "3 4 removed"])
        holder.value = nil
    }

    @Test func destructorsRunOutsideTheLock() {
        let holder = Holder<BoundedCache<Int, OnDeinit>>()
        let cache = BoundedCache<Int, OnDeinit>(capacity: 1)
        holder.value = cache
        for key in 0..<5 { cache.set(key, OnDeinit { _ = holder.value?.count }) }
        cache.set(4, OnDeinit { _ = holder.value?.get(4) })
        cache.remove(4)
        cache.set(9, OnDeinit { _ = holder.value?.totalWeight })
        cache.removeAll()
        #expect(cache.count == 0)
        holder.value = nil
    }

    @Test(.timeLimit(.minutes(1))) func aKeyOfAnUpdateThatFailsIsReleasedOutsideTheLock() {
        struct Failure: Error {}
        struct Key: Hashable {
            let number: Int
            let owner: OnDeinit
            static func == (left: Self, right: Self) -> Bool { left.number == right.number }
            func hash(into hasher: inout Hasher) { hasher.combine(number) }
        }
        let cache = BoundedCache<Key, [Int]>(capacity: 10)
        let counts = Collected<Int>()
        cache.set(Key(number: 1, owner: OnDeinit { [weak cache] in counts.append(cache?.count ?? -1) }), [1])
        #expect(throws: Failure.self) {
            try cache.update(Key(number: 1, owner: OnDeinit {})) { draft in
                draft.value?.append(2)
                throw Failure()
            }
        }
        #expect(counts.all == [0])
    }

    @Test func releasesEverythingWithItself() {
        let alive = Holder<Int>(0)
        do {
            let cache = BoundedCache<Int, OnDeinit>(capacity: 3000)
            for key in 0..<5000 {
                alive.value = (alive.value ?? 0) + 1
                cache.set(key, OnDeinit { alive.value = (alive.value ?? 0) - 1 })
            }
            #expect(alive.value == 3000)
        }
        #expect(alive.value == 0)
    }

    @Test func valuesAreShared() {
        let cache = BoundedCache<String, [Int]>(capacity: 3)
        let array = Array(0..<1000)
        let address = array.withUnsafeBufferPointer { $0.baseAddress }
        cache.set("a", array)
        #expect(cache.get("a")?.withUnsafeBufferPointer { $0.baseAddress } == address)
        #expect(cache.peek("a")?.withUnsafeBufferPointer { $0.baseAddress } == address)
        #expect(cache.snapshot().first?.value.withUnsafeBufferPointer { $0.baseAddress } == address)
        #expect(cache.remove("a")?.withUnsafeBufferPointer { $0.baseAddress } == address)
    }
}
