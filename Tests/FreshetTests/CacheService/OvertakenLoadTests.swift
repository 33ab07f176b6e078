import Freshet
import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

/// C1, as far as one process can hold it without generations: a load that began before a write is not stored after it.
@Suite struct OvertakenLoadTests {
    let gate = Gate()

    static let writes: [(@Sendable (CacheService) async throws -> Void, String?)] = [
        ({ try await $0.del("k") }, nil),
        ({ try await $0.set("k", 99) }, "99"),
        ({ try await $0.incr("k", by: 5) }, "5"),
        ({ try await $0.expire("k", seconds: 0) }, nil),
        ({ try await $0.strict.del("k") }, nil),
    ]

    @Test(arguments: writes.indices)
    func aLoadDoesNotOverwriteALaterWrite(index: Int) async throws {
        let (write, left) = Self.writes[index]
        let bench = try await CacheBench.ready()
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        try await write(bench.cache)
        gate.finish(1, with: 1)
        #expect(try await reader.value == 1)
        #expect(try await bench.text("k") == left)
    }

    @Test func laterReadersDoNotJoinAnOvertakenLoad() async throws {
        let bench = try await CacheBench.ready()
        let early = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        try await bench.cache.del("k")
        let late = bench.spawner.task { try await load(bench) }
        try await waitUntil("the second load") { gate.started == 2 }
        gate.finish(2, with: 2)
        #expect(try await late.value == 2)
        gate.finish(1, with: 1)
        #expect(try await early.value == 1)
        #expect(try await bench.text("k") == "2")
    }

    @Test func aWriteWaitsForALoadThatIsBeingStored() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.delay(.milliseconds(100)), into: [.set])
        gate.finish(1, with: 1)
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the store") { bench.store.calls(of: .set) == 1 }
        await bench.spawner.settle()
        let removal = bench.spawner.task { try await bench.cache.del("k") }
        await bench.spawner.settle()
        #expect(bench.store.calls(of: .del) == 0)
        await bench.spawner.advance(by: .milliseconds(100))
        #expect(try await removal.value == 1)
        #expect(try await reader.value == 1)
        #expect(try await bench.text("k") == nil)
    }

    @Test func aWriteWaitsAlsoForALoadThatIsGivenUpWhileItIsBeingStored() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.hang, into: [.set])
        gate.finish(1, with: 1)
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the store") { bench.store.hangingCalls == 1 }
        bench.store.inject(.delay(.zero), into: [.set])
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        let write = bench.spawner.task { try await bench.cache.set("k", 2) }
        await bench.spawner.settle()
        bench.store.recover()
        #expect(try await write.value == .stored)
        await bench.spawner.settle()
        #expect(try await bench.text("k") == "2")
    }

    @Test func aLoadThatEndsDuringAWriteIsNotStoredAfterIt() async throws {
        let bench = try await CacheBench.ready()
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        bench.store.inject(.delay(.milliseconds(100)), into: [.del])
        bench.store.inject(.delay(.milliseconds(200)), into: [.set])
        let removal = bench.spawner.task { try await bench.cache.del("k") }
        try await waitUntil("the removal") { bench.store.calls(of: .del) == 1 }
        gate.finish(1, with: 1)
        await bench.spawner.settle()
        await bench.spawner.advance(by: .milliseconds(300))
        #expect(try await removal.value == 0)
        #expect(try await reader.value == 1)
        #expect(try await bench.text("k") == nil)
    }

    @Test(arguments: [true, false])
    func aLoadThatBeginsAndEndsDuringAWriteIsNotStoredAfterIt(increments: Bool) async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.delay(.milliseconds(100)), into: [.set, .incr])
        let write = bench.spawner.task {
            if increments { _ = try await bench.cache.incr("k", by: 5) } else { try await bench.cache.set("k", 5) }
        }
        let operation = increments ? StoreOperation.incr : .set
        try await waitUntil("the write") { bench.store.calls(of: operation) == 1 }
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        gate.finish(1, with: 1)
        await bench.spawner.settle()
        await bench.spawner.advance(by: .milliseconds(300))
        try await write.value
        #expect(try await reader.value == 1)
        #expect(try await bench.text("k") == "5")
        #expect(try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { 0 } == 5)
    }

    @Test func aReadThatMayHaveSeenTheOldValueIsNotJoinedOnceTheWriteIsOver() async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("k", 1)
        bench.store.inject(.delay(.milliseconds(100)), into: [.set])
        let write = bench.spawner.task { try await bench.cache.set("k", 2) }
        try await waitUntil("the write") { bench.store.calls(of: .set) == 2 }
        bench.store.inject(.hang, into: [.get])
        let early = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { 0 } }
        try await waitUntil("the early reader's flight") { bench.store.hangingCalls == 1 }
        await bench.spawner.advance(by: .milliseconds(100))
        #expect(try await write.value == .stored)
        let late = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { 0 } }
        try await waitUntil("the late reader's own flight") { bench.store.hangingCalls == 2 }
        bench.store.recover()
        #expect(try await late.value == 2)
        _ = try await early.value
    }

    @Test func aRefreshWaitsForALoadThatIsBeingStored() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.delay(.milliseconds(100)), into: [.set])
        gate.finish(1, with: 1)
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the store") { bench.store.calls(of: .set) == 1 }
        let refresh = bench.spawner.task { try await self.refresh(bench) }
        try await waitUntil("the refresh") { bench.cache.loads.waiters(for: "k") == 2 }
        await bench.spawner.settle()
        #expect(gate.started == 1)
        gate.finish(2, with: 2)
        await bench.spawner.advance(by: .milliseconds(200))
        #expect(try await [reader.value, refresh.value] == [1, 2])
        #expect(try await bench.text("k") == "2")
    }

    @Test func aRefreshNeverGivesWhatWasLoadedBefore() async throws {
        let bench = try await CacheBench.ready()
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        let refresh = bench.spawner.task { try await self.refresh(bench) }
        try await waitUntil("the refresh") { gate.started == 2 }
        gate.finish(1, with: 1)
        #expect(try await reader.value == 1)
        gate.finish(2, with: 2)
        #expect(try await refresh.value == 2)
        #expect(try await bench.text("k") == "2")
        #expect(try await bench.cache.ttl("k") == 60)
    }

    @Test func atMostOneRefreshRunsAndOneWaits() async throws {
        let bench = try await CacheBench.ready()
        let first = bench.spawner.task { try await refresh(bench) }
        try await waitUntil("the first refresh") { gate.started == 1 }
        let later = (0..<20).map { _ in bench.spawner.task { try await refresh(bench) } }
        try await waitUntil("the later callers") { bench.cache.loads.waiters(for: "k") == 21 }
        gate.finish(1, with: 1)
        #expect(try await first.value == 1)
        try await waitUntil("the second refresh") { gate.started == 2 }
        gate.finish(2, with: 2)
        for caller in later { #expect(try await caller.value == 2) }
        #expect(gate.started == 2)
    }

    @Test func aRefreshKeepsTheOldValueUntilItHasANewOne() async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("k", 0)
        let refresh = bench.spawner.task { try await self.refresh(bench) }
        try await waitUntil("the refresh") { gate.started == 1 }
        #expect(try await bench.cache.get("k") == 0)
        gate.fail(1)
        await #expect(throws: Gate.Broken.self) { try await refresh.value }
        #expect(try await bench.cache.get("k") == 0)
    }

    @Test func aPurgeRemovesItFirst() async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("k", 0)
        let refresh = bench.spawner.task { try await self.refresh(bench, purge: true) }
        try await waitUntil("the refresh") { gate.started == 1 }
        #expect(try await !bench.cache.exists("k"))
        gate.finish(1, with: 1)
        #expect(try await refresh.value == 1)
        #expect(try await bench.text("k") == "1")
    }

    @Test func aPurgeThatBeginsDuringAWriteDeletesNothing() async throws {
        let bench = try await CacheBench.ready()
        let first = bench.spawner.task { try await refresh(bench) }
        try await waitUntil("the first refresh") { gate.started == 1 }
        let second = bench.spawner.task { try await refresh(bench, purge: true) }
        try await waitUntil("the one that waits") { bench.cache.loads.waiters(for: "k") == 2 }
        bench.store.inject(.delay(.milliseconds(100)), into: [.set])
        bench.store.inject(.delay(.milliseconds(200)), into: [.del])
        let write = bench.spawner.task { try await bench.cache.set("k", 9) }
        try await waitUntil("the write") { bench.store.calls(of: .set) == 1 }
        for number in 1...2 { gate.finish(number, with: number) }
        await bench.spawner.advance(by: .milliseconds(300))
        #expect(try await write.value == .stored)
        #expect(try await [first.value, second.value] == [1, 2])
        #expect(try await bench.text("k") == "9")
    }

    @Test(arguments: [false, true]) func aWriteWaitsForAPurgeThoughThatIsGivenUp(isGivenUp: Bool) async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.hang, into: [.del])
        gate.finish(1, with: 1)
        let refresh = bench.spawner.task { try await self.refresh(bench, purge: true) }
        try await waitUntil("the purge") { bench.store.hangingCalls == 1 }
        if isGivenUp {
            refresh.cancel()
            await #expect(throws: CancellationError.self) { try await refresh.value }
        }
        let write = bench.spawner.task { try await bench.cache.set("k", 9) }
        await bench.spawner.settle()
        #expect(bench.store.calls(of: .set) == 0)
        bench.store.recover()
        #expect(try await write.value == .stored)
        _ = await refresh.result
        await bench.spawner.settle()
        #expect(try await bench.text("k") == "9")
    }

    @Test func aPurgeIsLeftOutWhereItsCallerHasLeft() async throws {
        let spawner = TestSpawner()
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: RecordedLogs().logger)
        try await cache.initialize()
        try await cache.set("k", 0)
        let refresh = spawner.task {
            while !Task.isCancelled { await Task.yield() }
            return try await cache.refresh(key: "k", ttl: .seconds(60), purge: true) { 1 }
        }
        refresh.cancel()
        await #expect(throws: CancellationError.self) { try await refresh.value }
        await spawner.settle()
        #expect(try await cache.get("k") == 0)
    }

    @Test func aPurgeIsLeftOutAtTheShutdown() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.hang, into: [.set])
        gate.finish(1, with: 1)
        let reader = bench.spawner.task { try await load(bench) }
        try await waitUntil("the store") { bench.store.hangingCalls == 1 }
        let refresh = bench.spawner.task { try await self.refresh(bench, purge: true) }
        try await waitUntil("the refresh") { bench.cache.loads.waiters(for: "k") == 2 }
        let shutdown = bench.spawner.task { try await bench.cache.shutdown() }
        await bench.spawner.settle()
        bench.store.recover()
        try await shutdown.value
        #expect(await code { _ = try await refresh.value } == .shuttingDown)
        _ = await reader.result
        #expect(bench.store.calls(of: .del) == 0)
    }

    @Test func aPurgeThatFailsIsSaidThoughTheLoadFailsToo() async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("k", 0)
        bench.store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.del])
        await #expect(throws: Gate.Broken.self) {
            try await bench.cache.refresh(key: "k", ttl: .seconds(60), purge: true) { () -> Int in throw Gate.Broken() }
        }
        #expect(bench.logs.entries.count { $0.metadata["cache.operation"] == "del" } == 1)
        #expect(try await bench.cache.refresh(key: "k", ttl: .seconds(60), purge: true) { 1 } == 1)
        #expect(
            await code {
                _ = try await bench.cache.strict.refresh(key: "k", ttl: .seconds(60), purge: true) { 2 }
            } == .storeUnavailable
        )
    }

    @Test func aPurgeThatFailsIsThrownOrLogged() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheError(.storeUnavailable, "away")), into: [.del])
        let failure = await code {
            _ = try await bench.cache.strict.refresh(key: "k", ttl: .seconds(60), purge: true) { 1 }
        }
        #expect(failure == .storeUnavailable)
        #expect(bench.logs.entries.allSatisfy { $0.level <= .info })
        #expect(try await bench.cache.refresh(key: "k", ttl: .seconds(60), purge: true) { 2 } == 2)
        #expect(bench.logs.entries.count { $0.metadata["cache.operation"] == "del" } == 1)
    }

    @Test func aRefreshWithoutTheStoreGivesItsValue() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheBench.Foreign()))
        gate.finish(1, with: 1)
        #expect(try await refresh(bench) == 1)
        let failure = await code {
            _ = try await bench.cache.strict.refresh(key: "k", ttl: .seconds(1), purge: true) { 2 }
        }
        #expect(failure == .storeUnavailable)
    }

    @Test func manyWritersReadersAndRefreshersAtOnce() async throws {
        let cache = CacheService(store: MemoryStore(), logger: RecordedLogs().logger)
        try await cache.initialize()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<2000 {
                group.addTask {
                    let key = "k\(index % 7)"
                    switch index % 5 {
                    case 0: try await cache.del(key)
                    case 1: try await cache.set(key, index)
                    case 2: try await cache.refresh(key: key, ttl: .seconds(1)) { index }
                    default:
                        let reader = Task { try await cache.getOrLoad(key: key, ttl: .seconds(1)) { index } }
                        if index.isMultiple(of: 3) { reader.cancel() }
                        _ = try? await reader.value
                    }
                }
            }
            try await group.waitForAll()
        }
        try await cache.del((0..<7).map { "k\($0)" })
        for index in 0..<7 { #expect(cache.loads.waiters(for: "k\(index)") == 0) }
        try await cache.shutdown()
    }

    private func load(_ bench: CacheBench) async throws -> Int {
        let gate = gate
        return try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) { try await gate.run() }
    }

    private func refresh(_ bench: CacheBench, purge: Bool = false) async throws -> Int {
        let gate = gate
        return try await bench.cache.refresh(key: "k", ttl: .seconds(60), purge: purge) { try await gate.run() }
    }
}
