import Freshet
import FreshetRedis
import NIOCore
import RESP
import RedisClient
import Testing

/// What a companion says of times that are yet to come, since the server's clock has been set back by an hour: simulated by
/// an hour more in each of its times.
@Suite struct ClockSetBackTests {
    private let long = Duration.seconds(600)

    private func setBack(_ client: RedisClient, _ key: String) async throws {
        let times = [
            "created", "freshUntil", "staleUntil", "leaseAt", "leaseUntil", "forcedAt", "cooldownUntil", "failureAt",
            "failureUntil", "slot",
        ]
        for time in times {
            guard try await client.execute(RESPCommand("HEXISTS", "{\(key)}:meta", time)).integer == 1 else { continue }
            _ = try await client.execute(RESPCommand("HINCRBY", "{\(key)}:meta", time, "3600000"))
        }
    }

    private func lease(
        _ store: RedisStore,
        _ key: String,
        _ purpose: LeaseRequest.Purpose = .read
    ) async throws -> LeaseOutcome {
        try await store.leaseEntry(key, LeaseRequest(purpose: purpose, holdFor: long, freshFor: long))
    }

    private func granted(
        _ store: RedisStore,
        _ key: String,
        _ purpose: LeaseRequest.Purpose = .read
    ) async throws -> Lease? {
        guard case .granted(let lease, _) = try await lease(store, key, purpose) else { return nil }
        return lease
    }

    @Test func aLeaseIsOver() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-lease")
        let lost = try #require(try await granted(store, key))
        try await setBack(client, key)
        #expect(try await store.readEntry(key, EntryRead(freshFor: long)).leaseFor == nil)
        let lease = try #require(try await granted(store, key))
        let fill = EntryFill(content: .absent, freshFor: long)
        #expect(try await store.fillEntry(key, lost, with: fill) == .refused(.leaseLost))
        #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
    }

    @Test func aValueIsNoLongerFresh() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-value")
        let lease = try #require(try await granted(store, key))
        let fill = EntryFill(content: .absent, freshFor: long, staleFor: long)
        #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
        #expect(try await store.readEntry(key, EntryRead(freshFor: long)).freshFor > .zero)
        try await setBack(client, key)
        #expect(try await store.readEntry(key, EntryRead(freshFor: long)).freshFor == .zero)
    }

    @Test func aValueIsStaleNoLongerThanItMayBe() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-stale")
        for stale in [Duration.zero, .seconds(20)] {
            let lease = try #require(try await granted(store, key, .renew))
            let value = ByteBuffer(string: "[1]")
            let content = EntryFill.Content.value(value, digest: value.sha1)
            let fill = EntryFill(content: content, freshFor: long, staleFor: stale)
            #expect(try await store.fillEntry(key, lease, with: fill) == .stored(lease.generation))
            try await setBack(client, key)
            let snapshot = try await store.readEntry(key, EntryRead(freshFor: long))
            #expect(snapshot.freshFor <= .zero)
            #expect(snapshot.staleFor <= stale)
        }
    }

    @Test func aDeletionIsNoticed() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-deletion")
        _ = try await store.set(key, ByteBuffer(string: "[1]"), options: CacheOptions())
        _ = try await store.readEntry(key, EntryRead(freshFor: long, staleFor: long))
        try await setBack(client, key)
        #expect(try await store.readEntry(key, EntryRead(freshFor: long)).content == .value(ByteBuffer(string: "[1]")))
        _ = try await store.del([key])
        #expect(try await store.readEntry(key, EntryRead(freshFor: long)).content == .gone)
    }

    @Test func aFailureForbidsNothing() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-failure")
        let failing = try #require(try await granted(store, key))
        let failure = EntryFailure(count: 3, code: "sourceFailed", message: "no", retryAfter: long)
        try await store.failEntry(key, failing, with: failure)
        try await setBack(client, key)
        let known = try await store.readEntry(key, EntryRead(freshFor: long)).failure
        #expect(known?.count == 3)
        #expect(known?.retryAfter == .zero)
        #expect(try await granted(store, key) != nil)
    }

    @Test func aCooldownIsOver() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-cooldown")
        let force = LeaseRequest.Purpose.force(.expire, cooldown: long)
        let forced = try #require(try await granted(store, key, force))
        _ = try await store.fillEntry(key, forced, with: EntryFill(content: .absent, freshFor: long))
        #expect(try await granted(store, key, force) == nil)
        try await setBack(client, key)
        let snapshot = try await store.readEntry(key, EntryRead(freshFor: long))
        #expect(snapshot.age == .zero)
        #expect(snapshot.lastForced == nil)
        #expect(try await granted(store, key, force) != nil)
    }

    @Test func aSlotHasNotHadItsLoad() async throws {
        let client = try await RedisFixture.shared.executor(.resp3)
        let (store, key) = (RedisStore(client), "back-slot")
        let start = try await store.readEntry(key, EntryRead(freshFor: long)).time
        let slot = LeaseRequest.Purpose.scheduled(
            ScheduledSlot(start: start, lastRead: .zero, idleAfter: .zero, keepFor: long)
        )
        let lease = try #require(try await granted(store, key, slot))
        _ = try await store.fillEntry(key, lease, with: EntryFill(content: .absent, freshFor: .milliseconds(1)))
        #expect(try await granted(store, key, slot) == nil)
        try await setBack(client, key)
        try await store.invalidateEntry(key, .expire)
        #expect(try await granted(store, key, slot) != nil)
    }
}
