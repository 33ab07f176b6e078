extension FlightRunner {
    /// Loads with the leave of the store, waits for whoever has that leave, or takes what they have brought.
    ///
    /// - Parameters:
    ///   - basis: what the store showed before, if it was there.
    ///   - fallback: what will do where the store gives no leave.
    ///   - place: among the loads that run at once, where it has been waited for.
    func load(
        _ purpose: LeaseRequest.Purpose,
        known: Entry?,
        basis: LoadBasis?,
        orElse fallback: Entry? = nil,
        in place: LoadPermit? = nil
    ) async throws -> FlightOutcome {
        var (purpose, known, basis) = (purpose, known, basis)
        var (place, hasWaited) = (place, place != nil)
        var attempts = 0
        var wait = leaseWait()
        while true {
            let askedAt = tools.spawner.now()
            let outcome: LeaseOutcome
            do {
                outcome = try await lease(purpose)
            } catch {
                try Self.rethrowCancellation(error)
                known = withoutStored(known, after: error)
                if let fallback {
                    // Whoever came after an invalidation, of which another process has told, waits here too.
                    let generation = fallback.basis?.generation
                    let isCurrent = desk.mayKeep(id, of: generation, checkedAt: fallback.checkedAt)
                    if isCurrent, !desk.wantsMore(id, than: fallback) { return .answered(cached(fallback, in: .l1)) }
                    if !isCurrent { (known, basis) = (tools.l1.entry(field.key), nil) }
                }
                if let free = place ?? tools.limiter.take(for: id) {
                    return try await fetch(under: nil, known: known, basis: basis, in: free)
                }
                // The store may be there again by then.
                place = try await tools.place(for: field, flight: id)
                hasWaited = true
                continue
            }
            basis = LoadBasis(outcome.snapshot, seenAt: askedAt)
            switch outcome {
            case .granted(let lease, _) where desk.hasLostLease(id):
                await giveUp(lease)
                hasWaited = true
            case .granted(let lease, let snapshot):
                let stored = self.known(in: snapshot, held: known, askedAt: askedAt)
                // Another may have had the lease since the store was read.
                let mayBeNew = hasWaited || purpose == .renew
                if mayBeNew, let stored, stored.freshUntil > tools.spawner.now(), !desk.wantsMore(id, than: stored) {
                    await giveUp(lease)
                    guard believes(stored, in: snapshot.generation, &attempts) else { continue }
                    return .answered(cached(stored, in: tier(of: stored, in: snapshot)))
                }
                // The store heeds none for who wants more than what is there.
                if mayBeNew, let failure = failure(in: snapshot) {
                    await giveUp(lease)
                    return await failed(failure, beside: stored)
                }
                guard let free = place ?? tools.limiter.take(for: id) else {
                    await giveUp(lease)
                    place = try await tools.place(for: field, flight: id)
                    hasWaited = true
                    continue
                }
                return try await fetch(
                    under: lease,
                    known: stored,
                    basis: basis,
                    failures: snapshot.failure?.count,
                    in: free
                )
            case .fresh(let snapshot), .notDue(let snapshot):
                // To another version of the program it may be fresh alone.
                if let stored = decoded(snapshot, held: known, askedAt: askedAt), let entry = stored.entry,
                    entry.freshUntil > tools.spawner.now()
                {
                    guard believes(entry, in: snapshot.generation, &attempts) else { continue }
                    return .answered(cached(entry, in: stored.tier))
                }
                if let failure = tools.failure(of: field) { return .failed(failure, kept: kept(known)) }
                purpose = .renew
            case .failing(let snapshot), .coolingDown(let snapshot):
                note(snapshot, askedAt: askedAt)
                let failure = tools.failure(of: field) ?? CacheError(.sourceFailed, "the last load failed")
                return await failed(failure, beside: self.known(in: snapshot, held: known, askedAt: askedAt))
            case .held(let snapshot):
                known = self.known(in: snapshot, held: known, askedAt: askedAt)
                place = nil
                guard try await wait.again() else { return .failed(tools.timedOut(field), kept: kept(known)) }
                hasWaited = true
            }
        }
    }

    /// Asks for leave to load.
    ///
    /// A lease whose grant got lost on the way, or whose script was stopped on its own, is given up, or nobody could load
    /// until it ends. One that was refused is none.
    func lease(_ purpose: LeaseRequest.Purpose) async throws -> LeaseOutcome {
        let request = LeaseRequest(
            purpose: purpose,
            holdFor: leaseTime,
            freshFor: field.policy.ttl,
            staleFor: field.policy.staleWindow,
            token: (tools.nodeName.isEmpty ? "" : tools.nodeName + "/") + String(tools.spawner.random(), radix: 16)
        )
        let sentAt = try await willAskStore()
        do {
            // Whoever cancels it waits for the answer: a release might overtake the request.
            let outcome = try await tools.spawner.outliving {
                try await tools.store.leaseEntry(field.key, request)
            }.get()
            if case .force(let invalidation, _) = purpose, case .granted(let lease, _) = outcome {
                tools.backlog.note(invalidation, of: field.key, lease.generation, sentAt: sentAt)
            }
            note(outcome)
            return outcome
        } catch {
            note(noLease: error)
            if !purpose.isThrown(error) { tools.noteStoreError(error, .lease, of: field) }
            let isRefused = (error as? CacheError).map {
                $0.isUnsent || !$0.isHalfDone && ($0.code == .storeRejected || $0.refusal != nil)
            }
            if !(isRefused ?? false) {
                tools.backlog.giveUpMeanwhile(request.token, of: field.key, heldFor: leaseTime)
            }
            try Task.checkCancellation()
            throw error
        }
    }

    /// Another load has failed, and the store remembers that.
    private func failed(_ failure: CacheError, beside known: Entry?) async -> FlightOutcome {
        let outcome = FlightOutcome.failed(failure, kept: kept(known))
        let mayKeep =
            known.map { desk.mayKeep(id, of: $0.generation, checkedAt: $0.checkedAt) } ?? desk.isCurrent(id)
        // What has been invalidated since may be kept in the store all the same.
        return mayKeep ? outcome : await storedInstead(of: outcome, failure, beside: nil)
    }

    /// How another load has failed meanwhile, while that is remembered.
    private func failure(in snapshot: EntrySnapshot) -> CacheError? {
        guard snapshot.failure != nil else { return nil }
        tools.note(snapshot, of: field)
        return tools.failure(of: field)
    }

    /// What a fill may take, with a margin.
    static var fillTime: Duration { .seconds(5) }

    /// A lease outlives its load by what the fill may take.
    var leaseTime: Duration { field.policy.hardDeadline + Self.fillTime }

    /// Long enough to outlast a holder that has died, and the one that comes after it.
    func leaseWait() -> LeaseWait { LeaseWait(of: id, at: desk, limit: leaseTime * 2) }
}

extension LeaseRequest.Purpose {
    /// Whether those who ask get the store's error, once their load has succeeded.
    fileprivate func isThrown(_ error: any Error) -> Bool {
        guard case .force = self else { return false }
        return (error as? CacheError)?.isFinal ?? false
    }
}
