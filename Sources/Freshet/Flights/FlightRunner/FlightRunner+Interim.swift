extension FlightRunner {
    /// Gives those who only read what the policy lets them have while the load goes on: now, or at the soft deadline.
    ///
    /// - Returns: what waits for the soft deadline, to be cancelled when the load has ended.
    func answerMeanwhile(with answer: FlightAnswer?) -> SpawnedTask? {
        guard let answer else { return nil }
        let now = tools.spawner.now()
        let isFailing = tools.failure(of: field) != nil
        switch answer.entry.freshness(at: now, under: field.policy).action(on: isFailing ? .readWhileFailing : .read) {
        case .answer, .answerAndLoad: desk.answerReaders(id, InterimAnswer(answer: answer, isLate: isFailing))
        default: break
        }
        return field.policy.softDeadline.map { desk.answerLateReaders(id, answer, at: now + $0) }
    }

    /// The same under a forced refresh, which has made stale what is held.
    func answerMeanwhile(
        with entry: Entry?,
        in tier: FieldReading.Tier,
        after invalidation: Invalidation
    ) -> SpawnedTask? {
        guard invalidation == .expire, let entry else { return nil }
        desk.keep(id, of: entry.generation, checkedAt: entry.checkedAt) { $0.hold(entry, of: field.key) }
        return answerMeanwhile(with: cached(entry, in: tier))
    }

    /// Asks the store whether it still holds what readers get while the load goes on.
    func checkInterim(_ interim: FlightAnswer) async {
        let held = interim.entry
        let askedAt = tools.spawner.now()
        do {
            try await tools.backlog.flush(field.key)
            let request = EntryRead(under: field.policy, known: held.known)
            let snapshot = try await tools.store.readEntry(field.key, request)
            // L1 is the load's to fill: what it brings is newer than this.
            let stored = decoded(snapshot, held: held, askedAt: askedAt)
            let (entry, tier) = stored.map { latest($0, held, in: snapshot.generation, askedAt: askedAt) } ?? (nil, .l2)
            if entry == nil { desk.change { $0.drop(field.key, unlessSince: askedAt) } }
            desk.checkedInterim(id, held, entry.map { cached($0, in: tier) }, of: snapshot.generation)
        } catch {
            if !(error is CancellationError) { tools.noteStoreError(error, .read, of: field) }
            // Of what has been removed since L1 holds nothing.
            let left = desk.isCurrent(id) ? held : tools.l1.entry(field.key)
            let kept = withoutStored(left, after: error)?.unverified(at: tools.spawner.now())
            desk.checkedInterim(id, held, kept.map { cached($0, in: .l1) }, of: held.generation)
        }
    }
}
