extension FlightRunner {
    /// Asks for the load of a slot, and runs it where that is this process's turn.
    func refresh(_ slot: ScheduledSlot, clock: StoreClock) async -> SlotAnswer {
        var place: LoadPermit?
        do {
            while true {
                let askedAt = tools.spawner.now()
                let outcome = try await lease(.scheduled(slot))
                clock.set(to: outcome.snapshot.time)
                tools.note(outcome.snapshot, of: field)
                switch outcome {
                case .granted(let lease, _) where desk.hasLostLease(id): await giveUp(lease)
                case .granted(let lease, let snapshot):
                    guard let free = place ?? tools.limiter.take(for: id) else {
                        await giveUp(lease)
                        place = try await tools.place(for: field, flight: id)
                        continue
                    }
                    let result = try await fetch(
                        under: lease,
                        known: known(in: snapshot, held: tools.l1.entry(field.key), askedAt: askedAt),
                        basis: LoadBasis(snapshot, seenAt: askedAt),
                        failures: snapshot.failure?.count,
                        in: free
                    )
                    return if case .failed = result { .failed(pause: failurePause) } else { .loaded }
                case .held(let snapshot): return .held(for: snapshot.leaseFor ?? .zero)
                case .failing: return .failed(pause: failurePause)
                case .notDue(let snapshot): return slot.isIdle(snapshot) ? .idle : .notDue
                case .fresh, .coolingDown: return .notDue
                }
            }
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
