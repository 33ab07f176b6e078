import Freshet

/// C1: what was invalidated is not served.
extension Contract {
    func checkInvalidations(before answer: Answer) throws {
        for change in changes where answer.load.begin < change.limit {
            let (number, invalidation) = (change.number, change.call)
            guard let done = invalidation.end, number != answer.number, let isHard = isHard(invalidation),
                mustBeKnown(invalidation, done, to: answer)
            else { continue }
            if isHard || answer.status != .stale {
                throw breach(answer, "C1: it is from before call \(number)")
            }
        }
    }

    /// When a load must have begun that is not from before an invalidation; one that has loaded itself, and has not been
    /// overtaken, has its own load.
    static func limit(of invalidation: History.Call, in history: History) -> History.Moment {
        guard let value = stored(for: invalidation, in: history) else { return invalidation.begin }
        let own = history.loads.filter { $0.result == .value(value) && invalidation.begin < $0.begin }
        return own.map(\.begin).min() ?? invalidation.begin
    }

    /// What a call got and the store has: what its node kept while it did not reach the store may have been overtaken.
    private static func stored(for call: History.Call, in history: History) -> Int? {
        guard case .value(let value, _, _, isStored: true) = call.outcome, let end = call.end,
            history.isWell(call.node, for: .zero, before: call.begin.time, to: end.time)
        else { return nil }
        return value
    }

    /// Whether a call has invalidated what there was, and that for good; nil if it has not.
    private func isHard(_ call: History.Call) -> Bool? {
        switch (call.operation, call.outcome) {
        case (.invalidate(let invalidation), .invalidated): invalidation == .remove
        case (.refresh(let purge), .value(_, _, let detail, isStored: _)) where [nil, .queued].contains(detail): purge
        default: nil
        }
    }

    private func mustBeKnown(_ invalidation: History.Call, _ done: History.Moment, to answer: Answer) -> Bool {
        let call = answer.call
        if invalidation.node == call.node { return done < call.begin && knowsGaps(call, to: answer.end) }
        // While a node's breaker is open its forced refreshes are told later, as if they were queued. One that ends before the
        // others have heard of it leaves nobody to repeat it.
        let heard = done.time + Channel.longest
        return invalidation.outcome != .invalidated(.queued) && done.time + bound < call.begin.time
            && history.isWell(invalidation.node, for: Self.recovery, before: invalidation.begin.time, to: heard)
            && history.isWell(call.node, [.store], for: Self.recovery, before: call.begin.time, to: answer.end.time)
            // Behind a gap it looks at once.
            && history.isWell(call.node, [.gap], for: bound, before: call.begin.time, to: answer.end.time)
            && history.isWell(nil, [.lostWrites], for: bound, before: call.begin.time, to: answer.end.time)
            && knowsGaps(call, to: answer.end)
    }

    /// Whether a node knew, when it was asked, that the store may lack what it took. What it has read before that it believes
    /// for a while.
    private func knowsGaps(_ call: History.Call, to end: History.Moment) -> Bool {
        history.isWell(call.node, [.unheardGap], for: bound, before: call.begin.time, to: end.time)
    }

    /// Once a forced load has begun nothing is fresh that is older, and once one has that purges nothing is served.
    func checkForcedLoads(before answer: Answer) throws {
        guard answer.status != .refreshed, knowsGaps(answer.call, to: answer.end) else { return }
        for (number, forced) in loads.enumerated() where forced.isForced && forced.node == answer.call.node {
            guard forced.begin < answer.call.begin, let limit = limitsOfLoads[number], answer.load.begin.time < limit,
                answer.status != .stale || isPurging(forced)
            else { continue }
            throw breach(answer, "C1: it is from before load \(number), which was forced")
        }
    }

    /// When a load must have begun that is not from before a forced one. What is written between its leave and its begin
    /// has overtaken it, and is not stored then; without leave nothing comes in between.
    static func limit(of forced: History.Load, in history: History) -> MonotonicInstant {
        let callers = callers(of: forced, among: history.calls)
        let isStored = callers.contains { call in
            stored(for: call, in: history).map { forced.result == .value($0) } ?? false
        }
        guard !isStored, let leave = forced.leave, callers.isEmpty || callers.contains(where: { $0.begin < leave })
        else { return forced.begin.time }
        return max(leave.time, forced.begin.time + (.zero - storeTime))
    }

    /// Those who may have forced a load.
    static func callers(of forced: History.Load, among calls: [History.Call]) -> [History.Call] {
        calls.filter { call in
            guard case .refresh = call.operation, call.node == forced.node else { return false }
            return call.begin < forced.begin && (call.end.map { $0 > forced.begin } ?? true)
        }
    }

    private func isPurging(_ forced: History.Load) -> Bool {
        Self.callers(of: forced, among: calls).contains { call in
            guard case .value(let value, _, let detail, isStored: _) = call.outcome, [nil, .queued].contains(detail)
            else { return false }
            return call.operation == .refresh(purge: true) && forced.result == .value(value)
        }
    }

    func checkForce(_ answer: Answer) throws {
        guard case .refresh = answer.call.operation, answer.load.begin < answer.call.begin else { return }
        if answer.detail != .cooldown { throw breach(answer, "C1: a forced refresh got what was loaded before it") }
        if answer.load.begin.time + policy.minRefreshInterval + Self.slack < answer.call.begin.time {
            throw breach(answer, "a forced refresh was answered by one that is not so recent")
        }
    }

    func checkAbsence(_ number: Int, _ call: History.Call, _ end: History.Moment) throws {
        let able = loads.filter { $0.result == .absent && ($0.end ?? end) < end }
        guard let load = able.max(by: { $0.begin < $1.begin }), let loadEnd = able.compactMap(\.end).max() else {
            throw breach("call \(number) heard of an absence that never was", call.begin, end)
        }
        let isOvertaken = calls.contains { invalidation in
            guard let done = invalidation.end, case .invalidated = invalidation.outcome else { return false }
            return invalidation.node == call.node && done < call.begin && load.begin < invalidation.begin
        }
        if isOvertaken, knowsGaps(call, to: end) {
            throw breach("C1: call \(number) heard of an absence from before", load.begin, end)
        }
        if case .refresh = call.operation { return }
        if call.begin.time - loadEnd.time > policy.negativeTTL + Self.storeTime {
            throw breach("C6: call \(number) heard of an absence of long ago", load.begin, end)
        }
    }
}
