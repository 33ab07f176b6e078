import Freshet
import FreshetTesting
import Metrics
import MetricsTestKit
import TestSupport
import Testing

@Suite("The pace of a store")
struct SharedPaceTests {
    private let spawner = TestSpawner()
    private let metrics = TestMetrics()
    private let faulty: FaultyStore
    private let store: GuardedStore

    init() {
        faulty = FaultyStore(MemoryStore(spawner: spawner), spawner: spawner)
        store = GuardedStore(PacingStore(faulty), spawner: spawner, metrics: metrics)
    }

    @Test("a call that hangs ends at the store's deadline, and is counted")
    func deadline() async throws {
        let pace = try #require(store.pace)
        #expect(try await pace.turn("a", every: .seconds(1)) == .after(.seconds(7)))
        faulty.inject(.hang, into: [.pace])
        let turn = spawner.task { try await pace.turn("a", every: .seconds(1)) }
        let closure = spawner.task { try await pace.close("a", for: .seconds(30)) }
        await spawner.settle()
        await spawner.advance(by: .milliseconds(500))
        let errors = [await turn.result.cacheError, await closure.result.cacheError]
        #expect(errors.map { $0?.code } == [.storeTimedOut, .storeTimedOut])
        let dimensions = [("operation", "pace")]
        #expect(metrics.counterTotal(label: "freshet_store_errors_total", dimensions: dimensions) == 2)
        faulty.recover()
    }

    @Test("a store that is away is not asked for a turn")
    func breaker() async throws {
        let pace = try #require(store.pace)
        faulty.inject(.fail(CacheError(.storeUnavailable, "away")))
        for _ in 0..<5 { await #expect(throws: CacheError.self) { try await pace.turn("a", every: .seconds(1)) } }
        #expect(!store.isAvailable)
        let error = await #expect(throws: CacheError.self) { try await pace.turn("a", every: .seconds(1)) }
        #expect(error?.code == .storeUnavailable)
        #expect(faulty.calls(of: .pace) == 5)
    }

    @Test("what no other process shares has none, nor has a store that keeps none")
    func none() {
        let logger = RecordedLogs().logger
        #expect(CacheService(store: MemoryStore(), logger: logger).pace == nil)
        #expect(CacheService(store: faulty, logger: logger).pace == nil)
        #expect(CacheService(store: PacingStore(faulty), logger: logger).pace != nil)
    }
}

/// Fails as the store behind it, and else gives a turn after seven seconds.
private final class PacingStore: ForwardingStore, SharedPace {
    private let base: FaultyStore

    init(_ base: FaultyStore) { self.base = base }

    package func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        try await base.call(operation, body)
    }

    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn {
        try await call(.pace) { _ in .after(.seconds(7)) }
    }

    func close(_ name: String, for time: Duration) async throws { try await call(.pace) { _ in } }
}

extension Result {
    fileprivate var cacheError: CacheError? {
        if case .failure(let error) = self { error as? CacheError } else { nil }
    }
}
