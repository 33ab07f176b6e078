import Logging

extension FlightRunner {
    /// A source may answer with what it was before the change that the refresh was forced for. So it is asked once more
    /// when the field's `settle` is over, by a read that wants nothing older: leases, limits and invalidations hold for
    /// it.
    func checkOnceMore(after outcome: FlightOutcome) {
        guard let time = field.policy.settle, case .answered(let answer) = outcome,
            answer.origin == .loaded(isStored: true)
        else { return }
        let before = answer.entry.payload
        tools.settling.start(field.key, after: time, on: tools.spawner) {
            await check(before)
        }
    }

    private func check(_ before: Payload?) async {
        let now = tools.spawner.now()
        let hasChanged: Bool?
        // Another process's load, begun before, may answer first.
        if let entry = await entry(loadedSince: now, attempts: 3) {
            hasChanged = entry.payload.map(ContentDigest.init) != before.map(ContentDigest.init)
        } else {
            hasChanged = nil
        }
        tools.journal.record(FieldEvent(.settled(hasChanged: hasChanged), at: tools.spawner.now()), of: field.key)
        guard hasChanged == true else { return }
        tools.logger.warning(
            "the source changed after a forced refresh, which was too early for it",
            metadata: ["field.name": "\(field.name)"]
        )
    }

    private func entry(loadedSince instant: MonotonicInstant, attempts: Int) async -> Entry? {
        for _ in 1...attempts {
            guard let (outcome, _) = try? await desk.wait(for: field, .younger(instant)),
                case .answered(let answer) = outcome
            else { return nil }
            if answer.entry.loadedAt >= instant { return answer.entry }
        }
        return nil
    }
}
