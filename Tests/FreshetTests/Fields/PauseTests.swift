import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Freshet

@Suite("A process that stands still", .timeLimit(.minutes(1)))
struct PauseTests {
    /// Its timers are late.
    private struct LateSpawner: Spawner {
        let base: TestSpawner
        let pause = NIOLockedValueBox(Duration.zero)

        func now() -> MonotonicInstant { base.now() + pause.withLockedValue { $0 } }
        func wallTime() -> Duration { base.wallTime() }
        func sleep(until instant: MonotonicInstant) async throws { try await base.sleep(until: instant) }
        func spawn(_ operation: nonisolated(nonsending) @escaping @Sendable () async -> Void) -> SpawnedTask {
            base.spawn(operation)
        }
        func random() -> UInt64 { base.random() }
    }

    @Test("C6: a load that ends after its hard deadline, unnoticed, is as old as if it had ended there")
    func lateLoad() async throws {
        let fleet = Fleet { $0.hardDeadline = .seconds(1) }
        let spawner = LateSpawner(base: fleet.spawner)
        let storeSpawner = TestSpawner()
        let store = MemoryStore(spawner: storeSpawner)
        let cache = CacheService(store: store, spawner: spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        let node = FieldCache(cache: cache, catalog: try FieldCatalog([fleet.field]), logger: Logger(label: "test"))
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        await storeSpawner.advance(by: .seconds(10))
        spawner.pause.withLockedValue { $0 = .seconds(10) }
        fleet.source.end(1, value: "v1")
        #expect(try await reader.value.age == .seconds(9))
        #expect(try await fleet.node(store).read(fleet.field).age == .seconds(9))
    }
}
