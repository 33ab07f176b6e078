import Logging
import Metrics
import NIOConcurrencyHelpers

/// What the flights of a field cache work with.
final class FlightTools: Sendable {
    let store: GuardedStore
    let l1: L1
    let backlog: StoreBacklog
    let limiter: LoadLimiter
    let spawner: CountingSpawner
    let logger: Logger
    let trust: Trust
    let journal: FieldJournal
    /// What other processes are told of who has a lease; may be empty.
    let nodeName: String
    let settling = SettleTimers()
    private let hasSystemClock: Bool
    private let failures = NIOLockedValueBox(FailureMemory())
    private let storeErrors = NIOLockedValueBox(FailureLog())
    let undecodable = Counter(label: "freshet_undecodable_values_total")
    private let uncacheable = NIOLockedValueBox(KeyMemory<Void>())
    private let forcedLoads = NIOLockedValueBox(KeyMemory<ForcedLoad>())

    private struct ForcedLoad {
        let flight: FlightID
        let begunAt: MonotonicInstant
    }

    init(
        store: GuardedStore,
        l1: L1,
        backlog: StoreBacklog,
        limiter: LoadLimiter,
        spawner: CountingSpawner,
        logger: Logger,
        trust: Trust,
        journal: FieldJournal,
        nodeName: String
    ) {
        self.store = store
        self.l1 = l1
        self.backlog = backlog
        self.limiter = limiter
        self.spawner = spawner
        self.logger = logger
        self.trust = trust
        self.journal = journal
        self.nodeName = nodeName
        hasSystemClock = spawner.hasSystemClock
    }

    /// The spawner's clock, read without the spawner where that is the system's.
    func now() -> MonotonicInstant { hasSystemClock ? SystemSpawner().now() : spawner.now() }

    /// Takes over what the store remembers of a failure, and forgets ours once something fresh is there.
    func note(_ snapshot: EntrySnapshot, of field: AnyField) {
        let now = spawner.now()
        changeFailures { failures in
            guard let failure = snapshot.failure else {
                return snapshot.limited(by: field.policy).freshFor > .zero
                    ? failures.forget(field.key) : failures.forgetShared(field.key, at: now)
            }
            let known = FailureMemory.Failure(
                error: CacheError(CacheError.Code(failure.code), failure.message),
                count: failure.count,
                until: now + failure.retryAfter,
                isShared: true
            )
            return failures.remember(known, of: field.key, at: now)
        }
    }

    /// Remembers that a load has failed.
    ///
    /// - Parameter forgotten: takes what is remembered no longer, to be let go of under no lock.
    /// - Returns: what the store is to remember.
    func noteFailure(
        _ error: CacheError,
        of field: AnyField,
        since begunAt: MonotonicInstant,
        storedCount: Int,
        hasStale: Bool,
        into forgotten: inout [FailureMemory.Failure]
    ) -> EntryFailure {
        let now = spawner.now()
        return failures.withLockedValue { failures in
            let count = failures.count(of: field.key, withLoadSince: begunAt, stored: storedCount, at: now)
            let pause = field.policy.pause(afterFailures: count, hasStale: hasStale, hint: error.retryAfter)
            let failure = FailureMemory.Failure(error: error, count: count, until: now + pause, failedAt: now)
            forgotten += failures.remember(failure, of: field.key, at: now)
            return EntryFailure(
                count: count,
                code: error.code.description,
                message: error.message,
                retryAfter: pause
            )
        }
    }

    /// The store held no value but the failure when it was asked, and nobody has told of a change since.
    func believeFailure(of key: String, seenAt instant: MonotonicInstant) {
        failures.withLockedValue { $0.believe(key, seenAt: instant) }
    }

    func suspectFailure(of key: String) { failures.withLockedValue { $0.suspect(key) } }

    func noteSharedFailure(of field: AnyField) { failures.withLockedValue { $0.share(field.key) } }

    /// - Parameter forgotten: as ``noteFailure(_:of:since:storedCount:hasStale:into:)``.
    func noteRemoval(of field: AnyField, into forgotten: inout [FailureMemory.Failure]) {
        forgotten += failures.withLockedValue { $0.forget(field.key) }
    }

    func noteSuccess(of field: AnyField) { changeFailures { $0.forget(field.key) } }

    /// What is forgotten is let go of under no lock.
    private func changeFailures(_ body: (inout FailureMemory) -> [FailureMemory.Failure]) {
        let forgotten = failures.withLockedValue(body)
        withExtendedLifetime(forgotten) {}
    }

    /// The failure that readers are still to be answered with.
    func failure(of field: AnyField) -> CacheError? {
        let now = spawner.now()
        return failures.withLockedValue { $0.failure(of: field.key, at: now) }
    }

    /// Whether the store had that failure and nothing else so shortly before that it need not be asked again.
    func isFailureKnown(of field: AnyField) -> Bool {
        let now = spawner.now()
        let seenAt = failures.withLockedValue { $0.seenAt(of: field.key, at: now) }
        return seenAt.map { trust.covers(wordOf: $0, at: now) } ?? false
    }

    /// The last failure, even if the source may be asked again by now.
    func lastFailure(of field: AnyField) -> CacheError? {
        let now = spawner.now()
        return failures.withLockedValue { $0.lastFailure(of: field.key, at: now) }
    }

    /// Waits for a place among the loads that run at once, for the field's hard deadline at most. Whoever has a lease gives
    /// it up before: those who have the places may be waiting for it.
    ///
    /// - Throws: ``NoPlace``; `CancellationError`.
    func place(for field: AnyField, flight: FlightID? = nil) async throws -> LoadPermit {
        if let free = limiter.take(for: flight) { return free }
        let cameAt = spawner.now()
        let refusal = CacheError(.overloaded, "too many loads are under way: '\(field.name)' had no time")
        do {
            return try await withDeadline(field.policy.hardDeadline, on: spawner, orThrow: refusal) { [limiter] in
                try await limiter.acquire(for: flight)
            }
        } catch let error as CacheError {
            note(.notBegun, of: field, since: cameAt)
            throw NoPlace(error: error)
        }
    }

    /// No place came free in time: the source was not asked, and nothing is known of it.
    struct NoPlace: Error { let error: CacheError }

    func timedOut(_ field: AnyField) -> CacheError {
        CacheError(.sourceTimedOut, "no answer for '\(field.name)' within \(field.policy.hardDeadline)")
    }

    /// For a short time, readers of the field do not share loads.
    func noteUncacheable(_ field: AnyField) {
        let now = spawner.now()
        uncacheable.withLockedValue { _ = $0.remember((), of: field.key, until: now + .seconds(10), at: now) }
    }

    func noteCacheable(_ field: AnyField) { uncacheable.withLockedValue { _ = $0.forget(field.key) } }

    func isUncacheable(_ field: AnyField) -> Bool {
        let now = spawner.now()
        return uncacheable.withLockedValue { $0.value(of: field.key, at: now) != nil }
    }

    /// A call to the store has failed; reads go on without it.
    ///
    /// - Parameter field: named where the error is of its key; nil where many were asked for.
    func noteStoreError(_ error: any Error, _ operation: StoreOperation, of field: AnyField?) {
        let cacheError = error as? CacheError
        let code = cacheError?.code ?? .storeUnavailable
        let now = spawner.now()
        guard let silenced = storeErrors.withLockedValue({ $0.admit(operation, code, at: now) }) else { return }
        var metadata: Logger.Metadata = ["cache.operation": "\(operation)", "error": "\(error)"]
        if silenced > 0 { metadata["cache.silenced"] = "\(silenced)" }
        if let field, cacheError?.isOfKey ?? false { metadata["field.name"] = "\(field.name)" }
        logger.error("the store failed; fields go on without it", metadata: metadata)
    }

    func noteForcedLoad(of field: AnyField, in flight: FlightID) {
        let now = spawner.now()
        let load = ForcedLoad(flight: flight, begunAt: now)
        let end = now + field.policy.minRefreshInterval
        forcedLoads.withLockedValue { _ = $0.remember(load, of: field.key, until: end, at: now) }
    }

    /// The key has been invalidated: a forced load that began before answers nobody.
    func forgetForcedLoad(of field: AnyField) { forcedLoads.withLockedValue { _ = $0.forget(field.key) } }

    /// A flight has come to nothing, and so has its load if that was forced.
    func forgetForcedLoad(of field: AnyField, in flight: FlightID) {
        let now = spawner.now()
        forcedLoads.withLockedValue { loads in
            if loads.value(of: field.key, at: now)?.flight == flight { loads.forget(field.key) }
        }
    }

    /// Whether this process has begun a forced load so shortly before that it answers another one.
    func isCoolingDown(_ field: AnyField) -> Bool {
        let now = spawner.now()
        return forcedLoads.withLockedValue { $0.value(of: field.key, at: now) != nil }
    }

    /// How the forced load failed that answers another one.
    func failureOfForcedLoad(of field: AnyField) -> CacheError? {
        let now = spawner.now()
        guard let begunAt = forcedLoads.withLockedValue({ $0.value(of: field.key, at: now)?.begunAt })
        else { return nil }
        return failures.withLockedValue { $0.lastFailure(of: field.key, since: begunAt, at: now) }
    }
}

extension CacheError {
    static var notHeld: CacheError {
        CacheError(.sourceFailed, "the source says 'not modified' of a value that is not held")
    }

    static func circular(_ field: AnyField) -> CacheError {
        CacheError(.circularLoad, "the load of field '\(field.name)' waits for itself")
    }
}
