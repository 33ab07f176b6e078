public import Logging
package import Metrics
import NIOConcurrencyHelpers

/// Values under keys, in a store that need not be there all the time.
///
/// It refuses to start without its store: ``initialize()`` throws, and until it has succeeded every operation throws
/// `notInitialized`. After that a failing store never takes the application down: the failure is logged and
/// counted, and the operation answers with its fallback – `nil`, `0`, `false`, an empty dictionary. ``strict`` is the
/// same surface without fallbacks.
///
/// ```swift
/// let cache = CacheService(store: MemoryStore(), logger: logger)
/// try await cache.initialize()
/// try await cache.set("visits", 41, ex: 3600)
/// let visits = try await cache.incr("visits")
/// let agents = try await cache.getOrLoad(key: "agents", ttl: .seconds(600)) { try await fetchAgents() }
/// ```
///
/// Values are stored as plain JSON (``StoredJSON``), which any other program can read and write. A value that does not
/// decode is a miss. Keys are of 1 to 32,768 bytes; others are `invalidArgument`, with or without fallbacks.
/// `CancellationError` is always thrown.
///
/// One is enough for a process. What is written through another one over the same store is to this one, and to the fields
/// that are read through it, as if another process had written it.
///
/// Single-flight loads and refreshes are kept apart from other writes through the same `CacheService`: a load that
/// began before a write to its key is not stored after it. Between processes only a field has such a contract.
public final class CacheService: CoreService {
    private enum Phase {
        case new, ready, shutDown
    }

    package let store: GuardedStore
    package let spawner: any Spawner
    package let logger: Logger
    package let loads: SharedLoads
    private let undecodable: Counter
    private let phase = NIOLockedValueBox(Phase.new)
    private let failures = NIOLockedValueBox(FailureLog())

    /// - Parameters:
    ///   - store: where the values are. Its own connection is not opened or closed here.
    ///   - timeout: how long a call to a store outside the process may take.
    ///   - spawner: where time and tasks come from.
    ///   - logger: told once of each kind of failure, and again every ten seconds while it lasts.
    public convenience init(
        store: any CacheStore,
        timeout: Duration = .milliseconds(500),
        spawner: any Spawner = SystemSpawner(),
        logger: Logger
    ) {
        self.init(store: store, timeout: timeout, spawner: spawner, logger: logger, metrics: MetricsSystem.factory)
    }

    package init(
        store: any CacheStore,
        timeout: Duration = .milliseconds(500),
        spawner: any Spawner,
        logger: Logger,
        metrics: any MetricsFactory
    ) {
        self.store = GuardedStore(store, timeout: timeout, spawner: spawner, metrics: metrics)
        self.spawner = spawner
        self.logger = logger
        loads = SharedLoads(spawner: spawner)
        undecodable = Counter(label: "freshet_undecodable_values_total", dimensions: [], factory: metrics)
    }

    /// Waits for the store to answer, for five seconds at most. Doing so again does nothing.
    ///
    /// - Throws: ``CacheError`` with `storeUnavailable`, `storeTimedOut` or, without waiting, `storeRejected`, which
    ///   says what the store last failed with; with `shuttingDown` if it has been shut down, or is meanwhile. A store
    ///   that refuses the credentials or the database is not waited for.
    public func initialize() async throws {
        if try isReady() { return }
        let lastFailure = NIOLockedValueBox<CacheError?>(nil)
        try await withDeadline(
            .seconds(5),
            on: spawner,
            orThrow: CacheError(
                .storeTimedOut,
                "the store did not answer within 5 seconds",
                underlying: lastFailure.withLockedValue { $0 }
            )
        ) { [self] in
            try await waitForAnswer { failure in lastFailure.withLockedValue { $0 = failure } }
        }
        let isFirst = phase.withLockedValue { phase in
            guard case .new = phase else { return false }
            phase = .ready
            return true
        }
        guard try isReady(), isFirst else { return }
        logger.info("cache service is ready")
    }

    /// - Throws: `shuttingDown` once it is shut down.
    private func isReady() throws(CacheError) -> Bool {
        switch phase.withLockedValue({ $0 }) {
        case .new: return false
        case .ready: return true
        case .shutDown: throw CacheError(.shuttingDown, "the cache service has been shut down")
        }
    }

    private func waitForAnswer(_ note: (CacheError) -> Void) async throws {
        var pause = Duration.milliseconds(250)
        // Fewer tries than open the circuit breaker.
        for _ in 1...3 {
            do {
                return try await store.firstPing()
            } catch let error as CacheError where error.code != .storeRejected && error.refusal == nil {
                note(error)
                try await spawner.sleep(for: pause)
                if try isReady() { return }
                pause *= 2
            }
        }
        try await store.firstPing()
    }

    /// What ``shutdown()`` takes at most.
    package static let shutdownTime = Duration.seconds(10)

    /// Cancels the loads that are under way, and waits for their end, for ten seconds at most, even if the caller is
    /// cancelled. Every operation throws `notInitialized` from now on.
    public func shutdown() async throws {
        phase.withLockedValue { $0 = .shutDown }
        await loads.close(by: spawner.now() + Self.shutdownTime) { [logger] in
            logger.warning("a load does not end; the shutdown goes on without it")
        }
    }

    /// The same operations without fallbacks: they throw what went wrong.
    public var strict: StrictCache { StrictCache(service: self) }
}

extension CacheService {
    /// Throws until ``initialize()`` has succeeded, and not after ``shutdown()``.
    func requireInitialized() throws(CacheError) {
        guard phase.withLockedValue({ $0 != .new }) else {
            throw CacheError(.notInitialized, "the cache service is not initialized")
        }
    }

    func requireReady() throws(CacheError) {
        guard phase.withLockedValue({ $0 == .ready }) else {
            throw CacheError(.notInitialized, "the cache service is not initialized")
        }
    }

    /// Runs an operation strictly, and answers with a fallback where the store or the value is to blame.
    func lenient<Answer>(
        _ operation: StoreOperation,
        else fallback: @autoclosure () -> Answer,
        _ body: (StrictCache) async throws -> Answer
    ) async throws -> Answer {
        do {
            return try await body(strict)
        } catch let error as CacheError where error.permitsFallback {
            report(error, of: operation)
            return fallback()
        }
    }

    /// Counts and logs a value that does not decode.
    func noteUndecodable(_ error: any Error) {
        undecodable.increment()
        logger.debug("cached value does not decode and is a miss", metadata: ["error": "\(error)"])
    }

    /// Logs a failure that its caller is not told of, unless the like has been logged lately.
    func report(_ error: CacheError, of operation: StoreOperation) {
        let now = spawner.now()
        guard let silenced = failures.withLockedValue({ $0.admit(operation, error.code, at: now) }) else { return }
        var metadata: Logger.Metadata = ["cache.operation": "\(operation)", "error": "\(error)"]
        if silenced > 0 { metadata["cache.silenced"] = "\(silenced)" }
        logger.error("cache operation failed", metadata: metadata)
    }
}

extension CacheError {
    fileprivate var permitsFallback: Bool {
        switch code {
        case .storeUnavailable, .storeTimedOut, .storeRejected, .invalidValue, .overloaded: true
        default: false
        }
    }
}
