import Freshet
import FreshetTesting
import MetricsTestKit
import NIOCore
import TestSupport

/// A cache service over a memory store that can be made to fail, with a clock moved by hand.
struct CacheBench: Sendable {
    struct Foreign: Error {}

    let spawner = TestSpawner()
    let metrics = TestMetrics()
    let logs = RecordedLogs()
    let memory: MemoryStore
    let store: FaultyStore
    let cache: CacheService

    init() {
        memory = MemoryStore(spawner: spawner)
        store = FaultyStore(memory, spawner: spawner)
        cache = CacheService(store: store, spawner: spawner, logger: logs.logger, metrics: metrics)
    }

    static func ready() async throws -> CacheBench {
        let bench = CacheBench()
        try await bench.cache.initialize()
        return bench
    }

    /// The bytes at a key, as another program sees them.
    func text(_ key: String) async throws -> String? { try await memory.get(key).map { String(buffer: $0) } }
}

/// Which of our errors an operation throws.
func code(_ operation: () async throws -> Void) async -> CacheError.Code? {
    do { try await operation() } catch { return (error as? CacheError)?.code }
    return nil
}
