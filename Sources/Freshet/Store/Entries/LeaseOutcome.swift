/// The answer to a ``LeaseRequest``, each with what the store knew at that moment.
public enum LeaseOutcome: Sendable, Hashable {
    /// Load. The snapshot holds what a conditional request and a stale answer need.
    case granted(Lease, EntrySnapshot)
    /// Another process loads; the snapshot's `leaseFor` says for how long at most.
    case held(EntrySnapshot)
    /// The key is fresh, nothing is to be loaded.
    case fresh(EntrySnapshot)
    /// A failure is remembered; the snapshot's `failure` says which and for how long.
    case failing(EntrySnapshot)
    /// A forced load began within the cooldown, as the snapshot's `lastForced` says; it is under way if `leaseFor` is
    /// set. Where it found that there is no value, the content is `absent` though readers may not be told that any more.
    case coolingDown(EntrySnapshot)
    /// Nothing is to be loaded on schedule: the slot has not begun by the store's clock, nobody has read for
    /// `idleAfter`, or the slot has had its load, be it of a reader.
    case notDue(EntrySnapshot)
}

extension LeaseOutcome {
    package var snapshot: EntrySnapshot {
        switch self {
        case .granted(_, let snapshot), .held(let snapshot), .fresh(let snapshot), .failing(let snapshot),
            .coolingDown(let snapshot), .notDue(let snapshot):
            snapshot
        }
    }
}
