import Metrics

extension FieldCache {
    /// Loads a field anew for this caller and whoever asks meanwhile, unless a forced load has begun within the field's
    /// `minRefreshInterval`, over all processes: that one answers then.
    ///
    /// If the load fails this caller gets the error, and readers what there was.
    ///
    /// - Parameter purge: remove the old value first, so that nobody gets it even if the load fails. A forced load that
    ///   answers this refresh, because it began shortly before, is not purged again.
    /// - Throws: as ``value(of:forceRefresh:)``, and `storeRejected` where the key holds something else.
    public func refresh<Value>(_ field: Field<Value>, purge: Bool = false) async throws -> FieldRead<Value> {
        let reading = try await refresh(field.erased, purge: purge)
        return FieldRead(value: try field.value(in: reading.payload), reading: reading)
    }

    /// ``refresh(_:purge:)->FieldRead<Value>`` for a field of any type.
    public func refresh(_ field: AnyField, purge: Bool = false) async throws -> FieldReading {
        do {
            let reading = try await refreshed(field, purge)
            record(.skipped, reading, of: field)
            return reading
        } catch {
            record(.skipped, error, of: field)
            field.count(error)
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
            if let refusal = answer.refusal { throw refusal }
            field.metrics.misses.increment()
            guard let payload = answer.entry.payload else {
                throw CacheError(.absent, "the source has no value for '\(field.name)'")
            }
            let isCooldown = joinedForced || answer.isCooldown
            let isQueued = tools.backlog.isBehind(with: field.key)
            return FieldReading(
                answer.entry,
                payload,
                at: tools.spawner.now(),
                status: .refreshed,
                tier: .source,
                isStored: answer.origin != .loaded(isStored: false),
                detail: isCooldown ? .cooldown : isQueued ? .queued : nil
            )
        case .failed(let error, _, _): throw error
        case .cancelled: throw CancellationError()
        }
    }
}
