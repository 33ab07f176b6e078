import Logging

extension FlightRunner {
    /// A source may answer with what it was before the change that the refresh was forced for. So it is asked once more
    /// when the field's `settle` is over, by a read that wants nothing older: leases, limits and invalidations hold for
    /// it.
    func checkOnceMore(after outcome: FlightOutcome) {
        guard let time = field.policy.settle, case .answered(let answer) = outcome, answer.isCurrent else { return }
        let before = answer.entry.payload
        tools.settling.start(field.key, after: time, on: tools.spawner) {
            await check(before)
        }
    }

    private func check(_ before: Payload?) async {
        let hasChanged: Bool?
        if let entry = await entryOfNewLoad(attempts: 3) {
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

    /// What a load brings that begins from now on: one that began before, here or in another process, may answer first.
    private func entryOfNewLoad(attempts: Int) async -> Entry? {
        let start = tools.spawner.now()
        for _ in 1...attempts {
            // Not even what was loaded at this instant.
            let limit = tools.spawner.now() + .nanoseconds(1)
            guard let (outcome, _) = try? await desk.wait(for: field, .younger(limit)),
                case .answered(let answer) = outcome
            else { return nil }
            if let begunAt = answer.begunAt, begunAt >= start { return answer.entry }
        }
        return nil
    }
}
