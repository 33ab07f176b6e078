import Freshet
import FreshetTesting
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// A machine whose wall clock is set while it runs.
private struct SteppedClock: Spawner {
    let base = TestSpawner()
    let error = NIOLockedValueBox(Duration.zero)

    func now() -> MonotonicInstant { base.now() }
    func wallTime() -> Duration { base.wallTime() + error.withLockedValue { $0 } }
    func sleep(until instant: MonotonicInstant) async throws { try await base.sleep(until: instant) }
    func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask { base.spawn(operation) }
    func random() -> UInt64 { base.random() }
}

@Suite struct MemoryStoreTests {
    private static let hour = Duration.seconds(3600)

    private static func load(_ store: MemoryStore, _ key: String, _ value: ByteBuffer, staleFor: Duration) async throws
    {
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(60), freshFor: hour)
        guard case .granted(let lease, _) = try await store.leaseEntry(key, request) else {
            throw CacheError(.storeRejected, "no lease")
        }
        let content = EntryFill.Content.value(value, digest: value.sha1)
        let fill = EntryFill(content: content, freshFor: hour, staleFor: staleFor)
        #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
    }

    @Test func isLocal() {
        #expect(MemoryStore().isLocal)
    }

    @Test func holdsNoMoreThanItMay() async throws {
        let store = MemoryStore(maxBytes: 64 * 1024)
        let value = ByteBuffer(repeating: 1, count: 1024)
        for number in 0..<500 {
            _ = try await store.set("key-\(number)", value, options: CacheOptions())
            try await Self.load(store, "field-\(number)", value, staleFor: Self.hour)
        }
        #expect(store.bytes <= 64 * 1024)
        #expect(store.bytes > 32 * 1024)
    }

    @Test func anEntryGoesWithItsCompanion() async throws {
        let store = MemoryStore(maxBytes: 64 * 1024)
        let value = ByteBuffer(repeating: 1, count: 1024)
        for number in 0..<200 { try await Self.load(store, "field-\(number)", value, staleFor: Self.hour) }
        var kept = 0
        for number in 0..<200 {
            let isPlainThere = try await store.get("field-\(number)") != nil
            let snapshot = try await store.readEntry("field-\(number)", EntryRead(freshFor: Self.hour))
            #expect(isPlainThere == (snapshot.content == .value(value)))
            #expect(isPlainThere == (snapshot.generation != nil))
            kept += isPlainThere ? 1 : 0
        }
        #expect(kept > 10 && kept < 200)
    }

    @Test func theStaleCopyOfAFreshValueCostsNothing() async throws {
        let value = ByteBuffer(repeating: 1, count: 100_000)
        let (without, with) = (MemoryStore(), MemoryStore())
        try await Self.load(without, "field", value, staleFor: .zero)
        try await Self.load(with, "field", value, staleFor: Self.hour)
        #expect(without.bytes == with.bytes)
    }

    @Test func theStaleCopyWeighsOnceItIsAllThereIs() async throws {
        let store = MemoryStore()
        try await Self.load(store, "field", ByteBuffer(repeating: 1, count: 100_000), staleFor: Self.hour)
        try await store.invalidateEntry("field", .expire)
        #expect(store.bytes > 100_000)
    }

    @Test func ofAnAdoptedValueThatOutlastsItsStaleWindowNoCopyIsLeft() async throws {
        let value = ByteBuffer(repeating: 1, count: 100_000)
        for expiry in [CacheOptions.Expiry.never, .after(Self.hour * 3)] {
            let store = MemoryStore()
            _ = try await store.set("field", value, options: CacheOptions(expiry: expiry))
            let adopted = try await store.readEntry("field", EntryRead(freshFor: Self.hour, staleFor: Self.hour))
            #expect(adopted.content == .value(value))
            #expect(try await store.del(["field"]) == 1)
            #expect(store.bytes < 100_000)
        }
    }

    @Test func howOftenTheSourceHasFailedIsKnownBeyondItsPause() async throws {
        let spawner = TestSpawner()
        let store = MemoryStore(spawner: spawner)
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(60), freshFor: Self.hour)
        guard case .granted(let lease, _) = try await store.leaseEntry("field", request) else {
            throw CacheError(.storeRejected, "no lease")
        }
        let failure = EntryFailure(count: 3, code: "sourceFailed", message: "no", retryAfter: .seconds(600))
        #expect(try await store.failEntry("field", lease, with: failure))
        await spawner.advance(by: .seconds(659))
        #expect(try await store.readEntry("field", EntryRead(freshFor: Self.hour)).failure?.count == 3)
    }

    @Test func aSlotThatIsYetToComeHasNotHadItsLoad() async throws {
        let clock = SteppedClock()
        let store = MemoryStore(spawner: clock)
        func lease() async throws -> Lease? {
            let slot = ScheduledSlot(start: clock.wallTime(), idleAfter: .zero, keepFor: Self.hour)
            let request = LeaseRequest(purpose: .scheduled(slot), holdFor: .seconds(60), freshFor: Self.hour)
            guard case .granted(let lease, _) = try await store.leaseEntry("key", request) else { return nil }
            return lease
        }
        clock.error.withLockedValue { $0 = Self.hour }
        let lost = try #require(try await lease())
        let fill = EntryFill(content: .absent, freshFor: .milliseconds(1))
        #expect(try await store.fillEntry("key", lost, with: fill) == .stored(lost.generation))
        try await store.invalidateEntry("key", .expire)
        #expect(try await lease() == nil)
        clock.error.withLockedValue { $0 = .zero }
        #expect(try await lease() != nil, "the clock has been set back")
    }

    @Test func aValueThatNeverFitsIsRejectedAndTheOldOneStays() async throws {
        let store = MemoryStore(maxBytes: 4096)
        _ = try await store.set("key", ByteBuffer(string: "old"), options: CacheOptions())
        let error = await #expect(throws: CacheError.self) {
            _ = try await store.set("key", ByteBuffer(repeating: 0, count: 8192), options: CacheOptions())
        }
        #expect(error?.code == .storeRejected)
        #expect(try await store.get("key") == ByteBuffer(string: "old"))
    }

    @Test func aSmallValueDoesNotPinALargeBuffer() async throws {
        let store = MemoryStore()
        let large = ByteBuffer(repeating: 7, count: 1 << 20)
        let slice = try #require(large.getSlice(at: 100, length: 10))
        _ = try await store.set("key", slice, options: CacheOptions())
        let stored = try #require(try await store.get("key"))
        #expect(stored == slice)
        #expect(stored.storageCapacity < 1024)
    }

    @Test func whatIsOverTakesNoRoom() async throws {
        let spawner = TestSpawner()
        let store = MemoryStore(spawner: spawner)
        try await Self.load(store, "field", ByteBuffer(repeating: 1, count: 100_000), staleFor: Self.hour)
        await spawner.advance(by: .seconds(3600 * 2 + 120))
        let snapshot = try await store.readEntry("field", EntryRead(freshFor: Self.hour))
        #expect(snapshot == EntrySnapshot(content: .gone, time: snapshot.time))
        #expect(store.bytes == 0)
    }

    @Test func timesAreExact() async throws {
        let spawner = TestSpawner()
        let store = MemoryStore(spawner: spawner)
        try await Self.load(store, "field", ByteBuffer(string: "1"), staleFor: .seconds(60))
        await spawner.advance(by: .seconds(3599))
        var snapshot = try await store.readEntry("field", EntryRead(freshFor: Self.hour))
        #expect(snapshot.age == .seconds(3599))
        #expect(snapshot.freshFor == .seconds(1))
        #expect(snapshot.staleFor == .seconds(61))
        await spawner.advance(by: .seconds(1))
        snapshot = try await store.readEntry("field", EntryRead(freshFor: Self.hour))
        #expect(snapshot.freshFor == .zero)
        #expect(snapshot.content == .value(ByteBuffer(string: "1")))
        await spawner.advance(by: .seconds(60))
        snapshot = try await store.readEntry("field", EntryRead(freshFor: Self.hour))
        #expect(snapshot.content == .gone)
    }
}
