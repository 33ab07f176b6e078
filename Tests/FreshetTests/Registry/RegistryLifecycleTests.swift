import Freshet
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import ServiceLifecycleTestKit
import TestSupport
import Testing

@Suite struct RegistryLifecycleTests {
    let journal = ServiceJournal()
    let logs = RecordedLogs()

    @Test func independentServicesStartAtTheSameTime() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        for key in ["a", "b", "c"] as [ServiceKey] {
            try register(key, in: registry, start: { _ = try await gate.run() })
        }
        try register("d", in: registry, dependsOn: ["a", "b", "c"])
        let start = Task { try await registry.initializeCoreServices(["d"]) }
        try await waitUntil("all three") { gate.started == 3 }
        #expect(journal.count("start d") == 0)
        for number in 1...3 { gate.finish(number, with: number) }
        try await start.value
        #expect(journal.events.last == "started d")
    }

    @Test func shutdownGoesInReverseOrderOfDependency() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("a", in: registry)
        try register("b", in: registry, dependsOn: ["a"])
        try register("c", in: registry, dependsOn: ["a"])
        try register("d", in: registry, dependsOn: ["b", "c"])
        try register("never", in: registry)
        try await registry.initializeCoreServices(["d"])
        try await registry.shutdown()
        for (first, second) in [("d", "b"), ("d", "c"), ("b", "a"), ("c", "a")] {
            #expect(journal.isOrdered("stopped \(first)", "stop \(second)"))
        }
        #expect(journal.events.count == 16)
        try await registry.shutdown()
        #expect(journal.events.count == 16)
        let failure = await code { _ = try await registry.service("never", as: RecordingService.self) }
        #expect(failure == .shuttingDown)
    }

    @Test func shutdownGoesThroughToTheEndWhateverFails() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        for (key, dependencies) in [("a", []), ("b", ["a"]), ("c", ["b"])] as [(ServiceKey, [ServiceKey])] {
            try registry.register(key, dependsOn: dependencies) { [journal] _ in
                RecordingService(
                    name: key.description,
                    journal: journal,
                    stop: { throw RecordingService.Broken(name: key.description) }
                )
            }
        }
        try await registry.initializeCoreServices(["c"])
        await #expect(throws: RecordingService.Broken(name: "c")) { try await registry.shutdown() }
        #expect(Array(journal.events.suffix(3)) == ["stop c", "stop b", "stop a"])
        let logged = logs.entries.filter { $0.level == .error }.compactMap { $0.metadata["service.key"] }
        #expect(logged == ["b", "a"])
    }

    @Test func aPartialFailureShutsDownWhatTheCallHasStarted() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("before", in: registry)
        try register("a", in: registry, dependsOn: ["before"])
        try register("bad", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "bad") })
        let gate = Gate()
        try register("slow", in: registry, dependsOn: ["a"], start: { _ = try await gate.run() })
        _ = try await registry.service("before", as: RecordingService.self)
        let start = Task { try await registry.initializeCoreServices(["bad", "slow"]) }
        try await waitUntil("the slow one") { gate.started == 1 }
        gate.finish(1, with: 1)
        await #expect(throws: RecordingService.Broken(name: "bad")) { try await start.value }
        #expect(journal.isOrdered("started slow", "stop slow"))
        #expect(journal.isOrdered("stopped slow", "stop a"))
        #expect(journal.count("stop before") == 0)
        #expect(journal.count("stop bad") == 0)
        _ = try await registry.service("a", as: RecordingService.self)
        #expect(journal.count("start a") == 2)
    }

    @Test(arguments: [false, true]) func aFailingShutdownAfterAFailedStartIsLogged(isRun: Bool) async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try registry.register("a") { [journal] _ in
            RecordingService(name: "a", journal: journal, stop: { throw RecordingService.Broken(name: "a") })
        }
        try register("b", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "b") })
        // So that it is not shut down before the rest.
        if isRun { _ = try await registry.service("a", as: RecordingService.self) }
        await #expect(throws: RecordingService.Broken(name: "b")) {
            if isRun { try await registry.run() } else { try await registry.initializeCoreServices(["b"]) }
        }
        #expect(journal.count("stop a") == 1)
        let logged = logs.entries.filter { $0.level == .error }.compactMap { $0.metadata["service.key"] }
        #expect(logged == ["a"])
    }

    @Test func whatSomebodyElseAskedForMeanwhileStays() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry)
        try register("bad", in: registry, dependsOn: ["a"], start: { _ = try await gate.run() })
        let start = Task { try await registry.initializeCoreServices(["bad"]) }
        try await waitUntil("the start") { gate.started == 1 }
        _ = try await registry.service("a", as: RecordingService.self)
        gate.fail(1)
        await #expect(throws: Gate.Broken.self) { try await start.value }
        #expect(journal.count("stop a") == 0)
        try await registry.shutdown()
        #expect(journal.count("stop a") == 1)
    }

    @Test func soDoesWhatThatDependsOn() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry)
        try register("b", in: registry, dependsOn: ["a"])
        try register("bad", in: registry, start: { _ = try await gate.run() })
        let start = Task { try await registry.initializeCoreServices(["b", "bad"]) }
        try await waitUntil("the starts") { gate.started == 1 && journal.count("started b") == 1 }
        _ = try await registry.service("b", as: RecordingService.self)
        gate.fail(1)
        await #expect(throws: Gate.Broken.self) { try await start.value }
        #expect(journal.events.filter { $0.hasPrefix("stop") }.isEmpty)
        try await registry.shutdown()
        #expect(journal.isOrdered("stopped b", "stop a"))
    }

    @Test(arguments: ["a", "b"] as [ServiceKey])
    func whoeverNeedsAStartThatWasGivenUpHasItStartedAnew(key: ServiceKey) async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry) { [journal] in
            try await withTaskCancellationHandler {
                _ = try await Task { try await gate.run() }.value
                try Task.checkCancellation()
            } onCancel: {
                journal.note("given up")
            }
        }
        try register("b", in: registry, dependsOn: ["a"])
        let start = Task { try await registry.initializeCoreServices([key]) }
        try await waitUntil("the start") { gate.started == 1 }
        start.cancel()
        try await waitUntil("its end") { journal.count("given up") == 1 && registry.waiters(for: "a") > 0 }
        let others = registry.waiters(for: key)
        let other = Task { try await registry.service(key, as: RecordingService.self) }
        try await waitUntil("the other one") { registry.waiters(for: key) == others + 1 }
        for number in 1...2 { gate.finish(number, with: number) }
        _ = try await other.value
        await #expect(throws: CancellationError.self) { try await start.value }
        #expect(journal.count("started a") == 1 && journal.count("stop a") == 0)
    }

    @Test func aCallThatIsCancelledGivesUpNoStartThatSomebodyElseNeeds() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry, start: { _ = try await gate.run() })
        try register("b", in: registry, dependsOn: ["a"])
        let start = Task { try await registry.initializeCoreServices(["b"]) }
        try await waitUntil("the start") { gate.started == 1 }
        let asking = Task { try await registry.service("b", as: RecordingService.self) }
        try await waitUntil("the one who asks") { registry.waiters(for: "b") == 2 }
        start.cancel()
        await #expect(throws: CancellationError.self) { try await start.value }
        gate.finish(1, with: 1)
        _ = try await asking.value
        #expect(journal.events.last == "started b")
        try await registry.shutdown()
    }

    @Test func aCallThatAServiceMakesTakesBackWhatItHasStartedToo() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("a", in: registry)
        try register("bad", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "bad") })
        try registry.register("b") { [journal] registry in
            try? await registry.initializeCoreServices(["bad"])
            return RecordingService(name: "b", journal: journal)
        }
        _ = try await registry.service("b", as: RecordingService.self)
        let attempt = ["start a", "started a", "start bad", "stop a", "stopped a"]
        #expect(journal.events == attempt + ["start b", "started b"])
        await #expect(throws: RecordingService.Broken.self) { try await registry.initializeCoreServices(["bad"]) }
        #expect(
            journal.events == attempt + ["start b", "started b"] + attempt,
            "nobody needs it though b asked for it"
        )
        try await registry.shutdown()
    }

    @Test func suchACallKeepsNothingForTheServiceThatMakesIt() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("a", in: registry)
        try register("bad", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "bad") })
        try registry.register("b") { [journal] registry in
            try? await registry.initializeCoreServices(["a", "bad"])
            return RecordingService(name: "b", journal: journal)
        }
        _ = try await registry.service("b", as: RecordingService.self)
        #expect(journal.isOrdered("stopped a", "start b"))
        try await registry.shutdown()
    }

    @Test func theSameNameInAnotherRegistryIsAnotherService() async throws {
        let (inner, outer) = (ServiceRegistry(logger: logs.logger), ServiceRegistry(logger: logs.logger))
        let gate = Gate()
        try register("a", in: inner, start: { _ = try await gate.run() })
        try register("b", in: inner, dependsOn: ["a"])
        try outer.register("a") { _ in try await inner.service("b", as: RecordingService.self) }
        let first = Task { try await inner.service("a", as: RecordingService.self) }
        try await waitUntil("the start") { gate.started == 1 }
        let second = Task { try await outer.service("a", as: RecordingService.self) }
        try await waitUntil("the one who asks") { inner.waiters(for: "b") == 1 }
        gate.finish(1, with: 1)
        #expect(try await [first.value, second.value].map(\.name) == ["a", "b"])
    }

    @Test func askingWhileItIsShutDownAfterAPartialFailureStartsItAgain() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let stop = Gate()
        try registry.register("a") { [journal] _ in
            RecordingService(name: "a", journal: journal, stop: { _ = try await stop.run() })
        }
        try register("bad", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "bad") })
        let start = Task { try await registry.initializeCoreServices(["bad"]) }
        try await waitUntil("the shutdown") { stop.started == 1 }
        let asking = Task { try await registry.service("a", as: RecordingService.self) }
        try await waitUntil("the one who asks") { registry.waiters(for: "a") == 1 }
        stop.finish(1, with: 1)
        _ = try await asking.value
        await #expect(throws: RecordingService.Broken.self) { try await start.value }
        #expect(journal.events.last == "started a")
        #expect(journal.count("started a") == 2)
        stop.finish(2, with: 1)
        try await registry.shutdown()
    }

    @Test func shutdownWaitsForAStartThatDoesNotHeedItsCancellation() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry, start: { _ = try await Task { try await gate.run() }.value })
        let asking = Task { try await registry.service("a", as: RecordingService.self) }
        try await waitUntil("the start") { gate.started == 1 }
        let shutdown = Task { try await registry.shutdown() }
        try await waitUntil("the shutdown") { registry.waiters(for: "a") == 2 }
        gate.finish(1, with: 1)
        try await shutdown.value
        #expect(await code { _ = try await asking.value } == .shuttingDown)
        #expect(journal.isOrdered("started a", "stop a"))
    }

    @Test func shutdownGivesUpAllStartsAtOnce() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try registry.register("a") { [journal] registry in
            // A task of its own is not cancelled with the start.
            _ = try await Task { try await registry.service("b", as: RecordingService.self) }.value
            return RecordingService(name: "a", journal: journal)
        }
        try register("b", in: registry, start: { _ = try await gate.run() })
        let starting = Task { try await registry.service("a", as: RecordingService.self) }
        try await waitUntil("the start") { gate.started == 1 }
        try await registry.shutdown()
        #expect(gate.cancelled == 1)
        #expect(await code { _ = try await starting.value } == .shuttingDown)
    }

    @Test func shutdownGivesUpWhatIsBeingStartedWhoeverAskedForIt() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry, start: { _ = try await gate.run() })
        try register("b", in: registry, dependsOn: ["a"])
        let asking = Task { try await registry.service("b", as: RecordingService.self) }
        let starting = Task { try await registry.initializeCoreServices(["b"]) }
        try await waitUntil("both") { gate.started == 1 && registry.waiters(for: "b") == 2 }
        try await registry.shutdown()
        #expect(gate.cancelled == 1 && gate.started == 1)
        #expect(await code { _ = try await asking.value } == .shuttingDown)
        #expect(await code { try await starting.value } == .shuttingDown)
        #expect(journal.events == ["start a"])
    }

    @Test func aCallWhoseStartTheShutdownGivesUpIsToldSo() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry, start: { _ = try await gate.run() })
        let starting = Task { try await registry.initializeCoreServices(["a"]) }
        try await waitUntil("the start") { gate.started == 1 }
        try await registry.shutdown()
        #expect(await code { try await starting.value } == .shuttingDown)
    }

    @Test func runStartsEverythingAndStopsOnGracefulShutdown() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("b", in: registry, dependsOn: ["a"])
        try register("a", in: registry)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await registry.run() }
                try await waitUntil("the start") { journal.events.last == "started b" }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(journal.events.suffix(4) == ["stop b", "stopped b", "stop a", "stopped a"])
    }

    @Test(arguments: [true, false]) func runEndsThoughAServiceDoesNotStart(isGraceful: Bool) async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let hasBegun = Gate()
        try register("b", in: registry, dependsOn: ["a"], start: { _ = try await hasBegun.run() })
        try register("a", in: registry)
        try await testGracefulShutdown { trigger in
            let run = Task { try await registry.run() }
            try await waitUntil("the start") { hasBegun.started == 1 }
            if isGraceful { trigger.triggerGracefulShutdown() } else { run.cancel() }
            try await run.value
        }
        #expect(journal.isOrdered("started a", "stop a"))
        #expect(journal.count("started b") == 0)
    }

    @Test func norIfSomebodyElseHasAskedForIt() async throws {
        let registry = ServiceRegistry(running: ["a"], logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry)
        try register("b", in: registry, start: { _ = try await gate.run() })
        try await testGracefulShutdown { trigger in
            let run = Task { try await registry.run() }
            let asking = Task { try await registry.service("b", as: RecordingService.self) }
            try await waitUntil("both starts") { gate.started == 1 && journal.count("started a") == 1 }
            trigger.triggerGracefulShutdown()
            try await run.value
            #expect(await code { _ = try await asking.value } == .shuttingDown)
        }
        #expect(journal.isOrdered("started a", "stop a"))
    }

    @Test func norWhereAnotherHasFailed() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let gate = Gate()
        try register("a", in: registry, start: { throw RecordingService.Broken(name: "a") })
        try register("b", in: registry, start: { _ = try await gate.run() })
        try await testGracefulShutdown { trigger in
            let run = Task { try await registry.run() }
            try await waitUntil("both starts") { gate.started == 1 && journal.count("start a") == 1 }
            try await waitUntil("the failure") { registry.waiters(for: "a") == 0 }
            trigger.triggerGracefulShutdown()
            await #expect(throws: RecordingService.Broken.self) { try await run.value }
        }
        #expect(gate.cancelled == 1)
    }

    @Test func runStartsWhatItIsToldTo() async throws {
        let registry = ServiceRegistry(running: ["a"], logger: logs.logger)
        try register("a", in: registry)
        try register("b", in: registry)
        let run = Task { try await registry.run() }
        try await waitUntil("the start") { journal.events.last == "started a" }
        run.cancel()
        try await run.value
        #expect(journal.events == ["start a", "started a", "stop a", "stopped a"])
    }

    @Test func runThrowsWhatFailsToStart() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        try register("a", in: registry)
        try register("bad", in: registry, dependsOn: ["a"], start: { throw RecordingService.Broken(name: "bad") })
        await #expect(throws: RecordingService.Broken(name: "bad")) { try await registry.run() }
        #expect(journal.count("stopped a") == 1)
    }

    @Test func manyCallersOverManyServicesAtOnce() async throws {
        let registry = ServiceRegistry(logger: logs.logger)
        let attempts = NIOLockedValueBox(0)
        for index in 0..<20 {
            let dependencies = (0..<index).filter { index.isMultiple(of: $0 + 2) }.map { ServiceKey("s\($0)") }
            try register(ServiceKey("s\(index)"), in: registry, dependsOn: dependencies) {
                let isEarly = attempts.withLockedValue { attempts in
                    attempts += 1
                    return attempts.isMultiple(of: 3)
                }
                if isEarly { throw RecordingService.Broken(name: "now and then") }
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<1000 {
                group.addTask {
                    if index.isMultiple(of: 50) {
                        try? await registry.initializeCoreServices(
                            [index, index + 7].map { ServiceKey("s\($0 % 20)") }
                        )
                    } else {
                        _ = try? await registry.service(ServiceKey("s\(index % 20)"), as: RecordingService.self)
                    }
                }
            }
        }
        try await registry.shutdown()
        for index in 0..<20 {
            #expect(journal.count("started s\(index)") == journal.count("stopped s\(index)"))
        }
    }

    private func register(
        _ key: ServiceKey,
        in registry: ServiceRegistry,
        dependsOn dependencies: [ServiceKey] = [],
        start: @escaping @Sendable () async throws -> Void = {}
    ) throws {
        try registry.register(key, dependsOn: dependencies) { [journal] _ in
            RecordingService(name: key.description, journal: journal, start: start)
        }
    }
}
