import Logging

extension FlightRunner {
    /// A load that has begun.
    private struct Load {
        let lease: Lease?
        let known: Entry?
        /// How fresh `known` was when the load began.
        let freshness: Freshness
        let basis: LoadBasis?
        let failures: Int
        let begunAt: MonotonicInstant
    }

    /// Runs the fetcher and commits what it brings, or remembers that it failed.
    ///
    /// - Parameters:
    ///   - lease: nil where the store is away; what is loaded stays in this process then.
    ///   - known: what the key held when the load began.
    ///   - basis: what the store showed then, if it was there.
    ///   - failures: how many loads in a row have failed, as the store remembers it.
    func fetch(
        under lease: Lease?,
        known: Entry?,
        basis: LoadBasis? = nil,
        failures: Int? = nil,
        in place: LoadPermit
    ) async throws -> FlightOutcome {
        let begunAt = tools.spawner.now()
        desk.begin(id, under: lease?.generation)
        // A schedule says nothing of when somebody reads.
        if !isScheduled { tools.journal.beginLoad(of: field, at: begunAt) }
        let load = Load(
            lease: lease,
            known: known,
            freshness: known?.freshness(at: begunAt, under: field.policy) ?? .gone,
            basis: basis,
            failures: failures ?? 0,
            begunAt: begunAt
        )
        let context = LoadContext(
            etag: load.freshness.action(on: .loadedUnmodified) == .renew ? known?.sourceETag : nil,
            isForced: desk.isForced(id)
        )
        do {
            let source = SourceLoad(tools: tools, desk: desk, field: field, flight: id, place: place)
            return try await commit(try await source.run(context), of: load)
        } catch let error as CacheError {
            return await fail(load, with: error)
        } catch {
            tools.note(.cancelled, of: field, since: begunAt)
            tools.forgetForcedLoad(of: field, in: id)
            if let lease { await giveUp(lease) }
            throw error
        }
    }

    /// A load that got no place has waited for long: what there is by now is what the store says.
    func notBegun(_ refusal: FlightTools.NoPlace) async throws -> FlightOutcome {
        let known = kept(tools.l1.entry(field.key))
        do {
            return try await storedInstead(of: refusal.error, beside: known) ?? .failed(refusal.error, kept: nil)
        } catch {
            try Self.rethrowCancellation(error)
            tools.noteStoreError(error, .read, of: field)
        }
        // The store is away: what L1 holds by now has heard what was invalidated meanwhile.
        let now = tools.spawner.now()
        let held = tools.l1.entry(field.key)?.unverified(at: now)
        return .failed(refusal.error, kept: kept(held), until: now + tools.trust.window)
    }

    /// The store has taken the end of a lease's load.
    private func noteEnd(of lease: Lease) {
        tools.backlog.noteEnd(ofLoadUnder: lease.token, of: field.key, heldFor: leaseTime)
    }

    func giveUp(_ lease: Lease) async {
        await tools.backlog.giveUp(lease.token, of: field.key, heldFor: leaseTime)
    }

    /// An outcome, or what the store has by now, if that is better.
    func storedInstead(
        of outcome: FlightOutcome,
        _ error: CacheError,
        beside kept: Entry?
    ) async -> FlightOutcome {
        do {
            return try await storedInstead(of: error, beside: kept) ?? outcome
        } catch {
            if !(error is CancellationError) { tools.noteStoreError(error, .read, of: field) }
            return outcome
        }
    }

    /// What the store has by now, for readers to get rather than an error; nil where it has nothing that will do.
    private func storedInstead(of error: CacheError, beside kept: Entry?) async throws -> FlightOutcome? {
        let askedAt = tools.spawner.now()
        try await tools.backlog.flush(field.key)
        let request = EntryRead(under: field.policy, known: kept?.known)
        let snapshot = try await tools.store.readEntry(field.key, request)
        let stored = decoded(snapshot, held: kept, askedAt: askedAt) ?? Decoded()
        let (latest, tier) = latest(stored, kept, in: snapshot.generation, askedAt: askedAt)
        guard let entry = latest else { return nil }
        let freshness = entry.freshness(at: tools.spawner.now(), under: field.policy)
        if freshness == .fresh, !desk.wantsMore(id, than: entry) { return .answered(cached(entry, in: tier)) }
        guard freshness.action(on: .loadFailed) == .answer else { return nil }
        return .failed(error, kept: entry, until: askedAt + tools.trust.window)
    }

    private func commit(_ result: LoadResult<Payload>, of load: Load) async throws -> FlightOutcome {
        let (policy, known) = (field.policy, load.known)
        switch result {
        case .value(let payload, let details) where details.isCacheable:
            let fill = EntryFill(
                content: .value(payload.bytes, digest: payload.digest),
                freshFor: jittered(details.ttl ?? policy.ttl),
                staleFor: policy.staleWindow,
                etag: details.etag,
                ttl: details.ttl
            )
            let isSame = tools.journal.isUnchanged(payload, known: known?.payload, of: field.key)
            return await fillStore(fill, payload, isSame ? .unchanged : .changed, of: load)
        case .value(let payload, _):
            return await passOn(payload, of: load)
        case .notModified(let details):
            guard let payload = known?.payload, load.freshness.action(on: .loadedUnmodified) == .renew else {
                throw CacheError.notHeld
            }
            guard details.isCacheable else { return await passOn(payload, of: load) }
            let ttl = details.ttl ?? known?.sourceTTL
            // The store may hold another value, or have let go of it by the time the fill comes.
            let isStillStored =
                load.basis?.digest == payload.digest
                && known.map { $0.staleUntil > tools.spawner.now() + Self.fillTime } ?? false
            let fill = EntryFill(
                content: isStillStored ? .unchanged : .value(payload.bytes, digest: payload.digest),
                freshFor: jittered(ttl ?? policy.ttl),
                staleFor: policy.staleWindow,
                etag: details.etag ?? known?.sourceETag,
                ttl: ttl
            )
            return await fillStore(fill, payload, .unchanged, of: load)
        case .absent:
            let fill = EntryFill(content: .absent, freshFor: policy.absentFor)
            return await fillStore(fill, nil, .absent, of: load)
        }
    }

    /// What was loaded is not to be kept, and makes what is held obsolete.
    private func passOn(_ payload: Payload, of load: Load) async -> FlightOutcome {
        tools.note(.uncacheable, of: field, since: load.begunAt)
        await dropHeld(by: load)
        let entry = entry(payload, at: tools.spawner.now())
        return answer(entry, of: load, isStored: false, isUnchecked: true)
    }

    private func dropHeld(by load: Load) async {
        let isHeld = load.freshness.action(on: .loadedUncacheable) == .drop
        if desk.isCurrent(id) {
            tools.noteSuccess(of: field)
            tools.noteUncacheable(field)
        }
        // On schedule it is dropped in any case: if the slot were merely given up, another process would load for it, in
        // vain.
        guard isHeld || isScheduled, desk.changeIfCurrent(id, { $0.drop(field.key) }) else {
            if let lease = load.lease { await giveUp(lease) }
            return
        }
        if let lease = load.lease {
            await drop(under: lease)
        } else {
            _ = try? await tools.backlog.send(.remove, of: field.key)
        }
    }

    private func drop(under lease: Lease) async {
        let sentAt = tools.spawner.now()
        let result = await tools.spawner.outliving { try await tools.store.dropEntry(field.key, lease) }
        // Others may have read it meanwhile.
        desk.changeIfCurrent(id) { $0.drop(field.key) }
        switch result {
        case .success(let isDropped):
            noteEnd(of: lease)
            if isDropped { tools.backlog.note(.remove, of: field.key, sentAt: sentAt) }
        case .failure(let error):
            tools.noteStoreError(error, .drop, of: field)
            if (error as? CacheError)?.isFinal == true { return }
            tools.backlog.keep(.remove, of: field.key, under: lease, after: error)
        }
    }

    /// Chosen once a load, and stored: both tiers agree on it.
    private func jittered(_ time: Duration) -> Duration {
        max(time - time * (field.policy.jitter * tools.spawner.fraction()), .milliseconds(1))
    }

    private func fillStore(
        _ fill: EntryFill,
        _ payload: Payload?,
        _ end: FieldEvent.LoadEnd,
        of load: Load
    ) async -> FlightOutcome {
        // Both tiers count from the end of the load, which a process that stood still may see too late.
        let begunAt = load.begunAt
        let endedAt = min(tools.spawner.now(), begunAt + field.policy.hardDeadline)
        var generation: Generation?
        var basis = load.basis
        basis?.isLeased = load.lease != nil
        if let lease = load.lease {
            var fill = fill
            fill.loadedAfter = endedAt - begunAt
            desk.willAskStore(id)
            let result = await tools.spawner.outliving { [fill] in
                try await tools.store.fillEntry(field.key, lease, with: fill)
            }
            tools.suspectFailure(of: field.key)
            if case .success = result { noteEnd(of: lease) }
            switch result {
            case .success(.stored(let stored)): generation = stored
            case .success(.refused(let reason)):
                tools.note(.refused(.byStore(reason)), of: field, since: begunAt)
                tools.logger.debug(
                    "a load was overtaken and is not kept",
                    metadata: ["field.name": "\(field.name)", "refused.reason": "\(reason.rawValue)"]
                )
                return answer(entry(payload, fill, at: endedAt), of: load, isStored: false, isUnchecked: true)
            case .failure(let error):
                // The store went away in the meantime: what was loaded stays in this process.
                tools.noteStoreError(error, .fill, of: field)
                tools.backlog.giveUpMeanwhile(lease.token, of: field.key, heldFor: leaseTime)
            }
        }
        // What the store has not taken may have been overtaken since the load began: the next read asks the store.
        let isUnchecked = generation == nil
        let entry =
            isUnchecked
            ? entry(payload, fill, basis: basis, begunAt: begunAt, at: endedAt)
            : entry(payload, fill, generation, leaseMark: load.lease?.mark, at: endedAt)
        var isHeld = false
        // The backplane may have told of the lease's own invalidation.
        let isKept = desk.keepLoaded(id, of: generation ?? load.lease?.generation, isStored: generation != nil) {
            isHeld = $0.hold($1 ? entry.suspected : entry, of: field.key)
        }
        if isKept {
            tools.noteSuccess(of: field)
            tools.noteCacheable(field)
            tools.journal.hold(entry, of: field.key)
        }
        let isCurrent = isKept || generation != nil
        tools.note(isCurrent ? end : .refused(.overtaken), of: field, since: begunAt)
        let isStored = isHeld || generation != nil
        return answer(entry, of: load, isStored: isStored, isCurrent: isCurrent, isUnchecked: isUnchecked)
    }

    /// - Parameter isUnchecked: whether the key may have been invalidated, unheard of, since the load began.
    private func answer(
        _ entry: Entry,
        of load: Load,
        isStored: Bool,
        isCurrent: Bool = false,
        isUnchecked: Bool
    ) -> FlightOutcome {
        var answer = FlightAnswer(entry: entry, origin: .loaded(isStored: isStored), isCurrent: isCurrent)
        answer.answersUntil = isUnchecked ? load.begunAt + tools.trust.window : .distantFuture
        answer.begunAt = load.begunAt
        return .answered(answer)
    }

    private func fail(_ load: Load, with error: CacheError) async -> FlightOutcome {
        let (lease, begunAt) = (load.lease, load.begunAt)
        let kept = kept(load.known)
        let outcome = FlightOutcome.failed(error, kept: kept, until: begunAt + tools.trust.window)
        var noted: EntryFailure?
        desk.changeIfCurrent(id) { change in
            noted = tools.noteFailure(
                error,
                of: field,
                since: begunAt,
                storedCount: load.failures,
                hasStale: kept != nil,
                into: &change.forgotten
            )
        }
        // The failure of a load that an invalidation has overtaken says nothing of the key as it is now.
        guard let failure = noted else {
            tools.note(error, of: field, since: begunAt)
            if let lease { await giveUp(lease) }
            return lease == nil ? outcome : await storedInstead(of: outcome, error, beside: kept)
        }
        tools.note(error, failure, of: field, since: begunAt)
        tools.logger.info(
            "a load failed",
            metadata: ["field.name": "\(field.name)", "error": "\(error)", "load.failures": "\(failure.count)"]
        )
        guard let lease else { return outcome }
        let result = await tools.spawner.outliving { try await tools.store.failEntry(field.key, lease, with: failure) }
        switch result {
        case .success(let isNoted):
            noteEnd(of: lease)
            // What the store says of failures is right, and of this one it may say nothing: another process has
            // invalidated the key since, or taken the load, and may have brought a value.
            tools.noteSharedFailure(of: field)
            if !isNoted { return await storedInstead(of: outcome, error, beside: kept) }
        case .failure(let storeError):
            tools.noteStoreError(storeError, .fail, of: field)
            tools.backlog.giveUpMeanwhile(lease.token, of: field.key, heldFor: leaseTime)
        }
        return outcome
    }
}
