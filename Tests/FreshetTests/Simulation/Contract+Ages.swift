import Freshet

/// C5 and C6: how old an answer may be, and when there must be one.
extension Contract {
    func checkAge(_ answer: Answer) throws {
        // What another program wrote is as old as its finding.
        guard answer.load.node != nil else { return }
        let age = answer.call.begin.time - answer.loadEnd.time
        if answer.status == .hit, age > policy.ttl + Self.slack { throw breach(answer, "C6: fresh after \(age)") }
        if age > policy.ttl + policy.staleWindow + Self.slack { throw breach(answer, "C6: served after \(age)") }
        guard case .readYounger(let limit) = answer.call.operation else { return }
        if age > limit + Self.slack || answer.status == .stale {
            throw breach(answer, "\(age) old where no more than \(limit) was wanted")
        }
    }

    /// A reader gets what there is rather than an error.
    func checkStaleIfError() throws {
        let least = policy.ttl * (1 - policy.jitter) + policy.staleIfError
        for (number, call) in calls.enumerated() {
            var seen: Set<Int> = []
            guard call.operation == .read, case .failed(let code) = call.outcome, code != .absent, let end = call.end
            else { continue }
            for (other, giving) in calls.enumerated() {
                guard case .value(let value, _, _, isStored: true) = giving.outcome, let given = giving.end,
                    // What the store answered another node before it had the value may be on its way yet.
                    given < call.begin, giving.node == call.node || given.time + Self.storeTime < call.begin.time,
                    seen.insert(value).inserted, let loaded = loads[value].end,
                    loaded.time + (least - Self.slack) > end.time,
                    !isGone(loads[value], by: end)
                else { continue }
                throw breach("C5: call \(number) failed (\(code)) though call \(other) got a value", call.begin, end)
            }
        }
    }

    /// Whether what a load brought has been removed since, or found to be no more.
    private func isGone(_ load: History.Load, by end: History.Moment) -> Bool {
        changes.contains { change in
            let call = change.call
            let removes =
                switch call.operation {
                case .invalidate(.remove), .refresh(purge: true): true
                default: false
                }
            // One that its caller has left may remove yet.
            let removed = call.outcome == .cancelled ? end : call.end ?? end
            return removes && call.begin < end && removed > load.begin
        } || isFoundAbsent(since: load, by: end)
    }

    private func isFoundAbsent(since load: History.Load, by end: History.Moment) -> Bool {
        loads.contains { $0.result == .absent && ($0.end ?? end) > load.begin && $0.begin < end }
    }

    /// A reader waits for no load where his node holds what will do: for the store alone while that is fresh or served
    /// as it is loaded again, and until the soft deadline where it is only kept. Where all is well a call to the store
    /// takes 150 ms at most, so that `storeTime` lets him look eight times: at his turn, when what is stored changes
    /// meanwhile, and to confirm what he gets.
    ///
    /// - Parameter isTold: whether his node is told of what others change.
    func checkPromptness(isTold: Bool = false) throws {
        for (number, call) in calls.enumerated() where call.operation == .read {
            guard let held = call.held, let end = call.end else { continue }
            let (load, waited) = (loads[held.value], end.time - call.begin.time)
            guard let limit = longestWait(of: call, beside: held, by: end, isTold), waited > limit,
                !isGone(load, by: end)
            else { continue }
            throw breach("C5: call \(number) took \(waited) though load \(held.value) was held", load.begin, end)
        }
    }

    /// What a reader waits at most where what his node holds lasts that long. For each change that may come meanwhile he
    /// looks once or twice more.
    private func longestWait(
        of call: History.Call,
        beside held: History.Held,
        by end: History.Moment,
        _ isTold: Bool
    ) -> Duration? {
        let changes = changes(since: loads[held.value], by: end)
        func isOver(_ change: History.Call, before instant: MonotonicInstant) -> Bool {
            change.outcome != .cancelled && change.end.map { $0.time < instant } ?? false
        }
        let time = Self.storeTime + .milliseconds(300) * changes.filter { !isOver($0, before: call.begin.time) }.count
        // What is expired is served as if it had come to its end then, which his node may not know yet.
        let heardBy = isTold ? call.begin.time + (.zero - Self.slack) : .distantPast
        let unheard = changes.filter { !isOver($0, before: heardBy) }.map { call.begin.time - $0.begin.time }
        let servedFor = unheard.map { policy.staleWhileRevalidate - $0 }.reduce(held.servedFor, min)
        if servedFor > time + Self.slack { return time }
        let late = policy.softDeadline.map { $0 + time }
        return late.flatMap { held.keptFor > $0 + Self.slack ? $0 : nil }
    }

    /// What may have invalidated anything since a load began, or been about to then.
    private func changes(since load: History.Load, by end: History.Moment) -> [History.Call] {
        changes.map(\.call).filter { call in
            // One that its caller has left may invalidate yet.
            call.begin < end && (call.outcome == .cancelled || call.end.map { $0 > load.begin } ?? true)
        }
    }
}
