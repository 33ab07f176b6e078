import Foundation
import Testing

@testable import BoundedCache

@Suite(.timeLimit(.minutes(1))) struct UpdateTests {
    let clock = ManualClock()

    private func cache(_ limit: Int = 100) -> BoundedCache<String, Int> {
        BoundedCache(.init(capacity: .weight(limit) { _, value in value }, clock: CacheClock(clock)))
    }

    @Test func insertsChangesAndRemoves() throws {
        let cache = cache()
        for expected in 1...3 {
            let result = try cache.update("a") { draft in
                draft.value = (draft.value ?? 0) + 1
                return draft.value
            }
            #expect(result == expected)
        }
        #expect(cache.totalWeight == 3)
        try cache.update("a") { $0.value = nil }
        #expect(cache.get("a") == nil)
        #expect(cache.count == 0)
    }

    @Test func whatChangesBehindAReferenceIsWeighedAnew() throws {
        let cache = BoundedCache<String, Holder<Int>>(.init(capacity: .weight(10) { _, value in value.value ?? 0 }))
        for key in ["a", "b"] { cache.set(key, Holder(4)) }
        try cache.update("a") { draft in
            let held = draft.value
            held?.value = 8
        }
        #expect(cache.totalWeight == 8)
        #expect(cache.peek("b") == nil)
    }

    @Test func keepsItsDeadlineUnlessTold() throws {
        let cache = cache()
        cache.set("a", 1, timeToLive: .seconds(10))
        clock.advance(by: .seconds(4))
        try cache.update("a") { draft in
            #expect(draft.timeToLive == .seconds(6))
            draft.value = 2
        }
        #expect(cache.peekEntry("a")?.timeToLive == .seconds(6))
        try cache.update("a") { $0.timeToLive = .seconds(20) }
        #expect(cache.peekEntry("a")?.timeToLive == .seconds(20))
        try cache.update("a") { $0.timeToLive = nil }
        #expect(cache.peekEntry("a")?.timeToLive == nil)
        try cache.update("a") { $0.timeToLive = .zero }
        #expect(cache.get("a") == nil)
        cache.set("b", 1, timeToLive: .seconds(1))
        clock.advance(by: .seconds(1))
        try cache.update("b") { #expect($0.value == nil) }
    }

    @Test func anErrorChangesNothing() throws {
        struct Wrong: Error {}
        let cache = cache()
        cache.set("a", 1)
        #expect(throws: Wrong.self) {
            try cache.update("a") { draft in
                draft.value = 2
                throw Wrong()
            }
        }
        #expect(cache.get("a") == 1)
        let error = #expect(throws: BoundedCacheError.self) { try cache.update("a") { $0.value = 101 } }
        #expect(error?.code == .oversized)
        #expect(cache.get("a") == 1)
        try cache.update("a") { $0.value = 3 }
        #expect(cache.get("a") == 3, "the failed updates are over")
    }

    @Test func readsInsideGiveTheOldValue() throws {
        let cache = cache()
        cache.set("a", 1)
        try cache.update("a") { draft in
            draft.value = 2
            #expect(cache.get("a") == 1)
            #expect(cache.peek("a") == 1)
            #expect(cache.snapshot().map(\.value) == [1])
        }
        #expect(cache.get("a") == 2)
    }

    @Test func reentryIsAnError() throws {
        let cache = cache()
        let nested = #expect(throws: BoundedCacheError.self) {
            try cache.update("a") { _ in try cache.update("a") { $0.value = 1 } }
        }
        #expect(nested?.code == .reentrantUpdate)
        let other = #expect(throws: BoundedCacheError.self) {
            try cache.update("a") { _ in try cache.update("b") { $0.value = 1 } }
        }
        #expect(other?.code == .reentrantUpdate)
        let write = #expect(throws: BoundedCacheError.self) {
            try cache.update("a") { draft in
                draft.value = 1
                cache.set("a", 2)
            }
        }
        #expect(write?.code == .reentrantUpdate)
        #expect(cache.get("a") == 2)
        #expect(throws: BoundedCacheError.self) { try cache.update("a") { _ in cache.remove("a") } }
        #expect(cache.get("a") == nil)
        try cache.update("a") { draft in
            cache.set("b", 7)
            draft.value = cache.get("b")
        }
        #expect(cache.get("a") == 7)
    }

    /// Be it as heavy as the old one or heavier.
    @Test(arguments: [1, 50]) func aValueSetMeanwhileStays(value: Int) throws {
        let cache = cache()
        cache.set("a", 1)
        try cache.update("a") { draft in
            draft.value = 2
            onAnotherThread { cache.set("a", value) }
        }
        #expect(cache.get("a") == value)
        try cache.update("a") { draft in
            draft.value = 3
            onAnotherThread { cache.removeAll() }
        }
        #expect(cache.get("a") == nil)
    }

    @Test func whoLeavesTheValueAloneTellsNothing() throws {
        let told = Collected<EvictionCause>()
        let cache = BoundedCache<String, OnDeinit>(
            .init(
                capacity: .entries(10),
                clock: CacheClock(clock),
                evictionListener: { _, _, cause in told.append(cause) }
            )
        )
        let value = OnDeinit {}
        cache.set("a", value, timeToLive: .seconds(1))
        try cache.update("a") { #expect($0.value === value) }
        try cache.update("a") { $0.timeToLive = .seconds(60) }
        clock.advance(by: .seconds(59))
        #expect(cache.get("a") === value)
        #expect(told.all == [])
        #expect(cache.statistics.evictions(.replaced) == 0)
        try cache.update("a") { $0.timeToLive = .zero }
        #expect(cache.get("a") == nil)
        #expect(told.all == [.removed])
    }

    @Test func whatIsRefusedRemovesWhatWasThere() {
        let told = Collected<EvictionCause>()
        let cache = BoundedCache<String, Int>(
            .init(capacity: .weight(10) { _, value in value }, evictionListener: { _, _, cause in told.append(cause) })
        )
        cache.set("a", 1)
        #expect(cache.set("a", 11) == .oversized)
        cache.set("a", 1)
        #expect(cache.set("a", 1, timeToLive: .zero) == .expired)
        #expect(told.all == [.removed, .removed])
    }

    /// Whoever waits for an update has its turn before those who come later, however late it wakes.
    @Test(arguments: ["remove", "update", "get"]) func whoWaitsHasItsTurn(_ call: String) throws {
        let (readings, seen) = (Holder(0), Collected<Int>())
        let (hasWoken, mayGoOn, done) = (
            DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
        )
        let waiter = Holder<UInt>()
        let clock = CacheClock {
            if waiter.value == currentThread() {
                let count = (readings.value ?? 0) + 1
                readings.value = count
                // After it has waited.
                if count == (call == "get" ? 3 : 2) {
                    hasWoken.signal()
                    mayGoOn.wait()
                }
            }
            return .zero
        }
        let cache = BoundedCache<String, [Int]>(
            .init(capacity: .entries(10), timeToLive: .seconds(1), clock: clock)
        )
        cache.set("a", [])
        try cache.update("a") { draft in
            draft.value?.append(1)
            Thread.detachNewThread {
                waiter.value = currentThread()
                switch call {
                case "remove": cache.remove("a")
                case "update": try? cache.update("a") { $0.value?.append(2) }
                default: seen.append(cache.get("a")?.count ?? -1)
                }
                done.signal()
            }
            try #require(cache.isAwaited())
        }
        hasWoken.wait()
        for _ in 0..<16 { try cache.update("a") { $0.value?.append(0) } }
        Thread.detachNewThread {
            try? cache.update("a") { draft in
                seen.append(draft.value?.count ?? -1)
                draft.value?.append(3)
            }
            done.signal()
        }
        #expect(cache.isAwaited { seen.all.isEmpty })
        mayGoOn.signal()
        for _ in 0..<2 { done.wait() }
        #expect(seen.all.sorted() == (call == "remove" ? [-1] : call == "update" ? [18] : [17, 17]))
    }

    /// A reader that waited keeps nobody waiting while its upkeep tells the listener. Every reading of the clock by a
    /// reader takes a second, so that entries expire between the end of its wait and its upkeep.
    @Test func listenersOfReadsThatWaitedMayUpdate() throws {
        let time = Holder(Duration.zero)
        let reader = Holder<UInt>()
        let clock = CacheClock {
            if reader.value == currentThread() { time.value = (time.value ?? .zero) + .seconds(1) }
            return time.value ?? .zero
        }
        let holder = Holder<BoundedCache<String, [Int]>>()
        let told = Collected<String>()
        let cache = BoundedCache<String, [Int]>(
            .init(
                capacity: .entries(10_000),
                clock: clock,
                evictionListener: { key, _, cause in
                    guard cause == .expired else { return }
                    told.append(key)
                    try? holder.value?.update("index") { $0.value?.append(1) }
                }
            )
        )
        holder.value = cache
        cache.set("index", [])
        // Each processor's 64th hit brings upkeep.
        for round in 0..<200 {
            cache.set("session\(round)", [], timeToLive: .milliseconds(2500))
            let done = DispatchSemaphore(value: 0)
            try cache.update("index") { draft in
                draft.value?.append(2)
                Thread.detachNewThread {
                    reader.value = currentThread()
                    _ = cache.get("index")
                    done.signal()
                }
                try #require(cache.isAwaited())
            }
            try #require(done.wait(timeout: .now() + 30) == .success)
        }
        cache.sweep()
        #expect(told.all.count == 200)
        #expect(cache.get("index")?.count == 400)
        holder.value = nil
    }

    @Test func otherThreadsReadOnAndWriteOtherKeys() throws {
        let cache = cache()
        cache.set("a", 1)
        try cache.update("a") { draft in
            onAnotherThread {
                #expect(cache.get("a") == 1)
                cache.set("b", 2)
                _ = try? cache.update("c") { $0.value = 3 }
                _ = cache.remove("b")
            }
            draft.value = 9
        }
        #expect(cache.get("a") == 9)
        #expect(cache.get("c") == 3)
    }

    /// The time that counts is that after the wait.
    @Test(arguments: ["update", "remove"]) func whatExpiresWhileACallWaitsIsNotHandedOut(_ call: String) throws {
        struct Failure: Error {}
        let told = Collected<EvictionCause>()
        let cache = BoundedCache<String, Int>(
            .init(
                capacity: .entries(10),
                timeToLive: .seconds(1),
                clock: CacheClock(clock),
                evictionListener: { _, _, cause in told.append(cause) }
            )
        )
        cache.set("a", 1)
        let done = DispatchSemaphore(value: 0)
        let seen = Collected<Int?>()
        #expect(throws: Failure.self) {
            try cache.update("a") { _ in
                Thread.detachNewThread {
                    if call == "update" {
                        try? cache.update("a") { draft in
                            seen.append(draft.value)
                            draft.value = 2
                        }
                    } else {
                        seen.append(cache.remove("a"))
                    }
                    done.signal()
                }
                try #require(cache.isAwaited())
                clock.advance(by: .seconds(5))
                throw Failure()
            }
        }
        done.wait()
        #expect(seen.all == [nil])
        #expect(told.all == [.expired])
    }

    /// Two closures that each read and remove the other's key: neither waits for the other.
    @Test func crossedUpdatesDoNotHang() throws {
        let cache = BoundedCache<Int, Int>(capacity: 10)
        for _ in 0..<50 {
            let bothInside = DispatchSemaphore(value: 0)
            let goOn = DispatchSemaphore(value: 0)
            let group = DispatchGroup()
            for key in 0..<2 {
                group.enter()
                Thread.detachNewThread {
                    defer { group.leave() }
                    _ = try? cache.update(key) { draft in
                        bothInside.signal()
                        goOn.wait()
                        _ = cache.get(1 - key)
                        _ = cache.remove(1 - key)
                        draft.value = key
                    }
                }
            }
            bothInside.wait()
            bothInside.wait()
            goOn.signal()
            goOn.signal()
            try #require(group.wait(timeout: .now() + 60) == .success)
        }
    }

    @Test func noIncrementIsLost() throws {
        let cache = BoundedCache<String, Int>(capacity: 10)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<2000 { _ = try? cache.update("n") { $0.value = ($0.value ?? 0) + 1 } }
        }
        #expect(cache.get("n") == 16_000)
    }

    @Test func removalsAndIncrementsAddUp() {
        let cache = BoundedCache<String, Int>(capacity: 10)
        let removed = Holder<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            var sum = 0
            for _ in 0..<2000 {
                if thread == 0 {
                    sum += cache.remove("n") ?? 0
                } else {
                    _ = try? cache.update("n") { $0.value = ($0.value ?? 0) + 1 }
                }
            }
            if thread == 0 { removed.value = sum }
        }
        #expect((removed.value ?? 0) + (cache.get("n") ?? 0) == 6000)
    }
}

extension BoundedCache {
    /// Polls until a thread waits for an update's end.
    fileprivate func isAwaited(while condition: () -> Bool = { true }) -> Bool {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline, condition() {
            coreLock.pointee.lock()
            let waiters = core.pointee.waiters
            coreLock.pointee.unlock()
            if waiters > 0 { return true }
            sched_yield()
        }
        return false
    }
}
