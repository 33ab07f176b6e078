import Freshet
import FreshetTesting
import Metrics
import MetricsTestKit
import NIOCore
import TestSupport
import Testing

@Suite struct GuardedStoreTests {
    struct ConnectionReset: Error {}

    let spawner = TestSpawner()
    let metrics = TestMetrics()
    let faulty: FaultyStore
    let store: GuardedStore

    init() {
        faulty = FaultyStore(MemoryStore(spawner: spawner), spawner: spawner)
        store = GuardedStore(faulty, spawner: spawner, metrics: metrics)
    }

    @Test func aCallThatHangsEndsAtTheDeadline() async throws {
        faulty.inject(.hang)
        async let failure = thrown(CacheError.self) { _ = try await store.get("a") }
        try await spawner.waitForSleepers(1)
        await spawner.advance(by: .milliseconds(500))
        #expect(try await failure?.code == .storeTimedOut)
        #expect(metrics.counterTotal(label: "freshet_store_errors_total", dimensions: [("operation", "get")]) == 1)
        faulty.recover()
        await spawner.settle()
        #expect(spawner.runningTasks == 0)
    }

    @Test func aForeignErrorIsUnavailability() async throws {
        faulty.inject(.fail(ConnectionReset()))
        let failure = try #require(try await thrown(CacheError.self) { _ = try await store.get("a") })
        #expect(failure.code == .storeUnavailable)
        #expect(failure.underlying is ConnectionReset)
    }

    @Test(arguments: [CacheError.Code.storeUnavailable, .storeTimedOut])
    func failuresInARowOpenTheBreaker(code: CacheError.Code) async throws {
        faulty.inject(.fail(CacheError(code, "down")))
        for _ in 0..<5 {
            #expect(store.isAvailable)
            #expect(try await thrown(CacheError.self) { _ = try await store.get("a") }?.code == code)
        }
        #expect(!store.isAvailable)
        let refusal = try #require(try await thrown(CacheError.self) { _ = try await store.hgetall("a") })
        #expect(refusal.code == .storeUnavailable)
        #expect(refusal.retryAfter == .seconds(1))
        #expect(faulty.calls(of: .hgetall) == 0)
    }

    @Test func oneProbeClosesTheBreaker() async throws {
        faulty.inject(.fail(ConnectionReset()))
        for _ in 0..<5 { _ = try await thrown(CacheError.self) { try await store.ping() } }
        faulty.recover()
        faulty.inject(.hang, into: [.get])
        await spawner.advance(by: .seconds(1))
        let probe = spawner.task { try await store.get("a") }
        try await spawner.waitForSleepers(1)
        #expect(try await thrown(CacheError.self) { try await store.ping() }?.code == .storeUnavailable)
        faulty.recover()
        #expect(try await probe.value == nil)
        #expect(store.isAvailable)
        try await store.ping()
    }

    @Test func aProbeThatIsGivenUpLeavesItsPlaceToTheNext() async throws {
        faulty.inject(.fail(ConnectionReset()))
        for _ in 0..<5 { _ = try await thrown(CacheError.self) { try await store.ping() } }
        faulty.inject(.hang)
        await spawner.advance(by: .seconds(1))
        let probe = spawner.task { try await store.get("a") }
        try await spawner.waitForSleepers(1)
        probe.cancel()
        await #expect(throws: CancellationError.self) { try await probe.value }
        faulty.recover()
        try await store.ping()
        #expect(store.isAvailable)
    }

    @Test(arguments: [CacheError.Code.storeRejected, .invalidArgument, .overloaded])
    func errorsOfAStoreThatIsWellDoNotOpenIt(code: CacheError.Code) async throws {
        faulty.inject(.fail(CacheError(code, "no")))
        for _ in 0..<20 { #expect(try await thrown(CacheError.self) { _ = try await store.get("a") }?.code == code) }
        #expect(store.isAvailable)
        #expect(metrics.counterTotal(label: "freshet_store_errors_total", dimensions: [("operation", "get")]) == 20)
    }

    @Test func callersThatGiveUpDoNotOpenIt() async throws {
        faulty.inject(.hang)
        for _ in 0..<20 {
            let caller = spawner.task { try await store.get("a") }
            try await spawner.waitForSleepers(1)
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
            await spawner.settle()
        }
        #expect(store.isAvailable)
        #expect(metrics.counterTotal(label: "freshet_store_errors_total") == 0)
        faulty.recover()
    }

    @Test func aDriverThatCancelsByItselfHasFailed() async throws {
        faulty.inject(.fail(CancellationError()))
        for _ in 0..<5 {
            #expect(try await thrown(CacheError.self) { _ = try await store.get("a") }?.code == .storeUnavailable)
        }
        #expect(!store.isAvailable)
    }

    @Test func aLocalStoreIsCalledDirectly() async throws {
        let store = GuardedStore(MemoryStore(spawner: spawner), spawner: spawner, metrics: metrics)
        for _ in 0..<10 {
            let failure = try await thrown(CacheError.self) {
                _ = try await store.set("a", .init(string: "x"), options: .init())
            }
            #expect(failure == nil)
        }
        #expect(spawner.startedTasks == 0)
    }

    @Test func callsAreTimedByOperation() async throws {
        faulty.inject(.delay(.milliseconds(20)), into: [.set])
        async let stored = store.set("a", .init(string: "x"), options: .init())
        try await spawner.waitForSleepers(2)
        await spawner.advance(by: .milliseconds(20))
        #expect(try await stored)
        #expect(try await store.get("a") != nil)
        #expect(try metrics.expectTimer("freshet_store_seconds", [("operation", "set")]).values == [20_000_000])
        #expect(try metrics.expectTimer("freshet_store_seconds", [("operation", "get")]).values == [0])
    }

    @Test func entryOperationsAreGuardedToo() async throws {
        faulty.inject(.hang)
        async let failure = thrown(CacheError.self) {
            _ = try await store.readEntry("a", EntryRead(freshFor: .seconds(1)))
        }
        try await spawner.waitForSleepers(1)
        await spawner.advance(by: .milliseconds(500))
        #expect(try await failure?.code == .storeTimedOut)
        faulty.recover()
        try await store.invalidateEntry("a", .remove)
        let request = LeaseRequest(purpose: .read, holdFor: .seconds(60), freshFor: .seconds(1))
        guard case .granted(let lease, _) = try await store.leaseEntry("a", request) else {
            Issue.record("no lease was granted")
            return
        }
        try await store.releaseEntry("a", token: lease.token)
    }
}
