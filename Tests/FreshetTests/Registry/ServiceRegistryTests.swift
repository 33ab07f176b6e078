import Freshet
import FreshetTesting
import NIOConcurrencyHelpers
import TestSupport
import Testing

@Suite struct ServiceRegistryTests {
    let journal = ServiceJournal()
    let registry = ServiceRegistry(logger: RecordedLogs().logger)

    @Test func aServiceIsStartedOnFirstUseAfterWhatItDependsOn() async throws {
        try register("c", dependsOn: ["b"])
        try register("b", dependsOn: ["a"])
        try register("a")
        try register("unused")
        let service = try await registry.service("c", as: RecordingService.self)
        #expect(service.name == "c")
        #expect(journal.events == ["start a", "started a", "start b", "started b", "start c", "started c"])
        _ = try await registry.service("c", as: RecordingService.self)
        #expect(journal.events.count == 6)
    }

    @Test func tenThousandWhoAskStartItOnce() async throws {
        let gate = Gate()
        try register("a", start: { _ = try await gate.run() })
        let registry = registry
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<10_000 {
                group.addTask { try await registry.service("a", as: RecordingService.self).name }
            }
            try await waitUntil("the start") { gate.started == 1 }
            gate.finish(1, with: 1)
            return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(answers == ["a": 10_000])
        #expect(journal.count("start a") == 1)
    }

    @Test func aFailureIsToldToAllWhoWaitAndTriedAgain() async throws {
        let gate = Gate()
        try register("a", start: { _ = try await gate.run() })
        let callers = (0..<20).map { _ in Task { try await registry.service("a", as: RecordingService.self) } }
        try await waitUntil("the waiters") { registry.waiters(for: "a") == 20 }
        gate.fail(1)
        for caller in callers { await #expect(throws: Gate.Broken.self) { try await caller.value } }
        gate.finish(2, with: 1)
        #expect(try await registry.service("a", as: RecordingService.self).name == "a")
        #expect(journal.count("start a") == 2)
    }

    @Test func aFailingDependencyFailsWhatNeedsIt() async throws {
        try register("a", start: { throw RecordingService.Broken(name: "a") })
        try register("b", dependsOn: ["a"])
        await #expect(throws: RecordingService.Broken(name: "a")) {
            try await registry.service("b", as: RecordingService.self)
        }
        #expect(journal.count("start b") == 0)
    }

    @Test func aCancelledCallerStopsWaitingAndTheStartGoesOn() async throws {
        let gate = Gate()
        try register("a", start: { _ = try await gate.run() })
        let caller = Task { try await registry.service("a", as: RecordingService.self) }
        try await waitUntil("the start") { gate.started == 1 }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        let late = Task { [registry] in
            while !Task.isCancelled { await Task.yield() }
            return try await registry.service("a", as: RecordingService.self)
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(gate.cancelled == 0)
        gate.finish(1, with: 1)
        _ = try await registry.service("a", as: RecordingService.self)
        #expect(journal.count("start a") == 1)
    }

    @Test func aWrongTypeIsAnErrorThatNamesBoth() async throws {
        try register("a")
        let failure = try await thrown(CacheError.self) { _ = try await registry.service("a", as: OtherService.self) }
        #expect(failure?.code == .configuration)
        #expect(failure?.message == "service 'a' is a RecordingService, not a OtherService")
    }

    @Test func aTypeMayBeAProtocol() async throws {
        try register("a")
        _ = try await registry.service("a", as: (any CoreService).self)
    }

    @Test func aKeyIsRegisteredOnce() throws {
        try register("a")
        #expect(throws: CacheError.self) { try register("a") }
    }

    @Test func aMissingRegistrationNamesThePath() async throws {
        try register("a", dependsOn: ["b"])
        try register("b", dependsOn: ["c"])
        for operation: @Sendable () async throws -> Void in [
            { _ = try await registry.service("a", as: RecordingService.self) },
            { try await registry.initializeCoreServices(["a"]) },
        ] {
            let failure = try await thrown(CacheError.self, by: operation)
            #expect(failure?.code == .configuration)
            #expect(failure?.message == "no service 'c' is registered: a → b → c")
        }
        #expect(journal.events.isEmpty)
    }

    @Test func aCircleNamesThePath() async throws {
        try register("x", dependsOn: ["a"])
        try register("a", dependsOn: ["b"])
        try register("b", dependsOn: ["a"])
        try register("self", dependsOn: ["self"])
        let circle = try await thrown(CacheError.self) { try await registry.initializeCoreServices(["x"]) }
        #expect(circle?.code == .configuration)
        #expect(circle?.message == "services depend on each other in a circle: a → b → a")
        let own = try await thrown(CacheError.self) {
            _ = try await registry.service("self", as: RecordingService.self)
        }
        #expect(own?.message == "services depend on each other in a circle: self → self")
        #expect(journal.events.isEmpty)
    }

    @Test func aCircleThatOnlyShowsWhileServicesAreMadeIsFoundToo() async throws {
        for (key, other) in [("a", "b"), ("b", "a")] as [(ServiceKey, ServiceKey)] {
            try registry.register(key) { [journal] registry in
                _ = try await registry.service(other, as: RecordingService.self)
                return RecordingService(name: key.description, journal: journal)
            }
        }
        let registry = registry
        async let left = thrown(CacheError.self) { _ = try await registry.service("a", as: RecordingService.self) }
        async let right = thrown(CacheError.self) { _ = try await registry.service("b", as: RecordingService.self) }
        for failure in try await [left, right] {
            #expect(failure?.code == .configuration)
            #expect(failure?.message.contains("in a circle: ") == true)
        }
    }

    @Test func whatAFailedStartHadAskedForIsForgotten() async throws {
        try registry.register("a") { [journal] registry in
            if journal.count("stopped b") == 0 {
                _ = try await registry.service("b", as: RecordingService.self)
                throw RecordingService.Broken(name: "a")
            }
            return RecordingService(name: "a", journal: journal)
        }
        try registry.register("b") { [journal] registry in
            if journal.count("stopped b") == 1 { _ = try await registry.service("a", as: RecordingService.self) }
            return RecordingService(name: "b", journal: journal)
        }
        await #expect(throws: RecordingService.Broken.self) { try await registry.initializeCoreServices(["a"]) }
        _ = try await registry.service("b", as: RecordingService.self)
        #expect(journal.isOrdered("stopped b", "started a"))
    }

    @Test func whatAStartedServiceAsksForLaterIsNone() async throws {
        let gate = Gate()
        let later = NIOLockedValueBox<Task<RecordingService, any Error>?>(nil)
        try registry.register("a") { [journal] registry in
            let task = Task {
                _ = try await gate.run()
                return try await registry.service("b", as: RecordingService.self)
            }
            later.withLockedValue { $0 = task }
            return RecordingService(name: "a", journal: journal)
        }
        try register("b", dependsOn: ["a"])
        _ = try await registry.service("a", as: RecordingService.self)
        gate.finish(1, with: 1)
        let task = try #require(later.withLockedValue { $0 })
        #expect(try await task.value.name == "b")
    }

    @Test func whatAServiceAsksForWhileItIsMadeIsADependency() async throws {
        try register("a")
        try registry.register("b") { [journal] registry in
            _ = try await registry.service("a", as: RecordingService.self)
            return RecordingService(name: "b", journal: journal)
        }
        _ = try await registry.service("b", as: RecordingService.self)
        try await registry.shutdown()
        #expect(
            journal.events == [
                "start a", "started a", "start b", "started b", "stop b", "stopped b", "stop a", "stopped a",
            ]
        )
    }

    @Test func theCacheAndWhatLivesOnIt() async throws {
        let logger = RecordedLogs().logger
        try registry.register(.cache) { _ in CacheService(store: MemoryStore(), logger: logger) }
        try register("mailer", dependsOn: [.cache])
        try await registry.initializeCoreServices([.cache, "mailer"])
        let cache: CacheService = try await registry.service(.cache)
        #expect(try await cache.set("a", 1) == .stored)
        try await registry.shutdown()
        #expect(await code { try await cache.set("a", 1) } == .notInitialized)
    }

    private func register(
        _ key: ServiceKey,
        dependsOn dependencies: [ServiceKey] = [],
        start: @escaping @Sendable () async throws -> Void = {}
    ) throws {
        try registry.register(key, dependsOn: dependencies) { [journal] _ in
            RecordingService(name: key.description, journal: journal, start: start)
        }
    }
}
