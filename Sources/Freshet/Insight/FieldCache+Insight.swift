extension FieldCache {
    /// What has lately happened to a field of the catalogue on this node, oldest first. Fresh hits in L1 are not
    /// recorded.
    package func events(of field: AnyField) -> [FieldEvent] { tools.journal.events(of: field.key) }

    /// What may be wrong with a field's policy, as far as this node has seen.
    package func advice(for field: AnyField) -> [FieldAdvice] { tools.journal.advice(for: field, at: now) }

    /// Tells a watcher of the events of all fields from now on. It is called in the midst of reads and loads, and must
    /// return at once.
    package func watch(_ watcher: @escaping @Sendable (_ field: String, FieldEvent) -> Void) {
        tools.journal.watch(watcher)
    }

    /// The clock that events go by.
    package var now: MonotonicInstant { tools.spawner.now() }
}

extension FieldCache {
    /// Why L1 does not answer a read.
    func finding(_ field: AnyField, maxAge: Duration?) -> FieldEvent.L1Finding {
        let now = now
        guard let entry = tools.l1.peek(field.key) else { return tools.isUncacheable(field) ? .uncacheable : .nothing }
        guard tools.trust.covers(entry, at: now) else { return .untrusted }
        guard entry.payload != nil else { return .absent }
        if now >= entry.freshUntil { return .stale }
        return maxAge.map { entry.age(at: now) > $0 } ?? false ? .tooOld : .fresh
    }

    func record(_ finding: FieldEvent.L1Finding, _ reading: FieldReading, of field: AnyField) {
        let end: FieldEvent.ReadEnd =
            switch reading.status {
            case .hit: .hit(reading.tier)
            case .stale: .stale(reading.tier, sourceFailed: reading.detail == .sourceFailed)
            case .loaded: .loaded(isStored: reading.isStored)
            case .refreshed: .refreshed(isCooldown: reading.detail == .cooldown)
            }
        var event = FieldEvent(.read(finding, end), at: now)
        event.age = reading.age
        event.timeToLive = reading.timeToLive
        tools.journal.record(event, of: field.key)
    }

    func record(_ finding: FieldEvent.L1Finding, _ error: any Error, of field: AnyField) {
        let end: FieldEvent.ReadEnd =
            switch error as? CacheError {
            case let error? where error.code == .absent: .absent
            case let error?: .failed(error.code)
            case nil: error is CancellationError ? .cancelled : .failed(.invalidValue)
            }
        var event = FieldEvent(.read(finding, end), at: now)
        event.message = (error as? CacheError)?.message
        event.wait = (error as? CacheError)?.retryAfter
        tools.journal.record(event, of: field.key)
    }

    func record(_ invalidation: Invalidation, _ origin: FieldEvent.InvalidationOrigin, of key: String) {
        tools.journal.record(FieldEvent(.invalidated(invalidation, origin), at: now), of: key)
    }
}
