public import Logging
import NIOConcurrencyHelpers
public import ServiceLifecycle

/// Starts services in the order of their dependencies, each once, and shuts them down in reverse.
///
/// ```swift
/// let registry = ServiceRegistry(logger: logger)
/// try registry.register(.cache) { _ in CacheService(store: store, logger: logger) }
/// try registry.register("mailer", dependsOn: [.cache]) { registry in
///     Mailer(cache: try await registry.service(.cache))
/// }
/// try await registry.initializeCoreServices([.cache, "mailer"])
/// let mailer = try await registry.service("mailer", as: Mailer.self)
/// ```
///
/// A service that asks for another one while it is made depends on it, whether it said so or not. As a
/// `ServiceLifecycle.Service` it starts its services, runs until graceful shutdown, and shuts them down.
public final class ServiceRegistry: Service {
    public typealias Make = @Sendable (ServiceRegistry) async throws -> any CoreService

    /// Which service this task starts, and at whose bidding.
    @TaskLocal private static var starting: (registry: ObjectIdentifier, key: ServiceKey, call: CallID?)?

    private let state = NIOLockedValueBox(RegistryState())
    /// The tasks that start services.
    private let starts = NIOLockedValueBox<[ServiceKey: SpawnedTask]>([:])
    private let spawner: any Spawner
    private let logger: Logger
    private let keys: [ServiceKey]?

    /// - Parameters:
    ///   - keys: what ``run()`` starts; nil starts everything that is registered.
    ///   - spawner: where the tasks come from that services are started in.
    public init(running keys: [ServiceKey]? = nil, spawner: any Spawner = SystemSpawner(), logger: Logger) {
        self.keys = keys
        self.spawner = spawner
        self.logger = logger
    }

    /// Says how a service is made.
    ///
    /// - Parameters:
    ///   - dependencies: what must have been started before; need not be registered yet.
    ///   - make: makes the service, which is then initialized. Called again after a failure.
    /// - Throws: `CacheError` with `configuration` if the key is taken.
    public func register(_ key: ServiceKey, dependsOn dependencies: [ServiceKey] = [], _ make: @escaping Make) throws {
        try state.withLockedValue { try $0.register(key, dependencies, make) }
    }

    /// A service, started with all that it depends on if it has not been yet.
    ///
    /// However many ask, it is started once. If that fails, everyone who waits is told, and the next call tries again.
    /// A caller that is cancelled stops waiting; the start goes on.
    ///
    /// - Throws: what making or initializing it throws; `CacheError` with `configuration` if it or one of its
    ///   dependencies is not registered, depends on itself, or is no `Instance`; with `shuttingDown`.
    public func service<Instance>(_ key: ServiceKey, as type: Instance.Type = Instance.self) async throws -> Instance {
        let parent = parent
        let service = try await start(key, for: parent?.key, call: parent?.call)
        guard let instance = service as? Instance else {
            throw CacheError(
                .configuration,
                "service '\(key)' is a \(Swift.type(of: service)), not a \(type)"
            )
        }
        return instance
    }

    /// Starts services and what they depend on, those that do not depend on each other at the same time.
    ///
    /// If one fails, those that this call has started and nobody else has asked for are shut down again. What fails in
    /// that is logged.
    ///
    /// - Throws: the first failure, once everything has settled; `CacheError` as ``service(_:as:)`` does.
    public func initializeCoreServices(_ keys: [ServiceKey]) async throws {
        let call = try state.withLockedValue { state in
            for key in keys { try state.validate(key) }
            return state.newID()
        }
        do {
            try await startAll(keys, for: parent?.key, call: call)
        } catch {
            let failure = await shutDown(only: call, of: parent?.key, givesUpStarts: Task.isCancelled)
            if let failure { log(failure) }
            throw error
        }
    }

    /// Starts the services, waits for graceful shutdown or cancellation, and shuts the services down.
    public func run() async throws {
        let keys = keys ?? state.withLockedValue { $0.registeredKeys }
        do {
            try await cancelWhenGracefulShutdown { try await self.initializeCoreServices(keys) }
            try await gracefulShutdown()
        } catch is CancellationError {
            // Shutting down is what it asks for.
        } catch {
            if let failure = await shutDownForGood() { log(failure) }
            throw error
        }
        try await shutdown()
    }

    /// Shuts down what has been started, every service before those it depends on. Nothing starts from now on: what is
    /// being started is cancelled, and waited for.
    ///
    /// Goes through to the end whatever fails and whether or not the caller is cancelled.
    ///
    /// - Throws: the first failure.
    public func shutdown() async throws {
        if let failure = await shutDownForGood() { throw failure.error }
    }
}

extension ServiceRegistry {
    private typealias ShutdownFailure = (key: ServiceKey, error: any Error)

    private var parent: (key: ServiceKey, call: CallID?)? {
        Self.starting.flatMap { $0.registry == ObjectIdentifier(self) ? ($0.key, $0.call) : nil }
    }

    /// How many wait for a service to start or to be shut down.
    package func waiters(for key: ServiceKey) -> Int { state.withLockedValue { $0.waiters(for: key) } }

    /// Starts them all at once, and waits until each has started or failed.
    private func startAll(_ keys: [ServiceKey], for parent: ServiceKey?, call: CallID?) async throws {
        let failure = await withTaskGroup(of: (any Error)?.self) { group in
            for key in keys {
                group.addTask {
                    do {
                        _ = try await self.start(key, for: parent, call: call)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(nil) { $0 ?? $1 }
        }
        if let failure { throw failure }
    }

    private func start(_ key: ServiceKey, for parent: ServiceKey?, call: CallID?) async throws -> any CoreService {
        while true {
            let service = try await wait { try $0.ask(key, for: parent, call: call, $1) }
            // None if it was being shut down.
            if let service { return service }
        }
    }

    /// Waits for what the state decides on.
    private func wait(
        _ ask: (inout RegistryState, RegistryState.Waiting) throws -> RegistryState.Answer
    ) async throws -> (any CoreService)? {
        let id = state.withLockedValue { $0.newID() }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { waiter in
                do {
                    let answer = try state.withLockedValue { state in
                        let answer = try ask(&state, (id, waiter))
                        // At once, so that what is being started has a task to cancel.
                        if case .start(let start) = answer { run(start) }
                        return answer
                    }
                    switch answer {
                    case .waiting, .start: break
                    case .settled: waiter.resume(returning: nil)
                    case .available(let service): waiter.resume(returning: service)
                    }
                } catch {
                    waiter.resume(throwing: error)
                }
                if Task.isCancelled { leave(id) }
            }
        } onCancel: {
            leave(id)
        }
    }

    private func leave(_ id: RegistryState.WaiterID) {
        state.withLockedValue { $0.leave(id) }?.resume(throwing: CancellationError())
    }

    private func run(_ start: RegistryState.Start) {
        starts.withLockedValue { $0[start.key] = spawner.spawn { await self.finish(start) } }
    }

    private func finish(_ start: RegistryState.Start) async {
        let outcome: Result<any CoreService, any Error>
        do {
            try await startAll(start.dependencies, for: start.key, call: start.call)
            let service = try await Self.$starting.withValue((ObjectIdentifier(self), start.key, start.call)) {
                let service = try await start.make(self)
                try await service.initialize()
                return service
            }
            logger.info("service started", metadata: ["service.key": "\(start.key)"])
            outcome = .success(service)
        } catch is CancellationError {
            outcome = .failure(CacheError(.configuration, "the start of service '\(start.key)' gave up by itself"))
        } catch {
            outcome = .failure(error)
        }
        starts.withLockedValue { $0[start.key] = nil }
        let isGivenUp = Task.isCancelled
        let (isNeeded, isShuttingDown, waiters) = state.withLockedValue { state in
            let isNeeded = start.call.map { state.isNeeded(start.key, beside: $0) } ?? false
            return (isNeeded, state.isShuttingDown, state.settle(start.key, outcome))
        }
        let hasFailed = if case .failure = outcome { true } else { false }
        // Who asks again is told that all is shut down, or has come since those gave it up for whom it started.
        let asksAgain = isGivenUp && (isShuttingDown || isNeeded && hasFailed)
        for waiter in waiters { waiter.resume(with: asksAgain ? .success(nil) : outcome.map { Optional($0) }) }
    }

    private func shutDownForGood() async -> ShutdownFailure? {
        let starting = state.withLockedValue { state in
            state.isShuttingDown = true
            return starts.withLockedValue { Array($0.values) }
        }
        // All at once: one may wait for another.
        for start in starting { start.cancel() }
        return await shutDown(only: nil)
    }

    /// Shuts down everything, or what one call has started and nobody else has asked for.
    ///
    /// - Parameters:
    ///   - parent: the service that has made the call.
    ///   - givesUpStarts: cancels what is being started, rather than wait for it.
    /// - Returns: the first failure. Those after it are logged.
    private func shutDown(
        only call: CallID?,
        of parent: ServiceKey? = nil,
        givesUpStarts: Bool = false
    ) async -> ShutdownFailure? {
        let first = NIOLockedValueBox<ShutdownFailure?>(nil)
        // A task of its own, which the caller's cancellation does not reach.
        await spawner.spawn { [self] in
            while let (step, start) = nextToStop(call, of: parent) {
                switch step {
                case .settle(let key):
                    if givesUpStarts { start?.cancel() }
                    _ = try? await wait { state, waiting in state.watch(key, waiting) }
                case .stop(let key, let service):
                    do {
                        try await service.shutdown()
                        logger.info("service shut down", metadata: ["service.key": "\(key)"])
                    } catch {
                        let failure: ShutdownFailure = (key, error)
                        let isFirst = first.withLockedValue { first in
                            defer { first = first ?? failure }
                            return first == nil
                        }
                        if !isFirst { log(failure) }
                    }
                    for waiter in state.withLockedValue({ $0.stopped(key) }) { waiter.resume(returning: nil) }
                }
            }
        }.wait()
        return first.withLockedValue { $0 }
    }

    private func log(_ failure: ShutdownFailure) {
        logger.error(
            "service did not shut down",
            metadata: ["service.key": "\(failure.key)", "error": "\(failure.error)"]
        )
    }

    /// What to do next in shutting down, and the task of the start that is to settle for it.
    private func nextToStop(
        _ call: CallID?,
        of parent: ServiceKey?
    ) -> (step: RegistryState.StopStep, start: SpawnedTask?)? {
        state.withLockedValue { state in
            guard let step = state.nextToStop(call, of: parent) else { return nil }
            guard case .settle(let key) = step else { return (step, nil) }
            return (step, starts.withLockedValue { $0[key] })
        }
    }
}
