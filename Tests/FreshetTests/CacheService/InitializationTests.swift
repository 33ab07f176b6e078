import Freshet
import FreshetTesting
import Logging
import TestSupport
import Testing

@Suite struct InitializationTests {
    let bench = CacheBench()

    @Test func beforeItEveryOperationThrows() async {
        await expectNotInitialized()
    }

    @Test func afterShutdownEveryOperationThrows() async throws {
        try await bench.cache.initialize()
        try await bench.cache.shutdown()
        await expectNotInitialized()
        #expect(await code { try await bench.cache.initialize() } == .shuttingDown)
    }

    private func expectNotInitialized() async {
        for operation in CacheOperation.all {
            #expect(await code { _ = try await operation.lenient(bench.cache) } == .notInitialized, "\(operation.name)")
            #expect(await code { _ = try await operation.strict(bench.cache.strict) } == .notInitialized)
        }
        for operation in StoreOperation.allCases where operation != .ping {
            #expect(bench.store.calls(of: operation) == 0)
        }
    }

    @Test func aStoreThatRefusesFailsItWithinFiveSeconds() async throws {
        bench.store.inject(.fail(CacheBench.Foreign()))
        let start = bench.spawner.task { try await bench.cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        await bench.spawner.advance(by: .seconds(5))
        #expect(await code { try await start.value } == .storeUnavailable)
        #expect(bench.store.calls(of: .ping) == 4)
        await expectNotInitialized()
    }

    @Test func aStoreThatHangsFailsItWithinFiveSeconds() async throws {
        bench.store.inject(.hang)
        let start = bench.spawner.task { try await bench.cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        await bench.spawner.advance(by: .seconds(5))
        #expect(await code { try await start.value } == .storeTimedOut)
        bench.store.recover()
    }

    @Test func whatTheStoreLastFailedWithIsSaid() async throws {
        let cache = CacheService(
            store: bench.store,
            timeout: .seconds(60),
            spawner: bench.spawner,
            logger: bench.logs.logger
        )
        bench.store.inject(.fail(CacheError(.storeUnavailable, "connection refused")))
        let start = bench.spawner.task { try await cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        bench.store.inject(.hang)
        await bench.spawner.advance(by: .seconds(5))
        let error = await #expect(throws: CacheError.self) { try await start.value }
        #expect(error?.code == .storeTimedOut)
        #expect(error?.description.contains("connection refused") == true)
        bench.store.recover()
    }

    @Test func aDriverWithTheSameTimeoutSaysWhyThereIsNoAnswer() async throws {
        bench.store.inject(.fail(CacheError(.storeTimedOut, "connection refused")))
        let driver = FaultyStore(bench.store, spawner: bench.spawner)
        driver.inject(.delay(.milliseconds(501)))
        let cache = CacheService(store: driver, spawner: bench.spawner, logger: bench.logs.logger)
        let start = bench.spawner.task { try await cache.initialize() }
        try await bench.spawner.waitForSleepers(3)
        await bench.spawner.advance(by: .seconds(5))
        let error = await #expect(throws: CacheError.self) { try await start.value }
        #expect(error?.message == "connection refused")
    }

    @Test func aStoreThatHangsFailsItWithinFiveSecondsWhateverTheTimeout() async throws {
        let cache = CacheService(
            store: bench.store,
            timeout: .seconds(60),
            spawner: bench.spawner,
            logger: bench.logs.logger
        )
        bench.store.inject(.hang)
        let start = bench.spawner.task { try await cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        await bench.spawner.advance(by: .seconds(5))
        #expect(await code { try await start.value } == .storeTimedOut)
        bench.store.recover()
    }

    @Test func aStoreThatRejectsFailsItAtOnce() async throws {
        bench.store.inject(.fail(CacheError(.storeRejected, "WRONGPASS")))
        #expect(await code { try await bench.cache.initialize() } == .storeRejected)
        #expect(bench.store.calls(of: .ping) == 1)
    }

    @Test func aStoreThatRefusesTheCredentialsFailsItAtOnce() async throws {
        bench.store.inject(.fail(CacheError(.storeUnavailable, "wrong password").because(of: .credentials)))
        let start = bench.spawner.task { try await bench.cache.initialize() }
        try await waitUntil("a ping") { bench.store.calls(of: .ping) == 1 }
        await bench.spawner.advance(by: .seconds(4))
        #expect(await code { try await start.value } == .storeUnavailable)
        #expect(bench.store.calls(of: .ping) == 1)
    }

    @Test(arguments: [true, false])
    func whatIsShutDownMeanwhileDoesNotStart(answers: Bool) async throws {
        bench.store.inject(answers ? .delay(.milliseconds(100)) : .fail(CacheBench.Foreign()))
        let start = bench.spawner.task { try await bench.cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        try await bench.cache.shutdown()
        await bench.spawner.advance(by: .seconds(4))
        #expect(await code { try await start.value } == .shuttingDown)
        #expect(bench.store.calls(of: .ping) == 1)
        #expect(bench.logs.entries.isEmpty)
        bench.store.recover()
        await expectNotInitialized()
    }

    @Test func aStoreThatComesUpMeanwhileWillDo() async throws {
        bench.store.inject(.fail(CacheBench.Foreign()))
        let start = bench.spawner.task { try await bench.cache.initialize() }
        try await bench.spawner.waitForSleepers(2)
        bench.store.recover()
        await bench.spawner.advance(by: .milliseconds(250))
        try await start.value
        #expect(try await bench.cache.set("a", 1) == .stored)
        #expect(bench.logs.entries.map(\.message) == ["cache service is ready"])
    }

    @Test func aSecondAttemptMaySucceed() async throws {
        bench.store.inject(.fail(CacheError(.storeRejected, "LOADING")))
        #expect(await code { try await bench.cache.initialize() } == .storeRejected)
        bench.store.recover()
        try await bench.cache.initialize()
        try await bench.cache.initialize()
        #expect(bench.store.calls(of: .ping) == 2)
    }
}
