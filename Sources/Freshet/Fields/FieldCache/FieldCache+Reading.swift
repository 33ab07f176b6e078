import Metrics

extension FieldCache {
    /// The value of a field.
    ///
    /// - Parameter forceRefresh: as ``refresh(_:purge:)->FieldRead<Value>``.
    /// - Throws: ``CacheError``: `absent`, `sourceFailed`, `sourceTimedOut`, `overloaded`, `invalidValue`, `circularLoad`,
    ///   `shuttingDown`; `notInitialized` if the cache service was never initialised; `invalidArgument` for a key that
    ///   no ``CompanionKey`` can be made of; `configuration` for a field with a policy that cannot be;
    ///   `CancellationError`, which frees this caller alone.
    @inlinable
    public func value<Value>(of field: Field<Value>, forceRefresh: Bool = false) async throws -> Value {
        if !forceRefresh, let payload = payload(of: field.erased) { return try field.value(in: payload) }
        return try await read(field, forceRefresh: forceRefresh).value
    }

    /// The value of a field, and how it was come by.
    ///
    /// - Parameters:
    ///   - forceRefresh: as ``refresh(_:purge:)->FieldRead<Value>``.
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

    /// The bytes of a field's value, and how they were come by; otherwise as ``read(_:forceRefresh:maxAge:)`` of a
    /// ``Field``.
    ///
    /// - Throws: as ``value(of:forceRefresh:)``.
    @inlinable
    public func read(
        _ field: AnyField,
        forceRefresh: Bool = false,
        maxAge: Duration? = nil
    ) async throws -> FieldReading {
        if !forceRefresh, let hit = hit(field, maxAge: maxAge) { return hit }
        return try await readWithoutHit(field, forceRefresh: forceRefresh, maxAge: maxAge)
    }

    @usableFromInline
    func readWithoutHit(_ field: AnyField, forceRefresh: Bool, maxAge: Duration?) async throws -> FieldReading {
        schedule.noteRead(of: field)
        if forceRefresh { return try await refresh(field) }
        let finding = finding(field, maxAge: maxAge)
        do {
            let reading = try await readOn(field, maxAge: maxAge)
            record(finding, reading, of: field)
            return reading
        } catch {
            record(finding, error, of: field)
            field.count(error)
            throw error
        }
    }

    /// A ``hit(_:maxAge:)`` of which only the value is wanted.
    @usableFromInline
    func payload(of field: AnyField) -> Payload? {
        guard let entry = tools.heldEntry(of: field, maxAge: nil, at: tools.now()) else { return nil }
        note(entry, answers: field)
        return entry.payload
    }

    @usableFromInline
    func hit(_ field: AnyField, maxAge: Duration?) -> FieldReading? {
        let now = tools.now()
        guard let entry = tools.heldEntry(of: field, maxAge: maxAge, at: now), let payload = entry.payload
        else { return nil }
        note(entry, answers: field)
        return FieldReading(entry, payload, at: now, status: .hit, tier: .l1)
    }

    @inline(__always)
    private func note(_ entry: Entry, answers field: AnyField) {
        if entry.noteRead() { schedule.noteRead(of: field) }
        field.metrics.hits.increment()
    }

    /// What this process holds of a field, fresh or stale. Never waits, never loads, and counts as no read.
    public func cached(_ field: AnyField) -> FieldReading? {
        let now = tools.spawner.now()
        guard let entry = tools.l1.peek(field.key), let payload = entry.payload, now < entry.staleUntil
        else { return nil }
        return FieldReading(entry, payload, at: now, status: now < entry.freshUntil ? .hit : .stale, tier: .l1)
    }

    /// The rest of a read that L1 does not answer with a fresh value.
    private func readOn(_ field: AnyField, maxAge: Duration?) async throws -> FieldReading {
        try admit(field)
        if let answer = try fromL1(field, maxAge: maxAge) { return try answer.reading(for: field, tools) }
        if tools.isUncacheable(field) {
            let answer = try await LoneLoad(tools: tools, desk: desk, field: field).run()
            if let answer = try answer ?? fromL1(field, maxAge: maxAge) { return try answer.reading(for: field, tools) }
        }
        let limit = maxAge.map { tools.spawner.now() + (.zero - max(.zero, $0)) }
        let want: FlightWant = limit.map { .younger($0) } ?? .read
        while true {
            let (outcome, _) = try await outcome(of: field, want)
            switch outcome {
            case .answered(let answer):
                if case .cached = answer.origin, !want.accepts(answer.entry, at: tools.spawner.now()) { continue }
                // It may have been loaded before this reader came, while the store did not take it.
                if let limit, answer.entry.loadedAt < limit { continue }
                // Those who force are told of an absence longer than it lasts.
                if answer.isCooldown, answer.entry.freshness(at: tools.spawner.now()) == .gone { continue }
                return try answer.reading(for: field, tools)
            // What is kept may have ended while the store was told of the failure.
            case .failed(_, let kept?, _) where want == .read && tools.spawner.now() < kept.staleUntil:
                return try FlightAnswer(entry: kept, origin: .cached(.l1), sourceFailed: true)
                    .reading(for: field, tools)
            case .failed(let error, _, _): throw error
            case .cancelled: throw CancellationError()
            }
        }
    }

    /// How a flight ended; if that may have been overtaken before this caller came, how another one did.
    func outcome(
        of field: AnyField,
        _ want: FlightWant
    ) async throws -> (outcome: FlightOutcome, isCooldown: Bool) {
        while true {
            let askedAt = tools.spawner.now()
            let landed = try await desk.wait(for: field, want)
            switch landed.outcome {
            // A forced load that nothing is known to have overtaken is what was asked for, kept or not, though a store that
            // was away could not say more.
            case .answered(let answer) where want.isForced && answer.isCurrent: return landed
            case .answered(let answer) where answer.answersUntil < askedAt: continue
            case .failed(_, kept: _?, let until) where want == .read && until < askedAt: continue
            default: return landed
            }
        }
    }

    /// What the policy lets L1 answer, with a load in the background where it wants one.
    private func fromL1(_ field: AnyField, maxAge: Duration?) throws(CacheError) -> FlightAnswer? {
        let now = tools.spawner.now()
        let entry = tools.l1.entry(field.key)
        let failure = tools.failure(of: field)
        guard let entry else {
            if let failure, tools.isFailureKnown(of: field), !desk.isLoading(field.key) { throw failure }
            return nil
        }
        // The store may know better than what is no longer trusted.
        guard tools.trust.covers(entry, at: now) else { return nil }
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

extension AnyField {
    /// Counts what a read or a refresh throws, unless that is an answer or the caller's own doing.
    func count(_ error: any Error) {
        let isAnswer = error is CancellationError || (error as? CacheError)?.code == .absent
        if !isAnswer { metrics.errors.increment() }
    }
}

extension FlightTools {
    /// What answers nearly every read: a value out of this process, fresh and believed.
    ///
    /// A method of its own, not inlined: what an object reads of itself alone is not retained.
    @inline(never)
    fileprivate func heldEntry(of field: AnyField, maxAge: Duration?, at now: MonotonicInstant) -> Entry? {
        guard let entry = l1.entry(field.key), now < entry.freshUntil, trust.covers(entry, at: now),
            entry.payload != nil, maxAge.map({ entry.age(at: now) <= $0 }) ?? true
        else { return nil }
        return entry
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
