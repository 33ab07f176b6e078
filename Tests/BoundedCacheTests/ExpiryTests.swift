import BoundedCache
import Foundation
import Testing

@Suite struct ExpiryTests {
    let clock = ManualClock()

    private func cache(
        _ capacity: Int = 1000,
        timeToLive: Duration? = nil,
        timeToIdle: Duration? = nil,
        listener: (@Sendable (Int, String, EvictionCause) -> Void)? = nil
    ) -> BoundedCache<Int, String> {
        BoundedCache(
            .init(
                capacity: .entries(capacity),
                timeToLive: timeToLive,
                timeToIdle: timeToIdle,
                clock: CacheClock(clock),
                evictionListener: listener
            )
        )
    }

    @Test func entriesExpireToTheNanosecond() {
        let told = Collected<EvictionCause>()
        let cache = cache(timeToLive: .seconds(10)) { _, _, cause in told.append(cause) }
        cache.set(1, "default")
        cache.set(2, "longer", timeToLive: .seconds(20))
        #expect(cache.set(3, "dead", timeToLive: .zero) == .expired)
        #expect(cache.set(2, "longer", timeToLive: .seconds(20)) == .replaced)
        #expect(cache.peekEntry(1)?.timeToLive == .seconds(10))
        clock.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(cache.get(1) == "default")
        clock.advance(by: .nanoseconds(1))
        #expect(cache.peek(1) == nil)
        #expect(cache.get(1) == nil)
        #expect(cache.get(2) == "longer")
        #expect(cache.get(3) == nil)
        #expect(told.all == [.replaced, .expired])
    }

    /// That there were many more entries once makes the way from one to the next longer, not the time until it is found.
    @Test func fewEntriesAreFoundAmongManyFreeSlots() {
        let cache = cache(100_000)
        for key in 0..<100_000 { cache.set(key, "many") }
        for key in 0..<99_000 { cache.remove(key) }
        for key in 0..<100 { cache.set(key, "short", timeToLive: .seconds(1)) }
        clock.advance(by: .seconds(1))
        for key in 0..<110 { cache.set(-1 - key, "another") }
        #expect(cache.count == 1110)
    }

    @Test func anEarlierDeadlineMayReplaceALaterOneAndBack() {
        let cache = cache()
        cache.set(1, "for ever")
        cache.set(1, "short", timeToLive: .seconds(1))
        clock.advance(by: .seconds(1))
        #expect(cache.get(1) == nil)
        cache.set(1, "short", timeToLive: .seconds(1))
        cache.set(1, "for ever")
        clock.advance(by: .seconds(1))
        #expect(cache.get(1) == "for ever")
        #expect(cache.peekEntry(1)?.timeToLive == nil)
    }

    @Test func anUpdateKeepsATimeToLiveThatIsNotTheDefault() throws {
        let cache = cache(timeToLive: .seconds(5))
        cache.set(1, "one", timeToLive: .seconds(20))
        try cache.update(1) { $0.value = "two" }
        clock.advance(by: .seconds(19))
        #expect(cache.get(1) == "two")
        clock.advance(by: .seconds(1))
        #expect(cache.get(1) == nil)
    }

    @Test func idleEntriesExpireUnlessRead() {
        let cache = cache(timeToLive: .seconds(25), timeToIdle: .seconds(10))
        cache.set(1, "read")
        cache.set(2, "peeked")
        for _ in 0..<2 {
            clock.advance(by: .seconds(9))
            #expect(cache.get(1) == "read")
            _ = cache.peek(2)
        }
        #expect(cache.get(2) == nil)
        clock.advance(by: .seconds(7))
        #expect(cache.get(1) == nil, "reading does not put the time to live off")
    }

    @Test(arguments: [.zero, .seconds(-1)] as [Duration]) func withoutTimeToIdleNothingIsStored(_ idle: Duration) throws
    {
        let told = Collected<String>()
        let cache = cache(timeToIdle: idle) { _, value, cause in told.append("\(value) \(cause)") }
        #expect(cache.set(1, "one") == .expired)
        #expect(cache.set(1, "one", timeToLive: .seconds(5)) == .expired)
        try cache.update(1) { $0.value = "two" }
        #expect(cache.count == 0)
        #expect(cache.statistics.insertions == 0)
        #expect(told.all.isEmpty)
    }

    @Test func removingAnExpiredEntryGivesNothing() {
        let cache = cache(timeToLive: .seconds(1))
        cache.set(1, "one")
        clock.advance(by: .seconds(1))
        #expect(cache.remove(1) == nil)
        #expect(cache.statistics.evictions(.expired) == 1)
        cache.set(1, "one")
        clock.advance(by: .seconds(1))
        #expect(cache.set(1, "two") == .inserted, "there was nothing to replace")
        #expect(cache.snapshot().map(\.value) == ["two"])
    }

    @Test func veryLongLivesDoNotOverflow() {
        let cache = cache()
        cache.set(1, "one", timeToLive: .seconds(Int64.max))
        clock.advance(by: .seconds(1 << 31))
        #expect(cache.get(1) == "one")
        #expect(cache.set(1, "two", timeToLive: .seconds(-1)) == .expired)
        #expect(cache.get(1) == nil)
    }

    /// The memory of what expired comes back in the course of other calls.
    @Test func insertionsSweep() {
        let cache = cache(20_000)
        for key in 0..<10_000 { cache.set(key, "short", timeToLive: .seconds(1)) }
        clock.advance(by: .seconds(1))
        for key in 10_000..<10_800 { cache.set(key, "for ever") }
        #expect(cache.count == 800)
    }

    /// Sixteen slots for every 64 calls of a kind by one processor, of which there may be several.
    @Test(arguments: ["hits", "misses", "replacements", "removals", "updates", "updates in place", "other lives"])
    func allCallsSweep(_ calls: String) throws {
        let cache = cache(20_000)
        for key in 0..<1000 { cache.set(key, "short", timeToLive: .seconds(1)) }
        cache.set(-1, "for ever")
        clock.advance(by: .seconds(1))
        for _ in 0..<(2 * 64 * 1001 / 16) where cache.count > 1 {
            switch calls {
            case "hits": _ = cache.get(-1)
            case "misses": _ = cache.get(-2)
            case "removals": cache.remove(-2)
            case "updates": try cache.update(-1) { $0.value = "still" }
            case "updates in place": try cache.update(-1) { $0.value?.append("!") }
            case "other lives": cache.set(-1, "for ever", timeToLive: .seconds(1 + cache.count % 2))
            default: cache.set(-1, "for ever")
            }
        }
        #expect(cache.count == 1)
    }

    /// A step that finds much goes on, so that one read in 64 frees up to 128 entries.
    @Test func whatExpiredTogetherLeavesSoon() {
        let cache = cache(20_000)
        for key in 0..<2000 { cache.set(key, "short", timeToLive: .seconds(1)) }
        clock.advance(by: .seconds(1))
        for _ in 0..<4000 where cache.count > 0 { _ = cache.get(-1) }
        #expect(cache.count == 0)
    }

    @Test(arguments: [Duration.seconds(-100), .zero, .seconds(1 << 32), .seconds(63_000_000_000)])
    func clocksBeginAnywhere(_ start: Duration) {
        let time = Holder(start)
        let cache = BoundedCache<Int, Int>(
            .init(capacity: .entries(10), timeToLive: .seconds(10), clock: CacheClock { time.value ?? .zero })
        )
        cache.set(1, 1)
        time.value = start + .seconds(9)
        #expect(cache.get(1) == 1)
        time.value = start + .seconds(10)
        #expect(cache.get(1) == nil)
    }

    /// A reader asks the clock, and others store and read before it goes on.
    @Test func aLateReaderTakesNoLifeAway() {
        let time = Holder(Duration.zero)
        let (isLate, mayGoOn, done) = (Holder(false), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let hasAsked = DispatchSemaphore(value: 0)
        let clock = CacheClock {
            let now = time.value ?? .zero
            if isLate.value == true {
                isLate.value = false
                hasAsked.signal()
                mayGoOn.wait()
            }
            return now
        }
        let cache = BoundedCache<Int, Int>(
            .init(capacity: .entries(10), timeToIdle: .seconds(10), clock: clock)
        )
        cache.set(1, 1)
        isLate.value = true
        Thread.detachNewThread {
            _ = cache.get(1)
            done.signal()
        }
        hasAsked.wait()
        time.value = .seconds(9)
        cache.set(1, 2)
        time.value = .seconds(15)
        #expect(cache.get(1) == 2)
        mayGoOn.signal()
        done.wait()
        #expect(cache.get(1) == 2)
    }

    @Test func sweepIsForIdlePeriods() {
        let alive = Holder<Int>(0)
        let cache = BoundedCache<Int, OnDeinit>(
            .init(capacity: .entries(20_000), clock: CacheClock(clock))
        )
        for key in 0..<10_000 {
            alive.value = (alive.value ?? 0) + 1
            let life: Duration = key % 2 == 0 ? .seconds(1) : .seconds(2)
            cache.set(key, OnDeinit { alive.value = (alive.value ?? 0) - 1 }, timeToLive: life)
        }
        clock.advance(by: .seconds(1))
        cache.sweep()
        #expect(cache.count == 5000)
        #expect(alive.value == 5000, "the values are released, not only out of sight")
        clock.advance(by: .seconds(1))
        cache.sweep()
        #expect(alive.value == 0)
    }

    #if os(Linux)
    @Test func memoryComesBackWhenNothingIsLeft() throws {
        func resident() throws -> Int {
            let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
            return try #require(Int(pages)) * 4096
        }
        let count = 1 << 18
        let cache = BoundedCache<Int, SIMD64<UInt64>>(.init(capacity: .entries(count), clock: CacheClock(clock)))
        for end in ["removals", "expiry", "removeAll", "reads"] {
            let life: Duration? = end == "removals" ? nil : .seconds(1)
            for key in 0..<count { cache.set(key, SIMD64(repeating: 1), timeToLive: life) }
            let full = try resident()
            switch end {
            case "removals": for key in 0..<count { cache.remove(key) }
            case "expiry": clock.advance(by: .seconds(1))
            case "reads":
                clock.advance(by: .seconds(1))
                while cache.count > 0 { _ = cache.get(-1) }
            default: cache.removeAll()
            }
            if end != "reads" { cache.sweep() }
            // Of 134 million; tests beside this one take some meanwhile.
            #expect(try resident() < full - 30_000_000, "\(end)")
            #expect(cache.get(1) == nil)
        }
        cache.set(1, SIMD64(repeating: 7))
        #expect(cache.get(1)?[3] == 7)
        #expect(cache.count == 1)
    }
    #endif

    @Test func theSystemClockIsExactNearTheDeadline() {
        let cache = BoundedCache<Int, Int>(capacity: 10)
        let start = ContinuousClock.now
        cache.set(1, 1, timeToLive: .milliseconds(2))
        while cache.get(1) != nil {}
        #expect(start.duration(to: .now) >= .milliseconds(2))
    }
}
