import NIOCore

extension FieldCache {
    /// What is known of a field, from this process and the store; the source is not asked, and the value not fetched.
    public func state(of field: AnyField) async -> FieldState {
        // What the store has yet to be told of, it does not know.
        let isTold = (try? await tools.backlog.flush(field.key)) != nil
        let askedAt = tools.spawner.now()
        let held = tools.l1.peek(field.key)
        var entry = held
        var bytes = held?.payload?.bytes.readableBytes
        var isKnown = held != nil
        var failure = tools.failure(of: field)?.message
        let request = EntryRead(under: field.policy, known: held?.known, omitsValue: true)
        if isTold, let snapshot = try? await tools.store.readEntry(field.key, request) {
            isKnown = true
            let stored = Entry.outline(of: snapshot, under: field.policy, askedAt: askedAt)
            let now = tools.spawner.now()
            entry = held?.ifLater(than: stored, in: snapshot.generation, askedAt: askedAt, now: now)
            if entry == nil { (entry, bytes) = (stored, snapshot.content.size(held: bytes)) }
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
            bytes: isThere ? bytes : nil,
            nextRefresh: schedule?.next,
            isIdle: schedule?.isPaused ?? false
        )
    }

    /// How many wait for a load of the field in this process.
    package func waiters(of field: AnyField) -> Int { desk.waiters(of: field.key) }
}

extension EntrySnapshot.Content {
    /// In bytes; nil where there is no value.
    ///
    /// - Parameter held: of what the reader holds.
    fileprivate func size(held: Int?) -> Int? {
        switch self {
        case .gone, .absent: nil
        case .value(let bytes): bytes.readableBytes
        case .omitted(let size): size
        case .unchanged: held
        }
    }
}
