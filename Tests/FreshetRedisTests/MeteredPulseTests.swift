import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import RESP
import Testing

/// A store whose every command costs something is looked after once a minute, but not while it is away.
@Suite("Pulse of a metered store", .timeLimit(.minutes(1)))
struct MeteredPulseTests {
    @Test("C8: what readers find out is looked after at once: a short failure is noticed to be over")
    func shortFailure() async throws {
        let spawner = TestSpawner()
        let (isAway, pings) = (NIOLockedValueBox(false), NIOLockedValueBox(0))
        let executor = StubExecutor { command in
            if command.name == "PING" { pings.withLockedValue { $0 += 1 } }
            if isAway.withLockedValue({ $0 }) { throw StubTransportError() }
            return .simpleString("PONG")
        }
        let logger = Logger(label: "test")
        let store = RedisStore(executor, dialect: .upstash, spawner: spawner)
        let cache = CacheService(store: store, spawner: spawner, logger: logger)
        try await cache.initialize()
        let field = Field("agents", ttl: .seconds(600)) { 1 }
        let node = FieldCache(cache: cache, catalog: try FieldCatalog([field]), spawner: spawner, logger: logger)
        let run = Task { try await node.run() }
        try await spawner.waitForSleepers(2)
        await spawner.settle()
        let quiet = pings.withLockedValue { $0 }
        await spawner.advance(by: .seconds(50))
        #expect(pings.withLockedValue { $0 } == quiet)
        isAway.withLockedValue { $0 = true }
        for _ in 0..<5 { _ = await node.state(of: field.erased) }
        #expect(!node.isStoreAvailable)
        isAway.withLockedValue { $0 = false }
        await spawner.settle()
        await spawner.advance(by: .milliseconds(1001))
        #expect(node.isStoreAvailable)
        #expect(pings.withLockedValue { $0 } == quiet + 1)
        run.cancel()
        try await run.value
    }
}
