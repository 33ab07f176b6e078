import Freshet
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct GetOrLoadTests {
    let gate = Gate()

    @Test func aMissIsLoadedAndStoredAndAHitIsNot() async throws {
        let bench = try await CacheBench.ready()
        gate.finish(1, with: 7)
        #expect(try await load(bench) == 7)
        #expect(try await load(bench) == 7)
        #expect(gate.started == 1)
        #expect(try await bench.cache.ttl("k") == 60)
        await bench.spawner.advance(by: .seconds(60))
        gate.finish(2, with: 8)
        #expect(try await bench.cache.strict.getOrLoad(key: "k", ttl: .seconds(60)) { try await gate.run() } == 8)
    }

    /// C2
    @Test func tenThousandWaitersCostOneLoad() async throws {
        let memory = MemoryStore()
        let cache = CacheService(store: memory, logger: RecordedLogs().logger)
        try await cache.initialize()
        let gate = gate
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10_000 {
                group.addTask { try await cache.getOrLoad(key: "k", ttl: .seconds(60)) { try await gate.run() } }
            }
            try await waitUntil("the load") { gate.started == 1 }
            gate.finish(1, with: 7)
            return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(values == [7: 10_000])
        #expect(gate.started == 1)
    }

    @Test func keysThatAreSpelledAlikeToTheEyeOnlyShareNoLoad() async throws {
        let bench = try await CacheBench.ready()
        let keys = ["caf\u{e9}", "cafe\u{301}"]
        let readers = keys.map { key in
            bench.spawner.task {
                try await bench.cache.getOrLoad(key: key, ttl: .seconds(60)) { try await gate.run() }
            }
        }
        try await waitUntil("both loads") { gate.started == 2 }
        for number in 1...2 { gate.finish(number, with: number) }
        var values: Set<Int> = []
        for (key, reader) in zip(keys, readers) {
            let value = try await reader.value
            values.insert(value)
            #expect(try await bench.text(key) == "\(value)")
        }
        #expect(values == [1, 2])
    }

    /// C4
    @Test func aFailureIsSharedAndTriedAgain() async throws {
        let bench = try await CacheBench.ready()
        let callers = (0..<10).map { _ in bench.spawner.task { try await load(bench) } }
        try await waitUntil("the load") { gate.started == 1 }
        await bench.spawner.settle()
        gate.fail(1)
        for caller in callers { await #expect(throws: Gate.Broken.self) { try await caller.value } }
        gate.finish(2, with: 8)
        #expect(try await load(bench) == 8)
    }

    /// C3
    @Test func aCancelledWaiterFreesItselfAloneAndTheLastOneTheLoad() async throws {
        let bench = try await CacheBench.ready()
        let first = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        let second = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) { 0 } }
        try await waitUntil("the second reader") { bench.cache.loads.waiters(for: "k") == 2 }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        #expect(gate.cancelled == 0)
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        try await waitUntil("the load's cancellation") { gate.cancelled == 1 }
        gate.finish(2, with: 8)
        #expect(try await load(bench) == 8)
        await bench.spawner.settle()
        #expect(bench.spawner.runningTasks == 0)
    }

    /// C2
    @Test func noMoreThanTwoLoadsRunThoughTheyHeedNoCancellation() async throws {
        let bench = try await CacheBench.ready()
        let loads = [Hanging(), Hanging(), Hanging()]
        let begun = NIOLockedValueBox(0)
        let load: @Sendable () async throws -> Int = {
            let number = begun.withLockedValue { count in
                defer { count += 1 }
                return count
            }
            await loads[number].wait()
            return number
        }
        for number in 1...2 {
            let caller = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60), load: load) }
            try await waitUntil("load \(number)") { begun.withLockedValue { $0 } == number }
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
        }
        let caller = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60), load: load) }
        try await waitUntil("the third caller") { bench.cache.loads.waiters(for: "k") == 1 }
        await bench.spawner.settle()
        #expect(begun.withLockedValue { $0 } == 2)
        loads[1].end()
        loads[2].end()
        #expect(try await caller.value == 2)
        loads[0].end()
    }

    @Test(arguments: [true, false]) func readersGetWhatIsStoredWhileItIsRefreshed(isPurged: Bool) async throws {
        let bench = try await CacheBench.ready()
        try await bench.cache.set("k", 0)
        let refresh = bench.spawner.task {
            try await bench.cache.refresh(key: "k", ttl: .seconds(60), purge: isPurged) { try await gate.run() }
        }
        try await waitUntil("the refresh") { gate.started == 1 }
        let reader = bench.spawner.task { try await load(bench) }
        if isPurged {
            try await waitUntil("the reader") { bench.cache.loads.waiters(for: "k") == 2 }
        } else {
            #expect(try await reader.value == 0)
        }
        gate.fail(1)
        await #expect(throws: Gate.Broken.self) { try await refresh.value }
        if isPurged { await #expect(throws: Gate.Broken.self) { try await reader.value } }
    }

    @Test func whoeverWaitsForATurnGetsWhatHasBeenStoredMeanwhile() async throws {
        let bench = try await CacheBench.ready()
        var waiting: [Task<Int, any Error>] = []
        for number in 1...2 {
            waiting.append(bench.spawner.task { try await load(bench) })
            try await waitUntil("load \(number)") { gate.started == number }
            try await bench.cache.set("k", 5)
            _ = try await bench.cache.del("k")
        }
        waiting.append(bench.spawner.task { try await load(bench) })
        try await waitUntil("the third caller") { bench.cache.loads.waiters(for: "k") == 3 }
        try await bench.cache.set("k", 6)
        #expect(try await load(bench) == 6)
        for number in 1...3 { gate.finish(number, with: number) }
        for caller in waiting { _ = try await caller.value }
    }

    /// C3
    @Test func aLoadThatHangsEndsAtItsDeadlineAndTheKeyIsFree() async throws {
        let bench = try await CacheBench.ready()
        let hanging = Hanging()
        let caller = bench.spawner.task {
            try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60), deadline: .seconds(30)) {
                await hanging.wait()
                return 1
            }
        }
        try await waitUntil("the deadline's timer") { bench.spawner.nextWakeUp?.nanoseconds == 30_000_000_000 }
        await bench.spawner.advance(by: .seconds(30))
        #expect(await code { _ = try await caller.value } == .sourceTimedOut)
        gate.finish(1, with: 8)
        #expect(try await load(bench) == 8)
        hanging.end()
        await bench.spawner.settle()
        #expect(try await bench.text("k") == "8")
        #expect(bench.spawner.runningTasks == 0)
    }

    /// C3
    @Test func aLoadThatAsksForItsOwnKeyGetsAnError() async throws {
        let cache = try await CacheBench.ready().cache
        let failure = await code {
            _ = try await cache.getOrLoad(key: "k", ttl: .seconds(1)) {
                try await cache.getOrLoad(key: "k", ttl: .seconds(1)) { 1 }
            }
        }
        #expect(failure == .circularLoad)
    }

    /// C3
    @Test func aLoadThatAsksForItsOwnKeyByWayOfAnotherCacheGetsAnError() async throws {
        let bench = try await CacheBench.ready()
        let cache = bench.cache
        let other = CacheService(store: bench.store, spawner: bench.spawner, logger: bench.logs.logger)
        try await other.initialize()
        let caller = bench.spawner.task {
            try await cache.getOrLoad(key: "k", ttl: .seconds(1)) {
                try await other.getOrLoad(key: "k", ttl: .seconds(1)) {
                    try await cache.getOrLoad(key: "k", ttl: .seconds(1)) { 1 }
                }
            }
        }
        await bench.spawner.advance(by: .seconds(60))
        #expect(await code { _ = try await caller.value } == .circularLoad)
    }

    /// C3
    @Test(.timeLimit(.minutes(1)))
    func aRefreshInsideItselfLeavesNothingBehind() async throws {
        let cache = try await CacheBench.ready().cache
        let failure = await code {
            _ = try await cache.refresh(key: "k", ttl: .seconds(60)) {
                try await cache.refresh(key: "k", ttl: .seconds(60)) { 1 }
            }
        }
        #expect(failure == .circularLoad)
        #expect(try await cache.getOrLoad(key: "k", ttl: .seconds(60)) { 2 } == 2)
    }

    /// C3
    @Test func loadsThatWaitForEachOtherGetAnError() async throws {
        let cache = try await CacheBench.ready().cache
        let gate = gate
        @Sendable func load(_ key: String, then other: String) async throws -> Int {
            try await cache.getOrLoad(key: key, ttl: .seconds(1)) {
                _ = try await gate.run()
                return try await cache.getOrLoad(key: other, ttl: .seconds(1)) { 1 }
            }
        }
        async let left = code { _ = try await load("a", then: "b") }
        async let right = code { _ = try await load("b", then: "a") }
        try await waitUntil("both loads") { gate.started == 2 }
        gate.finish(1, with: 1)
        gate.finish(2, with: 2)
        #expect(await [left, right] == [.circularLoad, .circularLoad])
    }

    /// C8
    @Test func withoutTheStoreTheSourceAnswers() async throws {
        let bench = try await CacheBench.ready()
        bench.store.inject(.fail(CacheBench.Foreign()))
        #expect(try await bench.cache.getOrLoad(key: "k", ttl: .seconds(1)) { 7 } == 7)
        #expect(
            await code { _ = try await bench.cache.strict.getOrLoad(key: "k", ttl: .seconds(1)) { 7 } }
                == .storeUnavailable
        )
        #expect(bench.logs.entries.contains { $0.metadata["cache.operation"] == "set" })
    }

    @Test func oneKeyOfTwoTypes() async throws {
        let bench = try await CacheBench.ready()
        let number = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        let text = bench.spawner.task { try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) { "loaded" } }
        try await waitUntil("the second reader") { bench.cache.loads.waiters(for: "k") == 2 }
        gate.finish(1, with: 7)
        #expect(try await number.value == 7)
        #expect(try await text.value == "7")
    }

    @Test func aLoadThatCancelsItselfHasFailed() async throws {
        let cache = try await CacheBench.ready().cache
        let failure = await code {
            _ = try await cache.getOrLoad(key: "k", ttl: .seconds(1)) { () throws -> Int in throw CancellationError() }
        }
        #expect(failure == .sourceFailed)
    }

    @Test func shutdownEndsLoadsAndTheirWaiters() async throws {
        let bench = try await CacheBench.ready()
        let caller = bench.spawner.task { try await load(bench) }
        try await waitUntil("the load") { gate.started == 1 }
        try await bench.cache.shutdown()
        #expect(await code { _ = try await caller.value } == .shuttingDown)
        #expect(gate.cancelled == 1)
        await bench.spawner.settle()
        #expect(bench.spawner.runningTasks == 0)
    }

    @Test func shutdownWaitsForALoadThatCleansUp() async throws {
        let bench = try await CacheBench.ready()
        let hanging = Hanging()
        let caller = bench.spawner.task { try await load(bench, until: hanging) }
        await bench.spawner.settle()
        let shutdown = bench.spawner.task {
            try await bench.cache.shutdown()
            return hanging.wasCancelled
        }
        #expect(await code { _ = try await caller.value } == .shuttingDown)
        await bench.spawner.settle()
        hanging.end()
        #expect(try await shutdown.value == true)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func aLoadThatDoesNotEndHoldsTheShutdownUpForTenSeconds(isCancelled: Bool) async throws {
        let bench = try await CacheBench.ready()
        let hanging = Hanging()
        let caller = bench.spawner.task { try await load(bench, until: hanging) }
        await bench.spawner.settle()
        let shutdown = bench.spawner.task {
            try await bench.cache.shutdown()
            return bench.spawner.now()
        }
        if isCancelled { shutdown.cancel() }
        let end = bench.spawner.now() + .seconds(10)
        await bench.spawner.advance(by: .seconds(10))
        #expect(try await shutdown.value == end)
        #expect(bench.logs.entries.contains { $0.level == .warning && $0.message.contains("does not end") })
        _ = await caller.result
        hanging.end()
        await bench.spawner.settle()
        #expect(bench.spawner.runningTasks == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func aLoadThatShutsItsCacheDownWaitsNoLongerThanThat() async throws {
        let bench = try await CacheBench.ready()
        let caller = bench.spawner.task {
            try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) {
                try await bench.cache.shutdown()
                return 1
            }
        }
        await bench.spawner.advance(by: .seconds(10))
        #expect(await code { _ = try await caller.value } == .shuttingDown)
        await bench.spawner.settle()
        #expect(bench.spawner.runningTasks == 0)
    }

    @Test func aLoadDoesNotSeeItsCallersTaskLocals() async throws {
        let cache = try await CacheBench.ready().cache
        let seen = try await Request.$id.withValue(7) {
            try await cache.getOrLoad(key: "k", ttl: .seconds(1)) { Request.id }
        }
        #expect(seen == 0)
    }

    @Test func aTimeToLiveThatCannotBe() async throws {
        let cache = try await CacheBench.ready().cache
        #expect(await code { _ = try await cache.getOrLoad(key: "k", ttl: .zero) { 1 } } == .invalidArgument)
        #expect(await code { _ = try await cache.refresh(key: "k", ttl: .microseconds(999)) { 1 } } == .invalidArgument)
    }

    private enum Request {
        @TaskLocal static var id = 0
    }

    private func load(_ bench: CacheBench) async throws -> Int {
        let gate = gate
        return try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) { try await gate.run() }
    }

    private func load(_ bench: CacheBench, until hanging: Hanging) async throws -> Int {
        try await bench.cache.getOrLoad(key: "k", ttl: .seconds(60)) {
            await hanging.wait()
            return 1
        }
    }
}
