extension FlightTools {
    /// Counts a load that has ended, and records it.
    func note(_ end: FieldEvent.LoadEnd, of field: AnyField, since begunAt: MonotonicInstant) {
        note(field, end, begunAt) { _ in }
    }

    /// - Parameter failure: what is remembered of it; nil if nothing is, since an invalidation has overtaken the load.
    func note(
        _ error: CacheError,
        _ failure: EntryFailure? = nil,
        of field: AnyField,
        since begunAt: MonotonicInstant
    ) {
        note(field, .failed(error.code, error.refusal), begunAt) { event in
            event.message = error.message
            event.failures = failure?.count
            event.wait = failure?.retryAfter
        }
    }

    private func note(
        _ field: AnyField,
        _ end: FieldEvent.LoadEnd,
        _ begunAt: MonotonicInstant,
        _ change: (inout FieldEvent) -> Void
    ) {
        field.metrics.count(end)
        let now = spawner.now()
        var event = FieldEvent(.load(end), at: now)
        event.took = now - begunAt
        change(&event)
        journal.record(event, of: field.key)
    }
}

extension FlightRunner {
    /// Records what the store said to the wish to load.
    func note(_ outcome: LeaseOutcome) {
        let now = tools.spawner.now()
        var event: FieldEvent
        switch outcome {
        case .granted:
            event = FieldEvent(.lease(.granted), at: now)
        case .held(let snapshot):
            event = FieldEvent(.lease(.held), at: now)
            (event.wait, event.holder) = (snapshot.leaseFor, snapshot.leaseHolder)
        case .fresh(let snapshot):
            event = FieldEvent(.lease(.fresh), at: now)
            (event.age, event.timeToLive) = (snapshot.age, snapshot.freshFor)
        case .failing(let snapshot):
            event = FieldEvent(.lease(.failing), at: now)
            event.wait = snapshot.failure?.retryAfter
            event.failures = snapshot.failure?.count
            event.message = snapshot.failure?.message
        case .coolingDown(let snapshot):
            event = FieldEvent(.lease(.coolingDown), at: now)
            (event.wait, event.holder) = (snapshot.leaseFor, snapshot.leaseHolder)
        case .notDue:
            // Most slots of a schedule are other processes'.
            return
        }
        tools.journal.record(event, of: field.key)
    }

    func note(noLease error: any Error) {
        var event = FieldEvent(
            .lease(.storeAway((error as? CacheError)?.code ?? .storeUnavailable)),
            at: tools.spawner.now()
        )
        event.message = (error as? CacheError)?.message
        tools.journal.record(event, of: field.key)
    }
}
