extension FlightRunner {
    /// Invalidates and loads, or takes the answer of a forced load that began shortly before.
    func force(_ invalidation: Invalidation) async throws -> FlightOutcome {
        var held = tools.l1.entry(field.key)
        if let held, tools.trust.covers(held, at: tools.spawner.now()), held.basis?.isLeased ?? false,
            let answer = answerOfCooldown(held, { _ in })
        {
            return answer
        }
        var disappointments = 0
        var wait = leaseWait()
        var place: LoadPermit?
        desk.changeIfCurrent(id) { $0.invalidate(field.key, invalidation) }
        while true {
            let askedAt = tools.spawner.now()
            // What another process has begun since will do; after two disappointments nothing will but a load.
            let since = desk.askToForce(id, at: askedAt) ?? askedAt + (.zero - field.policy.minRefreshInterval)
            let cooldown = disappointments < 2 ? askedAt - since : .zero
            let outcome: LeaseOutcome
            do {
                outcome = try await lease(.force(invalidation, cooldown: cooldown))
            } catch {
                try Self.rethrowCancellation(error)
                // While it waited for a place, what it held may have been dropped.
                held = withoutStored(place == nil ? held : tools.l1.entry(field.key), after: error)
                let outcome = try await forceWithoutLease(after: error, invalidation, held: held, in: &place)
                guard let outcome else { continue }
                return outcome
            }
            if case .granted(let lease, let snapshot) = outcome {
                let landed = try await fetch(
                    under: lease,
                    after: invalidation,
                    snapshot,
                    held: held,
                    askedAt: askedAt,
                    in: &place
                )
                if let landed { return landed }
                disappointments = min(disappointments, 1)
                continue
            }
            // Whoever has come since it was asked may want a later one.
            if let time = outcome.snapshot.lastForced, !desk.antedate(id, to: askedAt + (.zero - time)) {
                disappointments += 1
                continue
            }
            place = nil
            if let answer = try await answer(inPlaceOf: invalidation, outcome, held: held, askedAt: askedAt, &wait) {
                return answer
            }
            // What readers have been given meanwhile is stale again.
            desk.forgetInterim(id)
            desk.changeIfCurrent(id) { $0.invalidate(field.key, invalidation) }
            held = tools.l1.entry(field.key)
            disappointments += 1
        }
    }

    /// Loads with the leave of the store, which has been invalidated; nil where that leave was given up for a place.
    private func fetch(
        under lease: Lease,
        after invalidation: Invalidation,
        _ snapshot: EntrySnapshot,
        held: Entry?,
        askedAt: MonotonicInstant,
        in place: inout LoadPermit?
    ) async throws -> FlightOutcome? {
        let stale = known(in: snapshot, held: held, askedAt: askedAt)
        let late = answerMeanwhile(with: stale, in: tier(of: stale, in: snapshot), after: invalidation)
        defer { late?.cancel() }
        guard let free = place ?? tools.limiter.take(for: id) else {
            desk.waitToForce(id)
            await giveUp(lease)
            place = try await tools.place(for: field, flight: id)
            return nil
        }
        beginForced(invalidation, under: lease.generation)
        let basis = LoadBasis(snapshot, seenAt: askedAt)
        let landed = try await fetch(
            under: lease,
            known: stale,
            basis: basis,
            failures: snapshot.failure?.count,
            in: free
        )
        checkOnceMore(after: landed)
        return landed
    }

    /// The answer of a forced load that began shortly before; nil where it has come to nothing.
    private func answer(
        inPlaceOf invalidation: Invalidation,
        _ outcome: LeaseOutcome,
        held: Entry?,
        askedAt: MonotonicInstant,
        _ wait: inout LeaseWait
    ) async throws -> FlightOutcome? {
        let snapshot = outcome.snapshot
        if let absence = absence(in: outcome, askedAt: askedAt) { return absence }
        let stale = known(in: snapshot, held: held, askedAt: askedAt)
        let late = answerMeanwhile(with: stale, in: tier(of: stale, in: snapshot), after: invalidation)
        defer { late?.cancel() }
        return try await answer(ofLoadIn: snapshot, held: held, askedAt: askedAt, &wait)
    }

    /// The answer of a forced load that found no value, which readers may not be told any more.
    private func absence(in outcome: LeaseOutcome, askedAt: MonotonicInstant) -> FlightOutcome? {
        guard case .coolingDown(let snapshot) = outcome, snapshot.content == .absent,
            let entry = decoded(snapshot, held: nil, askedAt: askedAt)?.entry
        else { return nil }
        return .answered(FlightAnswer(entry: entry, origin: .cached(.l2), isCooldown: true))
    }

    /// Waits for the forced load that a snapshot shows, and answers with what it brought.
    private func answer(
        ofLoadIn snapshot: EntrySnapshot,
        held: Entry?,
        askedAt: MonotonicInstant,
        _ wait: inout LeaseWait
    ) async throws -> FlightOutcome? {
        var (snapshot, askedAt) = (snapshot, askedAt)
        var last = known(in: snapshot, held: held, askedAt: askedAt)
        var attempts = 0
        // Those of loads before the one that is waited for.
        let failures = snapshot.leaseFor == nil ? 0 : snapshot.failure?.count ?? 0
        while true {
            // What is fresh has been brought since, whoever has a lease by now.
            if let entry = last, entry.freshUntil > tools.spawner.now() {
                tools.note(snapshot, of: field)
                if believes(entry, in: snapshot.generation, &attempts) {
                    return .answered(FlightAnswer(entry: entry, origin: .cached(.l2), isCooldown: true))
                }
            } else if snapshot.leaseFor != nil {
                guard try await wait.again() else { return .failed(tools.timedOut(field), kept: kept(last)) }
            } else {
                tools.note(snapshot, of: field)
                break
            }
            do {
                askedAt = try await willAskStore()
                snapshot = try await tools.store.readEntry(field.key, EntryRead(under: field.policy))
            } catch {
                try Self.rethrowCancellation(error)
                tools.noteStoreError(error, .read, of: field)
                return nil
            }
            last = known(in: snapshot, held: held, askedAt: askedAt)
        }
        // A forced load that was given up or invalidated since has left nothing.
        guard snapshot.lastForced != nil, let count = snapshot.failure?.count, count > failures,
            let failure = tools.lastFailure(of: field)
        else { return nil }
        return .failed(failure, kept: kept(last))
    }

    /// Loads where the store has given no leave. A refusal that is final is told with the answer, or noted where there is
    /// none.
    ///
    /// - Returns: nil where it has waited for a place, and the store may be there again.
    private func forceWithoutLease(
        after error: any Error,
        _ invalidation: Invalidation,
        held: Entry?,
        in place: inout LoadPermit?
    ) async throws -> FlightOutcome? {
        let refusal = (error as? CacheError).flatMap { $0.isFinal ? $0 : nil }
        let cause = refusal == nil ? error : nil
        let outcome: FlightOutcome?
        do {
            outcome = try await forceWithoutStore(after: cause, invalidation, held: held, in: &place)
        } catch {
            if let refusal { tools.noteStoreError(refusal, .lease, of: field) }
            throw error
        }
        guard let outcome, let refusal else { return outcome }
        guard case .answered(var answer) = outcome else {
            tools.noteStoreError(refusal, .lease, of: field)
            return outcome
        }
        answer.refusal = refusal
        return .answered(answer)
    }

    /// - Parameter error: why the store will be told of the invalidation later; nil where it will not.
    /// - Returns: nil where it has waited for a place, and the store may be there again.
    private func forceWithoutStore(
        after error: (any Error)?,
        _ invalidation: Invalidation,
        held: Entry?,
        in place: inout LoadPermit?
    ) async throws -> FlightOutcome? {
        if let held, let answer = answerOfCooldown(held, { $0.hold(held, of: field.key) }) { return answer }
        if let failure = tools.failureOfForcedLoad(of: field) {
            return .failed(failure, kept: kept(invalidation == .remove ? nil : held))
        }
        if let error { tools.backlog.keep(invalidation, of: field.key, after: error) }
        let now = tools.spawner.now()
        let stale = invalidation == .remove ? nil : kept(held)?.expired(at: now).unverified(at: now)
        let late = answerMeanwhile(with: stale, in: .l1, after: invalidation)
        defer { late?.cancel() }
        guard let free = place ?? tools.limiter.take(for: id) else {
            desk.waitToForce(id)
            place = try await tools.place(for: field, flight: id)
            return nil
        }
        beginForced(invalidation, under: nil)
        let outcome = try await fetch(under: nil, known: stale, in: free)
        checkOnceMore(after: outcome)
        return outcome
    }

    /// What this process has held since its own forced load began shortly before.
    private func answerOfCooldown(_ held: Entry, _ change: (inout L1Change) -> Void) -> FlightOutcome? {
        guard held.freshUntil > tools.spawner.now(), tools.isCoolingDown(field),
            desk.keep(id, of: held.generation, checkedAt: held.checkedAt, change)
        else { return nil }
        return .answered(FlightAnswer(entry: held, origin: .cached(.l1), isCooldown: true))
    }

    private func beginForced(_ invalidation: Invalidation, under generation: Generation?) {
        desk.beginForced(id, of: field, invalidation, under: generation)
        tools.noteForcedLoad(of: field, in: id)
    }
}
