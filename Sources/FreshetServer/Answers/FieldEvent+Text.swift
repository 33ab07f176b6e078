import Freshet

extension FieldEvent {
    /// What happened, as a sentence.
    var text: String {
        switch kind {
        case .read(let finding, let end): "read: \(finding.text); \(self.text(of: end))"
        case .lease(let end): "lease: \(self.text(of: end))"
        case .load(let end): "load: \(self.text(of: end))"
        case .invalidated(let invalidation, let origin):
            "\(invalidation == .remove ? "removed" : "expired") \(origin.text)"
        case .undecodable: "the store held what is no value of this field: a miss"
        case .settled(true?): "settle: the source has changed since the forced refresh, which was too early"
        case .settled(false?): "settle: the source has not changed since the forced refresh"
        case .settled(nil): "settle: the source could not be asked whether it has changed since the forced refresh"
        }
    }

    private func text(of end: ReadEnd) -> String {
        switch end {
        case .hit(let tier): "fresh from \(tier.text), \(times)"
        case .stale(let tier, false): "stale from \(tier.text), \(times)"
        case .stale(let tier, true): "stale from \(tier.text), \(times), since the source failed"
        case .loaded(true): "loaded from the source"
        case .loaded(false): "loaded from the source, and not kept"
        case .refreshed(false): "loaded anew"
        case .refreshed(true): "answered by a forced load that had begun shortly before, \(times)"
        case .absent: "the source has no value"
        case .failed(let code): "failed: \(code): \(message ?? "")\(pause)"
        case .cancelled: "the reader left"
        }
    }

    private func text(of end: LeaseEnd) -> String {
        switch end {
        case .granted: "granted to this node"
        case .held: "\(holder ?? "another process") has it, for at most \(text(wait)); waited"
        case .fresh: "none needed: the store has a fresh value, \(times)"
        case .failing: "refused: the last load failed\(count(of: failures)): \(message ?? "")\(pause)"
        case .coolingDown:
            wait == nil
                ? "refused: a forced load has just ended"
                : "refused: a forced load is under way\(holder.map { " at \($0)" } ?? ""), for at most \(text(wait))"
        case .storeAway(.storeRejected):
            "none: the store refuses it: \(message ?? "no reason given"); what is loaded stays in this process"
        case .storeAway(let code): "none: the store is away (\(code)); what is loaded stays in this process"
        }
    }

    private func text(of end: LoadEnd) -> String {
        switch end {
        case .changed: "a new value in \(text(took))"
        case .unchanged: "nothing new in \(text(took))"
        case .absent: "the source has no value, in \(text(took))"
        case .uncacheable: "a value that is not to be kept, in \(text(took))"
        case .failed(let code, _): "failed after \(text(took))\(count(of: failures)): \(code): \(message ?? "")\(pause)"
        case .refused(let refusal): "not kept after \(text(took)): \(refusal.text)"
        case .notBegun: "not begun in \(text(took)): too many others were under way"
        case .cancelled: "given up after \(text(took)), since nobody waited for it any more"
        }
    }

    private var times: String {
        guard let age, let timeToLive else { return "of no known age" }
        let rest = timeToLive > .zero ? "fresh for \(text(timeToLive))" : "stale for \(text(.zero - timeToLive))"
        return "\(text(age)) old, \(rest)"
    }

    private var pause: String { wait.map { $0 > .zero ? "; the source is left alone for \(text($0))" : "" } ?? "" }

    private func count(of failures: Int?) -> String { failures.map { $0 > 1 ? " (\($0) in a row)" : "" } ?? "" }

    private func text(_ time: Duration?) -> String { time?.roundedText ?? "an unknown time" }
}

extension FieldEvent.L1Finding {
    fileprivate var text: String {
        switch self {
        case .nothing: "this process held nothing"
        case .untrusted: "this process held a value that was to be checked with the store first"
        case .stale: "what this process held was past its freshness"
        case .tooOld: "what this process held was older than the reader wanted"
        case .absent: "this process knew that there is no value"
        case .uncacheable: "the last value was not to be kept"
        case .skipped: "forced"
        case .fresh: "the value came meanwhile"
        }
    }
}

extension FieldEvent.FillRefusal {
    fileprivate var text: String {
        switch self {
        case .overtaken: "an invalidation on this node overtook it"
        case .byStore(.invalidated): "the store refused it: the key was invalidated meanwhile"
        case .byStore(.leaseLost): "the store refused it: another load took the lease"
        case .byStore(.foreignWrite): "the store refused it: another program wrote or deleted the value meanwhile"
        }
    }
}

extension FieldEvent.InvalidationOrigin {
    fileprivate var text: String {
        switch self {
        case .here: "on this node"
        case .queued: "on this node; the store does not take it now, and is told later"
        case .backplane: "as the backplane told"
        }
    }
}

extension FieldReading.Tier {
    fileprivate var text: String {
        switch self {
        case .l1: "this process"
        case .l2: "the store"
        case .source: "the source"
        }
    }
}
