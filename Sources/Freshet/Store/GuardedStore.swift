package import Metrics
import NIOConcurrencyHelpers

/// Keeps a store's troubles from its callers: every call has a deadline and goes through a circuit breaker, every error
/// is a ``CacheError`` and is counted. The operations themselves: ``ForwardingStore``.
///
/// Only a store that cannot be reached or does not answer opens the breaker. A store that answers with an error is
/// well; a call whose caller gave up says nothing of it. A store that is local is called directly.
package final class GuardedStore: ForwardingStore, Sendable {
    let store: any CacheStore
    private let timeout: Duration
    private let spawner: any Spawner
    private let metrics: StoreMetrics
    private let breaker = NIOLockedValueBox(CircuitBreaker())
    private let watchers = NIOLockedValueBox<[@Sendable (StoreEvent) -> Void]>([])
    let writeWatchers = NIOLockedValueBox<[@Sendable ([String]) -> Void]>([])
    package let isLocal: Bool
    /// How often to look whether the store is there while nobody asks it anything.
    let idlePeriod: Duration

    package init(
        _ store: any CacheStore,
        timeout: Duration = .milliseconds(500),
        spawner: any Spawner,
        metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        self.store = store
        self.timeout = timeout
        self.spawner = spawner
        self.metrics = StoreMetrics(metrics)
        isLocal = store.isLocal
        idlePeriod = (store as? any MeteredStore)?.idlePeriod ?? .seconds(2)
    }

    /// Tells a watcher of every event from now on. It is called in the midst of calls, and must return at once.
    package func watch(_ watcher: @escaping @Sendable (StoreEvent) -> Void) {
        watchers.withLockedValue { $0.append(watcher) }
    }

    /// False from when the breaker opens until a probe has succeeded.
    package var isAvailable: Bool { breaker.withLockedValue { $0.isClosed } }

    /// Leaves the probes to whoever calls ``look(within:isUrgent:)``, or to any call again.
    func leaveProbes(toProber hasProber: Bool) {
        breaker.withLockedValue { $0.probePeriod = hasProber ? idlePeriod : nil }
    }

    /// Asks whether the store answers, unless it has just done so or is given a pause; the probe of an open breaker.
    ///
    /// - Parameters:
    ///   - period: how long an answer holds.
    ///   - isUrgent: whether to ask in any case.
    /// - Returns: after how long to look again.
    func look(within period: Duration, isUrgent: Bool) async -> Duration {
        let start = spawner.now()
        let (state, last) = breaker.withLockedValue { ($0.state, $0.lastAnswer) }
        switch state {
        case _ where isUrgent: break
        case .closed(failures: 0):
            if let last, start < last + period { return last + period - start }
        case .open(let until, _):
            if start < until { return until - start }
        case .closed, .halfOpen: break
        }
        try? await call(.ping, patience: .zero, isProbe: true) { try await $0.ping() }
        let now = spawner.now()
        return switch breaker.withLockedValue({ $0.state }) {
        case .closed(failures: 0): period
        // What fails is looked at more closely, until the breaker knows.
        case .closed, .halfOpen: min(period, .milliseconds(200))
        case .open(let until, _): until - now
        }
    }

    /// Frees what has expired, where that is this process' affair.
    func sweep() { (store as? MemoryStore)?.sweep() }

    package func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        try await call(operation, patience: .zero, body)
    }

    /// Waits a little longer, so that a driver with the same timeout can say why there is no answer.
    func firstPing() async throws { try await call(.ping, patience: .milliseconds(250)) { try await $0.ping() } }

    /// - Parameters:
    ///   - patience: time beyond the timeout.
    ///   - isProbe: as ``CircuitBreaker/admit(at:isProbe:)`` has it.
    private func call<Value: Sendable>(
        _ operation: StoreOperation,
        patience: Duration,
        isProbe: Bool = false,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        do {
            return isLocal
                ? try await body(store)
                : try await callRemote(operation, within: timeout + patience, isProbe: isProbe, body)
        } catch let error as CacheError {
            metrics.countError(operation)
            if let refusal = error.refusal { tell(.refused(refusal)) }
            throw error
        } catch  where error is CancellationError && Task.isCancelled {
            throw error
        } catch {
            metrics.countError(operation)
            throw CacheError(.storeUnavailable, "the store failed with a \(type(of: error))", underlying: error)
        }
    }

    private func callRemote<Value: Sendable>(
        _ operation: StoreOperation,
        within timeout: Duration,
        isProbe: Bool,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        let start = spawner.now()
        let ticket: CircuitBreaker.Ticket
        switch breaker.withLockedValue({ $0.admit(at: start, isProbe: isProbe) }) {
        case .admitted(let granted): ticket = granted
        case .refused(let pause):
            var error = CacheError(.storeUnavailable, "the store has failed and is given a pause", retryAfter: pause)
            error.isUnsent = true
            throw error
        }
        let store = store
        do {
            let value = try await withDeadline(
                timeout,
                on: spawner,
                orThrow: CacheError(.storeTimedOut, "the store did not answer '\(operation)' within \(timeout)")
            ) { try await body(store) }
            settle(operation, ticket, .answered, since: start)
            return value
        } catch {
            settle(operation, ticket, verdict(on: error), since: start)
            throw error
        }
    }

    private func settle(
        _ operation: StoreOperation,
        _ ticket: CircuitBreaker.Ticket,
        _ verdict: CircuitBreaker.Verdict,
        since start: MonotonicInstant
    ) {
        let now = spawner.now()
        let (was, isNow) = breaker.withLockedValue { breaker in
            let was = breaker.isClosed
            breaker.settle(ticket, verdict, at: now)
            return (was, breaker.isClosed)
        }
        if was != isNow { tell(isNow ? .back : .lost) }
        metrics.recordTime(operation, now - start)
    }

    private func tell(_ event: StoreEvent) {
        for watcher in watchers.withLockedValue({ $0 }) { watcher(event) }
    }

    private func verdict(on error: any Error) -> CircuitBreaker.Verdict {
        switch error {
        case let error as CacheError:
            switch error.code {
            case .storeUnavailable, .storeTimedOut: .failed
            case .storeRejected: .answered
            default: .unknown
            }
        // A driver that throws this without being asked to lost its connection.
        case is CancellationError: Task.isCancelled ? .unknown : .failed
        default: .failed
        }
    }
}
