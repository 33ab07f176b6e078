import Freshet

/// C2 and C4: when the source may be asked.
extension Contract {
    /// Of two loads at once the earlier one has been invalidated.
    func checkOneLoad() throws {
        let leaves = history.leaves
        for (number, load) in loads.enumerated() {
            // A fetcher may heed its cancellation late.
            guard let end = load.end, load.result != .cancelled else { continue }
            for (other, later) in loads.enumerated().dropFirst(number + 1) where later.begin < end && !later.isForced {
                // A forced load invalidates though its callers are gone: the later one, whose leave it has taken away before
                // that began, or the earlier one. Of the same node it is known.
                let callers = load.isForced && load.node == later.node ? Self.callers(of: load, among: calls) : []
                if load.isForced, load.node != later.node, later.begin.time < load.begin.time + Self.slack { continue }
                // Its leave may have been granted before it began.
                let leave = load.begin.time + .milliseconds(-50)
                let own = load.isForced ? load.leave?.place : nil
                if leaves.contains(where: { leave < $0.time && $0 < later.begin && $0.place != own }) { continue }
                if !isInvalidated(from: leave, to: later.begin.time, notBy: callers) {
                    throw breach("C2: loads \(number) and \(other) at once", load.begin, later.begin)
                }
            }
        }
    }

    /// Nobody waits for long while nobody loads: no lease is left behind.
    ///
    /// - Parameter longest: what the store takes, and other fields' loads that have the place.
    func checkWaits(_ longest: Duration) throws {
        let loads = loads.filter { $0.end != nil }.sorted { $0.begin < $1.begin }
        for (number, call) in calls.enumerated() {
            guard let end = call.end else { continue }
            var last = call.begin.time
            for load in loads where load.begin < end && load.begin.time <= last + longest {
                last = max(last, load.end?.time ?? last)
            }
            if end.time > last + longest { throw breach("C3: call \(number) waits for nobody", call.begin, end) }
        }
    }

    /// A source that has failed is left alone for a while.
    ///
    /// - Parameter longest: what a load may wait for its place.
    func checkPatience(_ longest: Duration) throws {
        for (number, load) in loads.enumerated() where load.result == .failed {
            guard let end = load.end else { continue }
            for (other, later) in loads.enumerated().dropFirst(number + 1) where !later.isForced && later.begin > end {
                guard later.begin.time < end.time + (policy.errorBackoff - Self.slack) else { break }
                // It may have waited for another load since before it was invalidated: then its failure is its own.
                let opened = load.begin.time + (.milliseconds(-1500) - longest)
                let isForgotten =
                    loads[number..<other].contains { $0.isForced || $0.result != .failed }
                    || isInvalidated(from: opened, to: later.begin.time)
                if !isForgotten {
                    throw breach("C4: load \(other) soon after load \(number), which failed", load.begin, later.begin)
                }
            }
        }
    }

    /// Within `minRefreshInterval` of a forced load that one answers, if nothing has happened since.
    func checkCooldown(isCalm: Bool) throws {
        for (forced, later) in zip(loads, loads.dropFirst()) where forced.isForced && later.isForced {
            guard let end = forced.end, case .value(let value) = forced.result,
                // Where the store is away another one's is not known.
                isCalm
                    || later.node == forced.node && later.leave.map({ $0 < forced.begin }) ?? true
                        && !isOvertaken(forced),
                // Soon after a gap the invalidations before it are repeated.
                history.isWell(nil, [.gap], for: .seconds(2), before: forced.begin.time, to: later.begin.time),
                later.begin.time + Self.slack < forced.begin.time + policy.minRefreshInterval,
                later.begin.time + Self.slack < end.time + policy.ttl * (1 - policy.jitter)
            else { continue }
            let changes = changes.map(\.call).filter {
                $0.begin < later.begin && ($0.end.map { $0 > forced.begin } ?? true)
            }
            let others = changes.filter { call in
                guard case .refresh = call.operation, call.node == later.node, end < call.begin else { return true }
                return call.end.map { $0 < later.begin } ?? false
            }
            let isAllAnswered = others.allSatisfy { call in
                // What is queued is told of later, as if it had come later.
                if case .value(value, _, let detail, isStored: true) = call.outcome { detail != .queued } else { false }
            }
            if isAllAnswered, !others.isEmpty, others.count < changes.count {
                throw breach("a load was forced soon after one that would have done", forced.begin, later.begin)
            }
        }
    }

    /// Whether something was invalidated while a forced load waited for its begin: its node does not hold what it brings.
    private func isOvertaken(_ forced: History.Load) -> Bool {
        let callers = Self.callers(of: forced, among: calls)
        guard let first = callers.map(\.begin).min() else { return true }
        return changes.map(\.call).contains { call in
            call.begin < forced.begin && (call.end.map { $0 > first } ?? true)
                && !callers.contains { $0.begin == call.begin }
        }
    }

    /// Who forces a load is answered by one that his node begins after he came, if that is stored and nothing has happened
    /// since.
    func checkForcedOnce() throws {
        for (forced, later) in zip(loads, loads.dropFirst()) where forced.isForced && later.isForced {
            guard forced.node == later.node, case .value(let value) = forced.result,
                forced.end.map({ $0 < later.begin }) ?? false
            else { continue }
            let callers = Self.callers(of: later, among: calls)
            let changes = changes.map(\.call).filter {
                $0.begin < later.begin && ($0.end.map { $0 > forced.begin } ?? true)
            }
            let others = changes.filter { call in !callers.contains { $0.begin == call.begin } }
            let areAnswered = others.allSatisfy { call in
                if case .value(value, _, detail: _, isStored: true) = call.outcome { true } else { false }
            }
            // Its leave is from before its begin, and the store counts from when it is asked.
            let latest = forced.begin.time + .milliseconds(-300)
            let isSoft = callers.allSatisfy { $0.operation == .refresh(purge: false) && $0.begin.time < latest }
            if isSoft, !callers.isEmpty, areAnswered, !others.isEmpty {
                throw breach(
                    "a load was forced again for who came before one that would have done",
                    forced.begin,
                    later.begin
                )
            }
        }
    }

    private func isInvalidated(
        from begin: MonotonicInstant,
        to end: MonotonicInstant,
        notBy others: [History.Call] = []
    ) -> Bool {
        changes.map(\.call).contains { call in
            call.begin.time < end && (call.end.map { $0.time > begin } ?? true)
                && !others.contains { $0.begin == call.begin }
        }
    }
}
