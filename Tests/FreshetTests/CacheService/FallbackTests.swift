import Freshet
import FreshetTesting
import Logging
import MetricsTestKit
import TestSupport
import Testing

@Suite struct FallbackTests {
    static let failures: [CacheError.Code] = [.storeUnavailable, .storeTimedOut, .storeRejected]

    @Test("C10: a store that fails after the start is answered for, or thrown", arguments: CacheOperation.all)
    func aStoreThatFailsIsAnsweredForOrThrown(operation: CacheOperation) async throws {
        for failure in Self.failures {
            let bench = try await CacheBench.ready()
            bench.store.inject(.fail(CacheError(failure, "down")))
            #expect(try await operation.lenient(bench.cache) == operation.fallback)
            #expect(await code { _ = try await operation.strict(bench.cache.strict) } == failure)
            let counted = bench.metrics.counterTotal(
                label: "freshet_store_errors_total",
                dimensions: [("operation", "\(operation.operation)")]
            )
            #expect(counted == 2)
        }
    }

    @Test("C10: a store that hangs after the start is answered for", arguments: CacheOperation.all)
    func aStoreThatHangsIsAnsweredFor(operation: CacheOperation) async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.hang)
        async let answer = operation.lenient(bench.cache)
        try await bench.spawner.waitForSleepers(1)
        await bench.spawner.advance(by: .milliseconds(500))
        #expect(try await answer == operation.fallback)
        bench.store.recover()
    }

    @Test(arguments: CacheOperation.all)
    func cancellationIsThrown(operation: CacheOperation) async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.hang)
        let caller = bench.spawner.task { try await operation.lenient(bench.cache) }
        try await bench.spawner.waitForSleepers(1)
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(bench.logs.entries.allSatisfy { $0.level < .error })
        bench.store.recover()
    }

    @Test(arguments: CacheOperation.all)
    func whileTheBreakerIsOpenTheStoreIsLeftAlone(operation: CacheOperation) async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheBench.Foreign()), into: [.get])
        for _ in 0..<5 { _ = try await bench.cache.get("a", as: Int.self) }
        let before = bench.store.calls(of: operation.operation)
        #expect(try await operation.lenient(bench.cache) == operation.fallback)
        #expect(bench.store.calls(of: operation.operation) == before)
    }

    @Test func aFailureIsLoggedOnceWithItsOperationAndError() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheError(.storeRejected, "no room")))
        for _ in 0..<100 { _ = try await bench.cache.set("customer", "sensitive") }
        _ = try await bench.cache.del("customer")
        let errors = bench.logs.entries.filter { $0.level == .error }
        #expect(errors.map(\.message) == ["cache operation failed", "cache operation failed"])
        #expect(errors.first?.metadata == ["cache.operation": "set", "error": "storeRejected: no room"])
        #expect(errors.last?.metadata["cache.operation"] == "del")
        #expect(!bench.logs.entries.contains { $0.text.contains("sensitive") })
        #expect(bench.metrics.counterTotal(label: "freshet_store_errors_total") == 101)
    }

    @Test func aFailureThatLastsIsLoggedEveryTenSeconds() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheError(.storeRejected, "no")))
        for _ in 0..<100 { _ = try await bench.cache.get("a", as: Int.self) }
        await bench.spawner.advance(by: .milliseconds(9_999))
        _ = try await bench.cache.get("a", as: Int.self)
        await bench.spawner.advance(by: .milliseconds(1))
        _ = try await bench.cache.get("a", as: Int.self)
        let errors = bench.logs.entries.filter { $0.level == .error }
        #expect(errors.map { $0.metadata["cache.silenced"] } == [nil, "100"])
    }

    @Test func whatIsThrownIsNotLogged() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheBench.Foreign()))
        for operation in CacheOperation.all { _ = await code { _ = try await operation.strict(bench.cache.strict) } }
        #expect(bench.logs.entries.allSatisfy { $0.level <= .info })
    }
}
