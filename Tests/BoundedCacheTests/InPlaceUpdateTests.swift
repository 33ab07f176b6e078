import BoundedCache
import Foundation
import Testing

/// Updates that change a copy-on-write value in place.
@Suite(.timeLimit(.minutes(1))) struct InPlaceUpdateTests {
    private let told = Collected<String>()

    private func cache(_ limit: Int = 10_000) -> BoundedCache<String, [Int]> {
        let told = told
        return BoundedCache(
            .init(
                capacity: .weight(limit) { _, value in value.count },
                evictionListener: { key, value, cause in told.append("\(key) \(value.count) \(cause)") }
            )
        )
    }

    @Test func nothingIsCopied() throws {
        let cache = cache()
        cache.set("a", Array(0..<1000))
        let before = cache.get("a")?.withUnsafeBufferPointer(\.baseAddress)
        try cache.update("a") { draft in
            draft.value?[3] = 77
            draft.value?.swapAt(0, 1)
        }
        #expect(cache.get("a")?.withUnsafeBufferPointer(\.baseAddress) == before)
        #expect(cache.get("a")?.prefix(4) == [1, 0, 2, 77])
        try cache.update("a") { $0.value?.append(1) }
        #expect(cache.totalWeight == 1001)
        #expect(cache.count == 1)
        #expect(told.all.isEmpty)
    }

    /// Though it is the first that anything has here, and though reads put the end of idle entries off.
    @Test(arguments: [nil, .seconds(10)] as [Duration?]) func aTimeToLiveThatIsSetIsKept(idle: Duration?) throws {
        let clock = ManualClock()
        let cache = BoundedCache<String, [Int]>(
            .init(capacity: .entries(10), timeToIdle: idle, clock: CacheClock(clock))
        )
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            draft.timeToLive = .seconds(15)
        }
        for _ in 0..<2 {
            clock.advance(by: .seconds(7))
            #expect(cache.get("a") == [1, 2])
        }
        clock.advance(by: .seconds(1))
        #expect(cache.get("a") == nil)
    }

    /// Not even by an update that begins while the last one's listener is still being told.
    @Test func nothingIsCopiedForAnUpdateThatFollows() throws {
        let (isTold, mayGoOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let cache = BoundedCache<String, [Int]>(
            .init(
                capacity: .weight(1001) { _, value in value.count },
                evictionListener: { _, _, _ in
                    isTold.signal()
                    mayGoOn.wait()
                }
            )
        )
        var array = Array(0..<1000)
        array.reserveCapacity(1002)
        cache.set("a", array)
        array = []
        cache.set("b", [1])
        let before = cache.get("a")?.withUnsafeBufferPointer(\.baseAddress)
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            // This drives the other entry out.
            _ = try? cache.update("a") { $0.value?.append(1) }
            ended.signal()
        }
        onAnotherThread { isTold.wait() }
        try cache.update("a") { $0.value?[0] = 7 }
        #expect(cache.get("a")?.withUnsafeBufferPointer(\.baseAddress) == before)
        mayGoOn.signal()
        onAnotherThread { ended.wait() }
        #expect(cache.get("a")?.count == 1001)
    }

    private struct Failure: Error {}

    @Test func aFreshValueMayBeChangedInPlace() throws {
        let cache = cache()
        cache.set("a", [1, 2, 3])
        try cache.update("a") { draft in
            draft.value = [7]
            draft.value?.append(8)
            #expect(cache.get("a") == [1, 2, 3])
        }
        #expect(cache.get("a") == [7, 8])
        #expect(told.all == ["a 3 replaced"])
        #expect(throws: Failure.self) {
            try cache.update("a") { draft in
                draft.value = [9]
                draft.value?.append(10)
                throw Failure()
            }
        }
        #expect(cache.get("a") == [7, 8])
    }

    @Test func anEntryEvictedMeanwhileIsTold() throws {
        let cache = cache(10)
        cache.set("a", Array(0..<6))
        #expect(throws: Failure.self) {
            try cache.update("a") { draft in
                draft.value?.append(6)
                cache.set("b", Array(0..<10))
                throw Failure()
            }
        }
        #expect(cache.get("a") == nil)
        #expect(told.all == ["a 7 capacity"])
    }

    @Test func aReadThatWaitedCountsOnce() throws {
        let cache = cache()
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            _ = cache.get("a")
        }
        #expect(cache.statistics.misses == 1)
        _ = cache.get("b")
        _ = cache.get("a")
        #expect(cache.statistics.misses == 2)
        #expect(cache.statistics.hits == 1)
    }

    /// A reader's own copy stays as it was.
    @Test func valuesHandedOutDoNotChange() throws {
        let cache = cache()
        cache.set("a", [1, 2, 3])
        let held = cache.get("a")
        try cache.update("a") { $0.value?[0] = 9 }
        #expect(held == [1, 2, 3])
        #expect(cache.get("a") == [9, 2, 3])
    }

    @Test func readsInsideFindNothing() throws {
        let cache = cache()
        cache.set("a", [1])
        try cache.update("a") { draft in
            #expect(cache.get("a") == [1])
            draft.value?.append(2)
            #expect(cache.get("a") == nil)
            #expect(cache.peek("a") == nil)
            #expect(cache.peekEntry("a") == nil)
            #expect(cache.snapshot().isEmpty)
            #expect(cache.count == 1)
        }
        #expect(cache.get("a") == [1, 2])
    }

    @Test func otherThreadsWaitForTheChangedValue() throws {
        let cache = cache()
        cache.set("a", [1])
        let started = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
        let seen = Collected<[Int]?>()
        try cache.update("a") { draft in
            draft.value?.append(2)
            Thread.detachNewThread {
                started.signal()
                seen.append(cache.get("a"))
                seen.append(cache.peek("a"))
                done.signal()
            }
            started.wait()
            for value in 3..<1000 { draft.value?.append(value) }
        }
        done.wait()
        #expect(seen.all == [Array(1..<1000), Array(1..<1000)])
    }

    @Test func aFailedChangeDropsTheEntry() throws {
        struct Wrong: Error {}
        let cache = cache(10)
        cache.set("a", [1])
        #expect(throws: Wrong.self) {
            try cache.update("a") { draft in
                draft.value?.append(2)
                throw Wrong()
            }
        }
        #expect(cache.get("a") == nil)
        cache.set("b", [1])
        #expect(throws: BoundedCacheError.self) { try cache.update("b") { $0.value?.append(contentsOf: 0..<20) } }
        #expect(cache.get("b") == nil)
        cache.set("c", [1])
        try cache.update("c") { draft in _ = draft.value.take() }
        #expect(cache.get("c") == nil)
        #expect(cache.count == 0 && cache.totalWeight == 0)
        #expect(told.all == ["a 2 removed", "b 21 removed"])
    }

    @Test func whatIsOverwrittenOrWrittenMeanwhileIsTold() throws {
        struct Wrong: Error {}
        let cache = cache(10)
        for key in ["a", "b", "c", "d", "e"] { cache.set(key, [1]) }
        try cache.update("a") { draft in
            draft.value?.append(2)
            draft.value = nil
        }
        try cache.update("b") { draft in
            draft.value?.append(2)
            draft.value = [5, 6]
        }
        #expect(cache.get("b") == [5, 6])
        #expect(throws: BoundedCacheError.self) {
            try cache.update("c") { draft in
                draft.value?.append(2)
                cache.remove("c")
            }
        }
        #expect(throws: Wrong.self) {
            try cache.update("d") { draft in
                draft.value?.append(2)
                onAnotherThread { cache.set("d", [9]) }
                throw Wrong()
            }
        }
        try cache.update("e") { $0.value = [7] }
        #expect(told.all == ["a 2 removed", "b 2 replaced", "c 2 removed", "d 2 replaced", "e 1 replaced"])
        #expect(cache.statistics.evictions(.replaced) == 3)
    }

    @Test func aRefusedValueRemovesWhatIsChangedMeanwhile() throws {
        let cache = cache(10)
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            onAnotherThread { cache.set("a", Array(0..<20)) }
        }
        #expect(cache.get("a") == nil)
        #expect(told.all == ["a 2 removed"])
        #expect(cache.statistics.insertions == 1)
        #expect(cache.statistics.evictions(.removed) == 1)
    }

    /// Whatever the update does with it.
    @Test(arguments: ["dropped", "overwritten", "evicted"]) func whatExpiresMeanwhileIsTold(_ end: String) throws {
        let (clock, told) = (ManualClock(), told)
        let cache = BoundedCache<String, [Int]>(
            .init(
                capacity: .entries(10),
                clock: CacheClock(clock),
                evictionListener: { key, value, cause in told.append("\(key) \(value.count) \(cause)") }
            )
        )
        cache.set("a", [1], timeToLive: .seconds(1))
        try cache.update("a") { draft in
            draft.value?.append(2)
            clock.advance(by: .seconds(1))
            switch end {
            case "overwritten":
                draft.value = [7]
                draft.timeToLive = .seconds(9)
            case "evicted": onAnotherThread { cache.resize(to: 0) }
            default: break
            }
        }
        #expect(told.all == ["a 2 expired"])
        #expect(cache.get("a") == (end == "overwritten" ? [7] : nil))
        #expect(cache.statistics.insertions == (end == "overwritten" ? 2 : 1))
    }

    @Test func whatIsOverwrittenAndEvictedIsTold() throws {
        let cache = cache(10)
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            onAnotherThread {
                cache.resize(to: 0)
                cache.resize(to: 10)
            }
            draft.value = [8]
        }
        #expect(cache.get("a") == [8])
        #expect(told.all == ["a 2 capacity"])
        #expect(cache.statistics.insertions - cache.statistics.evictions(.capacity) == 1)
    }

    @Test func theEntryMayBeWrittenOrEvictedMeanwhile() throws {
        let cache = cache(10)
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            onAnotherThread { cache.set("a", [7]) }
            draft.value?.append(3)
        }
        #expect(cache.get("a") == [7])
        try cache.update("a") { draft in
            draft.value?.append(2)
            onAnotherThread { cache.removeAll() }
            #expect(cache.count == 0)
        }
        #expect(cache.get("a") == nil)
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            onAnotherThread {
                cache.resize(to: 0)
                #expect(cache.count == 0)
                cache.resize(to: 10)
            }
        }
        #expect(cache.get("a") == [1, 2], "it is stored anew")
        #expect(cache.count == 1 && cache.totalWeight == 2)
        #expect(throws: BoundedCacheError.self) {
            try cache.update("a") { draft in
                draft.value?.append(3)
                cache.set("a", [9])
            }
        }
        #expect(cache.get("a") == [9])
        #expect(told.all == ["a 3 replaced", "a 2 removed", "a 3 replaced"])
        #expect(cache.statistics.insertions == 2, "what replaces something is none")
        #expect(cache.statistics.evictions(.replaced) == 2)
        #expect(cache.statistics.evictions(.removed) == 1)
        #expect(cache.statistics.evictions(.capacity) == 0)
    }

    /// What comes back never left.
    @Test func anEntryThatMakesRoomAndComesBackIsNotTold() throws {
        let cache = cache(2)
        cache.set("a", [1])
        try cache.update("a") { draft in
            draft.value?.append(2)
            cache.set("b", [8, 9])
        }
        #expect(cache.snapshot().map(\.key) == ["a"])
        #expect(told.all == ["b 2 capacity"])
        #expect(cache.statistics.insertions == 2)
        #expect(cache.statistics.evictions(.capacity) == 1)
    }

    /// The clock reads the key whose value is with an update that is about to end.
    @Test func theClockMayReadTheCache() throws {
        let holder = Holder<BoundedCache<Int, [Int]>>()
        let isReading = Holder<Bool>(true)
        let cache = BoundedCache<Int, [Int]>(
            .init(
                capacity: .entries(10),
                timeToLive: .seconds(5),
                clock: CacheClock {
                    if isReading.value == false {
                        isReading.value = true
                        _ = holder.value?.get(1)
                        isReading.value = false
                    }
                    return .seconds(1)
                }
            )
        )
        holder.value = cache
        cache.set(1, [1])
        isReading.value = false
        try cache.update(1) { $0.value?.append(2) }
        isReading.value = true
        #expect(cache.get(1) == [1, 2])
        holder.value = nil
    }

    /// Two closures that each read the other's value: neither waits for the other, in one cache or in two.
    @Test func crossedChangesDoNotHang() {
        let caches = [cache(), cache()]
        for round in 0..<40 {
            let bothInside = DispatchSemaphore(value: 0)
            let goOn = DispatchSemaphore(value: 0)
            let group = DispatchGroup()
            let keys = ["a", "b"]
            let ofThread = round % 2 == 0 ? [caches[0], caches[0]] : caches
            for thread in 0..<2 { ofThread[thread].set(keys[thread], [1]) }
            for thread in 0..<2 {
                group.enter()
                Thread.detachNewThread {
                    defer { group.leave() }
                    try? ofThread[thread].update(keys[thread]) { draft in
                        draft.value?.append(2)
                        bothInside.signal()
                        goOn.wait()
                        #expect(ofThread[1 - thread].get(keys[1 - thread]) != [1])
                        _ = try? ofThread[1 - thread].update(keys[1 - thread]) { $0.value?.append(3) }
                        ofThread[1 - thread].remove("other")
                    }
                }
            }
            bothInside.wait()
            bothInside.wait()
            goOn.signal()
            goOn.signal()
            group.wait()
        }
    }

    @Test func manyThreadsAppendAndRead() {
        let cache = cache(100_000)
        cache.set("a", [])
        DispatchQueue.concurrentPerform(iterations: 6) { thread in
            for step in 0..<1000 {
                if thread < 4 {
                    _ = try? cache.update("a") { $0.value?.append(step) }
                } else if cache.get("a") == nil {
                    Issue.record("the entry was not there")
                }
            }
        }
        #expect(cache.get("a")?.count == 4000)
    }
}
