import NIOCore

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
                EntryRead(under: field.policy, known: held?.known)
            )
        {
            isKnown = true
            let stored = try? Entry.from(snapshot, of: field, held: held, askedAt: askedAt)
            let now = tools.spawner.now()
            entry = held?.ifLater(than: stored, in: snapshot.generation, askedAt: askedAt, now: now) ?? stored
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

    /// How many wait for a load of the field in this process.
    package func waiters(of field: AnyField) -> Int { desk.waiters(of: field.key) }
}
