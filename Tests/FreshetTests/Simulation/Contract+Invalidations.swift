import Freshet

/// C1: what was invalidated is not served.
extension Contract {
    func checkInvalidations(before answer: Answer) throws {
        for (number, invalidation) in calls.enumerated() {
            guard let done = invalidation.end, number != answer.number, answer.load.begin < limitsOfCalls[number],
                let isHard = isHard(invalidation), mustBeKnown(invalidation, done, to: answer)
            else { continue }
            if isHard || answer.status != .stale {
                throw breach(answer, "C1: it is from before call \(number)")
            }
        }
    }

    /// When a load must have begun that is not from before an invalidation; one that has loaded itself, and has not been
    /// overtaken, has its own load.
    static func limit(of invalidation: History.Call, among loads: [History.Load]) -> History.Moment {
        guard case .value(let value, _, _, isStored: true) = invalidation.outcome else { return invalidation.begin }
        let own = loads.filter { $0.result == .value(value) && invalidation.begin < $0.begin }
        return own.map(\.begin).min() ?? invalidation.begin
    }

    /// Whether a call has invalidated what there was, and that for good; nil if it has not.
    private func isHard(_ call: History.Call) -> Bool? {
        switch (call.operation, call.outcome) {
        case (.invalidate(let invalidation), .invalidated): invalidation == .remove
        case (.refresh(let purge), .value(_, _, detail: nil, isStored: _)): purge
        default: nil
        }
    }

    private func mustBeKnown(_ invalidation: History.Call, _ done: History.Moment, to answer: Answer) -> Bool {
        let call = answer.call
        if invalidation.node == call.node { return done < call.begin }
        // While a node's breaker is open its forced refreshes are told later, as if they were queued.
        return invalidation.outcome != .invalidated(.queued) && done.time + Self.bound < call.begin.time
            && history.isWell(invalidation.node, for: Self.recovery, before: invalidation.begin.time, to: done.time)
            && history.isWell(call.node, for: Self.recovery, before: call.begin.time, to: answer.end.time)
    }

    /// Once a forced load has begun nothing is fresh that is older than who asked for it.
    func checkForcedLoads(before answer: Answer) throws {
        guard answer.status == .hit else { return }
        for (number, forced) in loads.enumerated() where forced.isForced && forced.node == answer.call.node {
            guard forced.begin < answer.call.begin else { continue }
            let isBefore = limitsOfLoads[number].map { answer.load.begin < $0 } ?? false
            // Its leave was granted no longer ago than the store takes.
            if isBefore || answer.load.begin.time + Self.storeTime < forced.begin.time {
                throw breach(answer, "C1: it is from before load \(number), which was forced")
            }
        }
    }

    /// When a load must have begun that is not from before a forced one: later than that, if it was stored. What is
    /// written between lease and load has overtaken it. Nil where nobody has forced it.
    static func limit(of forced: History.Load, among calls: [History.Call]) -> History.Moment? {
        let refreshes = calls.filter { call in
            guard case .refresh = call.operation, call.node == forced.node else { return false }
            return call.begin < forced.begin && (call.end.map { $0 > forced.begin } ?? true)
        }
        let isStored = refreshes.contains { call in
            guard case .value(let value, _, _, isStored: true) = call.outcome else { return false }
            return forced.result == .value(value)
        }
        return isStored ? forced.begin : refreshes.first?.begin
    }

    func checkForce(_ answer: Answer) throws {
        guard case .refresh = answer.call.operation, answer.load.begin < answer.call.begin else { return }
        if answer.detail != .cooldown { throw breach(answer, "C1: a forced refresh got what was loaded before it") }
        if answer.load.begin.time + policy.minRefreshInterval + Self.slack < answer.call.begin.time {
            throw breach(answer, "a forced refresh was answered by one that is not so recent")
        }
    }

    func checkAbsence(_ number: Int, _ call: History.Call, _ end: History.Moment) throws {
        let latest = loads.filter { $0.result == .absent && ($0.end ?? end) < end }.max { $0.begin < $1.begin }
        guard let load = latest, let loadEnd = load.end else {
            throw breach("call \(number) heard of an absence that never was", call.begin, end)
        }
        let isOvertaken = calls.contains { invalidation in
            guard let done = invalidation.end, case .invalidated = invalidation.outcome else { return false }
            return invalidation.node == call.node && done < call.begin && load.begin < invalidation.begin
        }
        if isOvertaken { throw breach("C1: call \(number) heard of an absence from before", load.begin, end) }
        if case .refresh = call.operation { return }
        if call.begin.time - loadEnd.time > policy.negativeTTL + Self.storeTime {
            throw breach("C6: call \(number) heard of an absence of long ago", load.begin, end)
        }
    }
}
