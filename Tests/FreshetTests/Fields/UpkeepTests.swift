import CoreMetrics
import FreshetTesting
import Logging
import MetricsTestKit
import Testing

@testable import Freshet

@Suite("Upkeep")
struct UpkeepTests {
    @Test("memory of what has expired comes back though nobody calls")
    func sweepsWhenIdle() async throws {
        let spawner = TestSpawner()
        let store = MemoryStore(spawner: spawner)
        let cache = CacheService(store: store, spawner: spawner, logger: Logger(label: "test"))
        try await cache.initialize()
        let names = (0..<500).map { "field-\($0)" }
        let fields = names.map { Field<String>($0, key: $0, ttl: .seconds(30)) { "value" } }
        let cached = FieldCache(
            cache: cache,
            catalog: try FieldCatalog(fields),
            spawner: spawner,
            logger: Logger(label: "test")
        )
        let run = spawner.task { try await cached.run() }
        for field in fields { _ = try await cached.value(of: field) }
        let (held, stored) = (cached.tools.l1.bytes, store.bytes)
        try await waitUntil("the memory") {
            await spawner.advance(by: .seconds(60))
            return cached.tools.l1.bytes < held / 10 && store.bytes < stored / 10
        }
        run.cancel()
        try await run.value
    }

    @Test("the gauges of what is held are set though nobody scrapes")
    func gauges() async throws {
        let (fleet, factory) = (Fleet(source: .counting, ttl: .seconds(3600)), TestMetrics())
        let node = try await withMetricsFactory(factory) { try await fleet.node() }
        let run = fleet.spawner.task { try await node.run() }
        _ = try await node.value(of: fleet.field)
        try await waitUntil("the gauges") {
            await fleet.spawner.advance(by: .seconds(60))
            return try factory.expectMeter("freshet_l1_entries").lastValue == 1
        }
        #expect(try factory.expectMeter("freshet_l1_bytes").lastValue == Double(node.tools.l1.bytes))
        run.cancel()
        try await run.value
    }
}
