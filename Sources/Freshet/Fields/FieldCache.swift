public import Logging
import Metrics
import NIOCore
public import ServiceLifecycle

/// Reads fields: from this process if it can, from the store if it must, from the source if nobody has.
///
/// ```swift
/// let fields = try FieldCache(cache: cache, catalog: FieldCatalog([agents]), logger: logger)
/// let all = try await fields.value(of: agents)
/// let now = try await fields.value(of: agents, forceRefresh: true)
/// ```
/// It works as soon as it is made. ``run()`` adds the backplane, which tells it at once what other processes have
/// changed, and the schedule, which refreshes fields before they are stale.
public final class FieldCache: Sendable {
    public struct Configuration: Sendable, Hashable {
        /// How many bytes of memory the values held in this process may take, roughly: each counts twice the bytes of
        /// its JSON, being held encoded and decoded, its key's and 256. What alone weighs more is not held.
        public var l1MaxBytes = 64 << 20
        /// How long a value held in this process is believed without asking the store, while no backplane is live.
        public var l1Recheck: Duration = .seconds(2)
        /// How many loads run at once, over all fields; further ones wait.
        public var maxConcurrentLoads = 64
        /// What this process is called where another one says who holds it up, a host and a process id say; may be
        /// empty.
        public var nodeName = ""

        public init() {}
    }

    public let catalog: FieldCatalog
    private let cache: CacheService
    private let base: any Spawner
    private let spawner: CountingSpawner
    let tools: FlightTools
    private let backplane: (any Backplane)?
    private let desk: FlightDesk
    private let schedule: Schedule
    private let gapCheck: GapCheck
    private let pulse: StorePulse

    /// - Parameters:
    ///   - cache: has the store; must have been initialised.
    ///   - catalog: the fields that are asked for by name. Others can be read all the same.
    public init(
        cache: CacheService,
        catalog: FieldCatalog,
        configuration: Configuration = Configuration(),
        backplane: (any Backplane)? = nil,
        spawner: any Spawner = SystemSpawner(),
        logger: Logger
    ) {
        let counting = CountingSpawner(spawner)
        let tools = FlightTools(
            store: cache.store,
            l1: L1(maxBytes: configuration.l1MaxBytes, spawner: spawner),
            backlog: StoreBacklog(store: cache.store, spawner: counting, logger: logger),
            limiter: LoadLimiter(limit: configuration.maxConcurrentLoads),
            spawner: counting,
            logger: logger,
            trust: Trust(recheck: configuration.l1Recheck),
            journal: FieldJournal(catalog),
            nodeName: configuration.nodeName
        )
        self.catalog = catalog
        self.cache = cache
        base = spawner
        self.spawner = counting
        self.tools = tools
        self.backplane = backplane
        desk = FlightDesk(
            spawner: counting,
            limiter: tools.limiter,
            l1: tools.l1,
            trust: tools.trust,
            runner: { await FlightRunner(tools: tools, desk: $0, field: $1, id: $2).run($3) },
            checker: { await FlightRunner(tools: tools, desk: $0, field: $1, id: $2).checkInterim($3) }
        )
        schedule = Schedule(of: catalog, tools: tools, desk: desk)
        gapCheck = GapCheck(tools: tools, desk: desk)
        pulse = StorePulse(store: cache.store, spawner: counting)
    }

    /// Sets the gauges of what this process holds, having freed what has expired.
    package func measure() { tools.l1.measure() }

    /// Whether the store answers; while it does not, reads go on from this process and the source.
    public var isStoreAvailable: Bool { tools.store.isAvailable }

    /// Whether the store is away, or has yet to be told of an invalidation.
    package var isDegraded: Bool { !tools.store.isAvailable || tools.backlog.isBehind }
}

// MARK: - Reading

extension FieldCache {
    /// The value of a field.
    ///
    /// - Parameter forceRefresh: as ``refresh(_:purge:)``.
    /// - Throws: ``CacheError``: `absent`, `sourceFailed`, `sourceTimedOut`, `overloaded`, `invalidValue`, `circularLoad`,
    ///   `shuttingDown`; `notInitialized` if the cache service was never initialised; `invalidArgument` for a key that
    ///   no ``CompanionKey`` can be made of; `CancellationError`, which frees this caller alone.
    @inlinable
    public func value<Value>(of field: Field<Value>, forceRefresh: Bool = false) async throws -> Value {
        if !forceRefresh, let hit = hit(field.erased, maxAge: nil) { return try field.value(in: hit.payload) }
        return try await read(field, forceRefresh: forceRefresh).value
    }

    /// The value of a field, and how it was come by.
    ///
    /// - Parameters:
    ///   - forceRefresh: as ``refresh(_:purge:)``.
    ///   - maxAge: asks for a fresh value loaded no longer ago than this; such a reader gets nothing older or stale,
    ///     even if the source fails.
    /// - Throws: as ``value(of:forceRefresh:)``.
    @inlinable
    public func read<Value>(
        _ field: Field<Value>,
        forceRefresh: Bool = false,
        maxAge: Duration? = nil
    ) async throws -> FieldRead<Value> {
        let reading = try await read(field.erased, forceRefresh: forceRefresh, maxAge: maxAge)
        return FieldRead(value: try field.value(in: reading.payload), reading: reading)
    }

    /// The bytes of a field's value, and how they were come by.
    public func read(
        _ field: AnyField,
        forceRefresh: Bool = false,
        maxAge: Duration? = nil
    ) async throws -> FieldReading {
        if !forceRefresh, let hit = hit(field, maxAge: maxAge) { return hit }
        schedule.noteRead(of: field)
        if forceRefresh { return try await refresh(field) }
        let finding = finding(field, maxAge: maxAge)
        do {
            let reading = try await readOn(field, maxAge: maxAge)
            record(finding, reading, of: field)
            return reading
        } catch {
            record(finding, error, of: field)
            let isAnswer = error is CancellationError || (error as? CacheError)?.code == .absent
            if !isAnswer { field.metrics.errors.increment() }
            throw error
        }
    }

    /// The way of nearly every read: fresh and believed, out of this process.
    @usableFromInline
    func hit(_ field: AnyField, maxAge: Duration?) -> FieldReading? {
        let now = tools.now()
        guard let entry = tools.l1.entry(field.key), now < entry.freshUntil, tools.trust.covers(entry, at: now),
            let payload = entry.payload, maxAge.map({ entry.age(at: now) <= $0 }) ?? true
        else { return nil }
        if entry.noteRead() { schedule.noteRead(of: field) }
        field.metrics.hits.increment()
        return FieldReading(entry, payload, at: now, status: .hit, tier: .l1)
    }

    /// What this process holds of a field, fresh or stale. Never waits, never loads.
    public func cached(_ field: AnyField) -> FieldReading? {
        let now = tools.spawner.now()
        guard let entry = tools.l1.entry(field.key), let payload = entry.payload, now < entry.staleUntil
        else { return nil }
        return FieldReading(entry, payload, at: now, status: now < entry.freshUntil ? .hit : .stale, tier: .l1)
    }

    /// The rest of a read that L1 does not answer with a fresh value.
    private func readOn(_ field: AnyField, maxAge: Duration?) async throws -> FieldReading {
        try admit(field)
        if let answer = try fromL1(field, maxAge: maxAge) { return try answer.reading(for: field, tools) }
        if tools.isUncacheable(field) {
            return try await LoneLoad(tools: tools, desk: desk, field: field).run().reading(for: field, tools)
        }
        let limit = maxAge.map { tools.spawner.now() + (.zero - $0) }
        let want: FlightWant = limit.map { .younger($0) } ?? .read
        while true {
            let (outcome, _) = try await outcome(of: field, want)
            switch outcome {
            case .answered(let answer):
                if case .cached = answer.origin, !want.accepts(answer.entry, at: tools.spawner.now()) { continue }
                return try answer.reading(for: field, tools)
            case .failed(_, let kept?, _) where want == .read:
                return try FlightAnswer(entry: kept, origin: .cached(.l1), sourceFailed: true)
                    .reading(for: field, tools)
            case .failed(let error, _, _): throw error
            case .cancelled: throw CancellationError()
            }
        }
    }

    /// How a flight ended, which is another one if the first had been overtaken before this caller came.
    private func outcome(
        of field: AnyField,
        _ want: FlightWant
    ) async throws -> (outcome: FlightOutcome, isCooldown: Bool) {
        while true {
            let askedAt = tools.spawner.now()
            let landed = try await desk.wait(for: field, want)
            switch landed.outcome {
            // Nothing tells that a load which this process keeps has been overtaken; a forced one is what was asked for.
            case .answered(let answer) where want.isForced && answer.origin == .loaded(isStored: true): return landed
            case .answered(let answer) where answer.answersUntil < askedAt: continue
            case .failed(_, kept: _?, let until) where want == .read && until < askedAt: continue
            default: return landed
            }
        }
    }

    /// Throws what would keep any operation on the field from ever succeeding.
    private func admit(_ field: AnyField) throws {
        try cache.requireInitialized()
        try CompanionKey.validate(field.key)
    }

    /// What the policy lets L1 answer, with a load in the background where it wants one.
    private func fromL1(_ field: AnyField, maxAge: Duration?) throws(CacheError) -> FlightAnswer? {
        let now = tools.spawner.now()
        let entry = tools.l1.entry(field.key)
        let failure = tools.failure(of: field)
        // The store may know better than what is no longer trusted, or not held.
        guard let entry, tools.trust.covers(entry, at: now) else { return nil }
        let isTooOld = maxAge.map { entry.age(at: now) > $0 || now >= entry.freshUntil } ?? false
        let event: FreshnessEvent =
            switch (isTooOld, failure == nil) {
            case (false, true): .read
            case (false, false): .readWhileFailing
            case (true, true): .readYounger
            case (true, false): .readYoungerWhileFailing
            }
        let freshness = entry.freshness(at: now, under: field.policy)
        switch freshness.action(on: event) {
        case .answer: break
        case .answerAndLoad: desk.startInBackground(field)
        case .fail: if let failure { throw failure } else { return nil }
        default: return nil
        }
        return FlightAnswer(
            entry: entry,
            origin: .cached(.l1),
            sourceFailed: failure != nil && freshness == .kept
        )
    }
}

extension FlightAnswer {
    /// The answer as a reader gets it, counted.
    fileprivate func reading(for field: AnyField, _ tools: FlightTools) throws(CacheError) -> FieldReading {
        let now = tools.spawner.now()
        let detail: FieldReading.Detail? = sourceFailed ? .sourceFailed : nil
        guard let payload = entry.payload else {
            if case .loaded = origin { field.metrics.misses.increment() } else { field.metrics.hits.increment() }
            throw CacheError(.absent, "the source has no value for '\(field.name)'")
        }
        switch origin {
        case .loaded(let isStored):
            field.metrics.misses.increment()
            return FieldReading(entry, payload, at: now, status: .loaded, tier: .source, isStored: isStored)
        case .cached(let tier) where now < entry.freshUntil:
            field.metrics.hits.increment()
            return FieldReading(entry, payload, at: now, status: .hit, tier: tier, detail: detail)
        case .cached(let tier):
            field.metrics.stale.increment()
            return FieldReading(entry, payload, at: now, status: .stale, tier: tier, detail: detail)
        }
    }
}

// MARK: - Refreshing and invalidating

extension FieldCache {
    /// Loads a field anew for this caller and whoever asks meanwhile, and answers with nothing that was loaded before.
    ///
    /// Within the field's `minRefreshInterval` of the start of a forced load, over all processes, that load answers.
    /// If the load fails this caller gets the error, and readers what there was.
    ///
    /// - Parameter purge: remove the old value first, so that nobody gets it even if the load fails. A forced load that
    ///   answers this refresh, because it began shortly before, is not purged again.
    /// - Throws: as ``value(of:forceRefresh:)``.
    public func refresh<Value>(_ field: Field<Value>, purge: Bool = false) async throws -> FieldRead<Value> {
        let reading = try await refresh(field.erased, purge: purge)
        return FieldRead(value: try field.value(in: reading.payload), reading: reading)
    }

    /// ``refresh(_:purge:)`` for a field of any type.
    public func refresh(_ field: AnyField, purge: Bool = false) async throws -> FieldReading {
        do {
            let reading = try await refreshed(field, purge)
            record(.skipped, reading, of: field)
            return reading
        } catch {
            record(.skipped, error, of: field)
            throw error
        }
    }

    private func refreshed(_ field: AnyField, _ purge: Bool) async throws -> FieldReading {
        try admit(field)
        let since = tools.spawner.now() + (.zero - field.policy.minRefreshInterval)
        let want = FlightWant.force(purge ? .remove : .expire, unlessBegunSince: since)
        let (outcome, joinedForced) = try await outcome(of: field, want)
        switch outcome {
        case .answered(let answer):
            field.metrics.misses.increment()
            guard let payload = answer.entry.payload else {
                throw CacheError(.absent, "the source has no value for '\(field.name)'")
            }
            let isCooldown = joinedForced || answer.isCooldown
            return FieldReading(
                answer.entry,
                payload,
                at: tools.spawner.now(),
                status: .refreshed,
                tier: .source,
                isStored: answer.origin != .loaded(isStored: false),
                detail: isCooldown ? .cooldown : nil
            )
        case .failed(let error, _, _):
            field.metrics.errors.increment()
            throw error
        case .cancelled: throw CancellationError()
        }
    }

    /// Makes a field's value stale: it is loaded at the next read, and served until then only as the policy allows.
    ///
    /// No load that began before this returns is kept or served as fresh.
    ///
    /// - Throws: ``CacheError``: `storeRejected` where the key holds something else, which the store will not serve
    ///   either; `shuttingDown` where the store could not be told after ``shutdown()``; `notInitialized`,
    ///   `invalidArgument`.
    @discardableResult
    public func expire(_ field: some FieldReference) async throws -> InvalidationOutcome {
        try await invalidate(field.erased, .expire)
    }

    /// Removes a field's value. No load that began before this returns is kept.
    ///
    /// - Throws: as ``expire(_:)``.
    @discardableResult
    public func remove(_ field: some FieldReference) async throws -> InvalidationOutcome {
        try await invalidate(field.erased, .remove)
    }

    private func invalidate(
        _ field: AnyField,
        _ invalidation: Invalidation
    ) async throws -> InvalidationOutcome {
        try admit(field)
        // A flight that comes from now on sends the invalidation, or waits for it, before it reads the store.
        let outcome = try await tools.backlog.send(invalidation, of: field.key) {
            desk.invalidate(field) { l1 in
                l1.invalidate(field.key, invalidation)
                tools.forgetForcedLoad(of: field)
                if invalidation == .remove { tools.noteRemoval(of: field, into: &l1.forgotten) }
            }
        }
        record(invalidation, outcome == .done ? .here : .queued, of: field.key)
        return outcome
    }
}

// MARK: - Looking

extension FieldCache {
    /// What is known of a field, from this process and the store; the source is not asked.
    public func state(of field: AnyField) async -> FieldState {
        // What the store has yet to be told of, it does not know.
        let isTold = (try? await tools.backlog.flush(field.key)) != nil
        let askedAt = tools.spawner.now()
        let held = tools.l1.entry(field.key)
        var entry = held
        var isKnown = held != nil
        var failure = tools.failure(of: field)?.message
        if isTold,
            let snapshot = try? await tools.store.readEntry(
                field.key,
                EntryRead(freshFor: field.policy.ttl, known: held?.known)
            )
        {
            isKnown = true
            let stored = try? Entry.from(snapshot, of: field, held: held, askedAt: askedAt)
            entry = held?.outlasts(stored, in: snapshot.generation, at: askedAt) == true ? held : stored
            failure = snapshot.failure?.message
        }
        let now = tools.spawner.now()
        let freshness: FieldState.Freshness =
            switch entry?.freshness(at: now, under: field.policy) ?? .gone {
            case .fresh: .fresh
            case .stale, .kept: .stale
            case .absent: .absent
            case .gone: isKnown ? .gone : .unknown
            }
        let isThere = freshness != .gone && freshness != .unknown
        let schedule = schedule.state(of: field)
        return FieldState(
            freshness: freshness,
            age: isThere ? entry?.age(at: now) : nil,
            timeToLive: isThere ? entry.map { $0.freshUntil - now } : nil,
            failure: failure,
            isLoading: desk.isLoading(field.key),
            bytes: isThere ? entry?.payload?.bytes.readableBytes : nil,
            nextRefresh: schedule?.next,
            isIdle: schedule?.isPaused ?? false
        )
    }
}

extension FieldCache {
    /// How many wait for a load of the field in this process.
    package func waiters(of field: AnyField) -> Int { desk.waiters(of: field.key) }
}

// MARK: - Living

extension FieldCache: Service {
    /// Refreshes on schedule, listens to the backplane, looks after the store and frees what has expired until the
    /// graceful shutdown, then ends as ``shutdown()`` does.
    public func run() async throws {
        pulse.start()
        schedule.start()
        await withTaskGroup { group in
            if let backplane {
                group.addTask { await backplane.listen { self.receive($0) } }
            }
            group.addTask { await self.sweep() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        gapCheck.stop()
        await shutdown()
    }

    /// Frees, once a minute, what has expired where no call does that by the way.
    private func sweep() async {
        while (try? await base.sleep(for: .seconds(60))) != nil {
            tools.l1.sweep()
            tools.store.sweep()
        }
    }

    private func receive(_ event: BackplaneEvent) {
        switch event {
        case .live:
            gapCheck.start()
            pulse.wake(isUrgent: true)
        case .lost:
            gapCheck.stop()
            pulse.wake(isUrgent: true)
        case .changed(let key, .filled, let generation):
            desk.tell(key, generation, isInvalidation: false) { $0.suspect(key) }
        case .changed(let key, .invalidated(let invalidation), let generation):
            record(invalidation, .backplane, of: key)
            desk.tell(key, generation, isInvalidation: true) {
                $0.invalidate(key, invalidation, unlessOf: generation)
            }
        }
    }

    /// What ``shutdown()`` takes at most.
    package static let shutdownTime = Duration.seconds(10)

    /// Refuses new loads, cancels those under way, sends the invalidations that the store has yet to be told of, and
    /// waits for every task to end, all that for ten seconds at most, even if the caller is cancelled.
    public func shutdown() async {
        pulse.stop()
        schedule.stop()
        desk.close()
        tools.backlog.close()
        tools.settling.close()
        let end = base.now() + Self.shutdownTime
        let (spawner, backlog, logger) = (spawner, tools.backlog, tools.logger)
        let sending = outliving(until: end) { await backlog.sendRest() }
        let draining = outliving(until: end) {
            await spawner.drain()
        } orElse: {
            logger.warning("a fetcher does not end; the shutdown goes on without it")
        }
        await draining.wait()
        await sending.wait()
        // What was under way could not be sent either.
        await outliving(until: end) { await backlog.sendRest() }.wait()
        backlog.noteLost()
    }

    /// Runs what is to end by an instant, whatever becomes of the caller.
    private func outliving(
        until end: MonotonicInstant,
        _ operation: @escaping @Sendable () async -> Void,
        orElse fallback: @escaping @Sendable () -> Void = {}
    ) -> SpawnedTask {
        let base = base
        return base.spawn {
            let isLate = CacheError(.shuttingDown, "tasks go on")
            do {
                try await withDeadline(end - base.now(), on: base, orThrow: isLate, operation)
            } catch {
                fallback()
            }
        }
    }
}
