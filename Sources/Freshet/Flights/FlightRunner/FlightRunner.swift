/// Runs one flight: looks into the store, and loads from the source if that does not end it.
struct FlightRunner: Sendable {
    let tools: FlightTools
    let desk: FlightDesk
    let field: AnyField
    let id: FlightID
    var isScheduled = false

    func run(_ purpose: FlightPurpose) async {
        do {
            switch purpose {
            case .read: desk.land(id, try await lookUp())
            case .force(let invalidation): desk.land(id, try await force(invalidation))
            }
        } catch let refusal as FlightTools.NoPlace {
            desk.giveUpForcing(id)
            let outcome = try? await notBegun(refusal)
            desk.land(id, outcome ?? .failed(refusal.error, kept: nil))
        } catch {
            desk.land(id, .failed(CacheError(.shuttingDown, "the load was given up"), kept: nil))
        }
    }

    /// Reads the store, and loads unless that gives an answer.
    private func lookUp() async throws -> FlightOutcome {
        var attempts = 0
        while true {
            let held = tools.l1.entry(field.key)
            let askedAt: MonotonicInstant
            let snapshot: EntrySnapshot
            do {
                askedAt = try await willAskStore()
                snapshot = try await tools.store.readEntry(
                    field.key,
                    EntryRead(under: field.policy, known: held?.known)
                )
            } catch {
                try Self.rethrowCancellation(error)
                tools.noteStoreError(error, .read, of: field)
                return try await goOnWithoutStore(after: error)
            }
            note(snapshot, askedAt: askedAt)
            guard let stored = decoded(snapshot, held: held, askedAt: askedAt) else {
                return try await replaceBadBytes()
            }
            let (entry, tier) = latest(stored, held, in: snapshot.generation, askedAt: askedAt)
            guard believes(entry, in: snapshot.generation, &attempts) else { continue }
            let basis = LoadBasis(snapshot, seenAt: askedAt)
            if tier == .l1, let entry, entry.basis?.isLeased == false, entry.freshUntil > tools.spawner.now() {
                return try await store(again: entry, basis)
            }
            // What the store calls fresh may be another version's.
            let isFresh = entry.map { $0.freshUntil > tools.spawner.now() } ?? false
            let purpose = snapshot.freshFor > .zero && !isFresh ? LeaseRequest.Purpose.renew : .read
            return try await decide(on: entry, in: tier, toLoad: purpose) {
                try await load($0, known: entry, basis: basis)
            }
        }
    }

    /// Call before the store is asked: tells it what it has yet to be told of the key, and forgets the flight's news. Looks
    /// once more after that, since a forced load may have begun in between, which is news no longer.
    ///
    /// - Returns: from when on what the store says is known.
    @discardableResult
    func willAskStore() async throws -> MonotonicInstant {
        while true {
            try await tools.backlog.flush(field.key)
            let askedAt = tools.spawner.now()
            desk.willAskStore(id)
            guard tools.backlog.isPending(field.key), desk.isCurrent(id) else { return askedAt }
            try Task.checkCancellation()
        }
    }

    /// The store gave no leave to load what L1 holds: if it does by now, it gets what it lacks.
    private func store(again held: Entry, _ basis: LoadBasis) async throws -> FlightOutcome {
        let late = answerMeanwhile(with: cached(held, in: .l1))
        defer { late?.cancel() }
        return try await load(.read, known: held, basis: basis, orElse: held)
    }

    /// What goes on though the store gave an error: not what it held where it is not away, but has under the key what is
    /// none of the field's values. That is gone, as if it had been deleted.
    func withoutStored(_ held: Entry?, after error: any Error) -> Entry? {
        guard let held, held.wasStored, (error as? CacheError)?.isOfKey ?? false else { return held }
        desk.changeIfCurrent(id) { $0.drop(field.key) }
        return nil
    }

    /// The store is away: what L1 holds by now goes on.
    private func goOnWithoutStore(after error: any Error) async throws -> FlightOutcome {
        let entry = withoutStored(tools.l1.entry(field.key), after: error).flatMap { _ in
            desk.believeHeld(id, of: field)
        }
        return try await decide(on: entry, in: .l1) { purpose in
            guard let place = tools.limiter.take(for: id) else {
                // The store may be there again by then.
                let place = try await tools.place(for: field, flight: id)
                return try await load(purpose, known: entry, basis: nil, in: place)
            }
            note(noLease: error)
            return try await fetch(under: nil, known: entry, in: place)
        }
    }

    private func replaceBadBytes() async throws -> FlightOutcome {
        if let failure = tools.failure(of: field) { return .failed(failure, kept: nil) }
        return try await load(.renew, known: nil, basis: nil)
    }

    /// Answers out of a cache where the policy allows it, and loads where it does not or somebody wants more.
    private func decide(
        on entry: Entry?,
        in tier: FieldReading.Tier,
        toLoad purpose: LeaseRequest.Purpose = .read,
        load: (LeaseRequest.Purpose) async throws -> FlightOutcome
    ) async throws -> FlightOutcome {
        let failure = tools.failure(of: field)
        let freshness = entry?.freshness(at: tools.spawner.now(), under: field.policy) ?? .gone
        let answer = entry.map { cached($0, in: tier) }
        var purpose = purpose
        switch (freshness.action(on: failure == nil ? .read : .readWhileFailing), answer, failure) {
        case (.answer, let answer?, let failure):
            guard desk.wantsMore(id, than: answer.entry) else { return .answered(answer) }
            if freshness.action(on: failure == nil ? .readYounger : .readYoungerWhileFailing) == .fail, let failure {
                desk.answerReaders(id, InterimAnswer(answer: answer, isLate: true))
                return .failed(failure, kept: entry)
            }
            purpose = .renew
        case (.fail, _, let failure?):
            return .failed(failure, kept: nil)
        default: break
        }
        let late = answerMeanwhile(with: answer)
        defer { late?.cancel() }
        return try await load(purpose)
    }

    static func rethrowCancellation(_ error: any Error) throws {
        if error is CancellationError { throw error }
    }
}
