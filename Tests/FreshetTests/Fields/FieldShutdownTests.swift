import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Freshet

@Suite("Shutdown of a field cache")
struct FieldShutdownTests {
    @Test(
        "shutting down cancels loads, answers who waits, and refuses who comes; a cancelled caller waits too",
        arguments: [true, false]
    )
    func shutdown(isCancelled: Bool) async throws {
        let fleet = Fleet()
        let logs = RecordedLogs()
        let node = try await fleet.node(logger: logs.logger)
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let hasEnded = NIOLockedValueBox(false)
        let end = fleet.spawner.task {
            if isCancelled { withUnsafeCurrentTask { $0?.cancel() } }
            await node.shutdown()
            hasEnded.withLockedValue { $0 = true }
        }
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [1] }
        try await waitUntil("the timers of shutdown and load") { fleet.spawner.sleepers == 2 }
        #expect(!hasEnded.withLockedValue { $0 })
        fleet.source.end(1, value: "late")
        try await end.value
        #expect(!logs.entries.contains { $0.level >= .warning })
        for error in [
            await errorOf { try await reader.value }, await errorOf { try await node.value(of: fleet.field) },
        ] {
            #expect((error as? CacheError)?.code == .shuttingDown)
        }
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("shutting down answers also who waits behind fetchers that heed no cancellation")
    func shutdownBehindFetchers() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let reader = try await fleet.readerBehindTwo(on: node)
        let end = fleet.spawner.task { await node.shutdown() }
        let error = await errorOf { try await reader.value } as? CacheError
        #expect(error?.code == .shuttingDown)
        for number in 1...2 { fleet.source.end(number, value: "late") }
        try await end.value
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("an invalidation that cannot be sent once the shutdown has begun is an error, and what is lost is counted")
    func invalidationAfterShutdown() async throws {
        let fleet = Fleet()
        let store = FaultyStore(fleet.store)
        let logs = RecordedLogs()
        let node = try await fleet.node(store, logger: logs.logger)
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        #expect(try await node.remove(fleet.field) == .queued)
        let clock = fleet.runClock()
        await node.shutdown()
        #expect(logs.entries.contains { $0.metadata["invalidations.lost"] == "1" })
        let error = await errorOf { try await node.remove(fleet.field) } as? CacheError
        #expect(error?.code == .shuttingDown)
        clock.cancel()
    }

    @Test("what the store could not be told of while the shutdown waits for a fetcher, it is told of after that")
    func invalidationDuringShutdown() async throws {
        let fleet = Fleet()
        let store = FaultyStore(fleet.store)
        let node = try await fleet.node(store)
        let reader = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let shutdown = fleet.spawner.task { await node.shutdown() }
        await fleet.spawner.settle()
        store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.invalidate])
        let error = await errorOf { try await node.remove(fleet.field) } as? CacheError
        #expect(error?.code == .shuttingDown)
        store.recover()
        fleet.source.end(1, value: "v1")
        try await shutdown.value
        #expect(store.calls(of: .invalidate) == 2)
        _ = await errorOf { try await reader.value }
    }

    @Test("shutting down cancels a load for one caller alone, and refuses the next")
    func shutdownOfLoneLoads() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        try await fleet.loadUncacheable(1, on: node)
        let lone = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await fleet.source.waitForLoads(2)
        #expect(node.waiters(of: fleet.field.erased) == 0)
        let end = fleet.spawner.task { await node.shutdown() }
        try await waitUntil("the load's cancellation") { fleet.source.cancelled == [2] }
        #expect((await errorOf { try await lone.value } as? CacheError)?.code == .shuttingDown)
        #expect((await errorOf { try await node.value(of: fleet.field) } as? CacheError)?.code == .shuttingDown)
        #expect(fleet.source.loads == 2)
        fleet.source.end(2, value: "late")
        try await end.value
        #expect(fleet.spawner.runningTasks == 0)
    }
}
