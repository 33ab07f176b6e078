extension FlightRunner {
    /// Asks for the load of a slot, and runs it where that is this process's turn.
    func refresh(_ slot: ScheduledSlot, clock: StoreClock) async -> SlotAnswer {
        do {
            // Before the lease, which another process with a free place may have meanwhile.
            let place = try await tools.place(for: field, flight: id)
            let askedAt = tools.spawner.now()
            try await tools.backlog.flush(field.key)
            let outcome = try await lease(.scheduled(slot))
            clock.set(to: outcome.snapshot.time)
            tools.note(outcome.snapshot, of: field)
            switch outcome {
            case .granted(let lease, let snapshot):
                let known = known(in: snapshot, held: tools.l1.entry(field.key), askedAt: askedAt)
                let basis = LoadBasis(snapshot, seenAt: askedAt)
                let result = try await fetch(
                    under: lease,
                    known: known,
                    basis: basis,
                    failures: snapshot.failure?.count,
                    in: place
                )
                return if case .failed = result { .failed(pause: failurePause) } else { .loaded }
            case .held(let snapshot): return .held(for: snapshot.leaseFor ?? .zero)
            case .failing: return .failed(pause: failurePause)
            case .notDue(let snapshot): return slot.isIdle(snapshot) ? .idle : .notDue
            case .fresh, .coolingDown: return .notDue
            }
        } catch is FlightTools.NoPlace {
            return .failed(pause: failurePause)
        } catch {
            return .unavailable
        }
    }

    private var failurePause: Duration { tools.failure(of: field)?.retryAfter ?? field.policy.errorBackoff }
}

extension ScheduledSlot {
    /// Whether nobody has read for so long that the slot was left out.
    fileprivate func isIdle(_ snapshot: EntrySnapshot) -> Bool {
        guard idleAfter > .zero, let known = snapshot.lastRead else { return false }
        return min(known, lastRead ?? known) >= idleAfter
    }
}
