import FreshetTesting
import Logging
import TestSupport
import Testing

@testable import Freshet

/// C8: an invalidation that was queued is not dropped by a shutdown that could have sent it.
@Suite("Invalidations at the shutdown", .timeLimit(.minutes(1)))
struct LastInvalidationsTests {
    private static let away = CacheError(.storeUnavailable, "away")

    private let fleet = Fleet(source: .counting)
    private let store: FaultyStore
    private let logs = RecordedLogs()

    init() { store = FaultyStore(fleet.store, spawner: fleet.spawner) }

    /// A node that has removed the value while the store was away.
    private func node(_ fault: FaultyStore.Fault = .fail(away), attempts: Int = 1) async throws -> FieldCache {
        let node = try await fleet.node(store, logger: logs.logger)
        _ = try await node.value(of: fleet.field)
        store.inject(fault)
        for _ in 0..<attempts { #expect(try await node.remove(fleet.field) == .queued) }
        return node
    }

    private func isStored() async throws -> Bool { try await fleet.store.get("agents_list") != nil }

    private var lost: String? { logs.entries.compactMap { $0.metadata["invalidations.lost"] }.first }

    @Test(
        "they are sent at once where the store is back, or takes writes again, whatever pause it is given",
        arguments: [Self.away, CacheError(.storeRejected, "NOREPLICAS")],
        [1, 8]
    )
    func isBack(error: CacheError, attempts: Int) async throws {
        let node = try await node(.fail(error), attempts: attempts)
        #expect(node.isStoreAvailable == (attempts == 1 || error.code == .storeRejected))
        #expect(node.isDegraded)
        #expect(try await isStored())
        store.recover()
        let now = fleet.spawner.now()
        await node.shutdown()
        #expect(fleet.spawner.now() == now)
        #expect(try await !isStored())
        #expect(lost == nil)
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("the shutdown waits for a store that comes back within seconds")
    func comesBack() async throws {
        let node = try await node(attempts: 8)
        let end = fleet.spawner.task { await node.shutdown() }
        try await waitUntil("the pause") { fleet.spawner.sleepers > 0 }
        await fleet.spawner.advance(by: .seconds(4))
        #expect(try await isStored())
        store.recover()
        await fleet.spawner.advance(by: .milliseconds(200))
        try await end.value
        #expect(try await !isStored())
        #expect(lost == nil)
    }

    @Test(
        "the shutdown does not wait for ever, be the store away or frozen, and says what is lost",
        arguments: [true, false]
    )
    func staysAway(hangs: Bool) async throws {
        let node = try await node()
        if hangs { store.inject(.hang) }
        let end = fleet.spawner.task { await node.shutdown() }
        try await waitUntil("the pause") { fleet.spawner.sleepers > 0 }
        let clock = fleet.runClock()
        try await end.value
        clock.cancel()
        await clock.value
        #expect(fleet.spawner.now() >= MonotonicInstant(nanoseconds: 0) + .seconds(10))
        #expect(lost == "1")
        store.recover()
    }

    @Test("what a load under way could not send is sent, too")
    func underWay() async throws {
        let source = ControlledSource<String>()
        let field = Field("agents", key: "agents_list", policy: FieldPolicy(ttl: .seconds(60)), load: source.load)
        let node = try await node()
        let refresh = fleet.spawner.task { try await node.refresh(field, purge: true) }
        try await source.waitForLoads(1)
        let end = fleet.spawner.task { await node.shutdown() }
        try await waitUntil("the load's cancellation") { source.cancelled == [1] }
        store.recover()
        source.end(1, value: "late")
        let clock = fleet.runClock()
        try await end.value
        clock.cancel()
        _ = await errorOf { try await refresh.value }
        #expect(try await !isStored())
        #expect(lost == nil)
    }
}
