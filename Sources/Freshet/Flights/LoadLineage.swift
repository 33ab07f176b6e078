import BoundedCache
import Synchronization

/// The loads that a task runs inside of, by whose they are. A load has a task of its own, which takes along those of
/// whoever opened it: so one that waits for itself is found out, and one that another waits for needs no place. A circle
/// that closes because somebody joins a load later is not found out across field caches and cache services.
struct LoadLineage: Sendable {
    /// A field cache or a cache service. A lineage may outlast it, and holds this so that no other one is taken for it.
    final class Owner: Sendable {
        /// Whether loads of its have waited for others'.
        fileprivate let waitsForOthers = Atomic(false)
        /// Whether others' loads have waited for its.
        fileprivate let isWaitedFor = Atomic(false)
    }

    struct Loads: Sendable {
        /// The innermost one; the others wait for it.
        var flight: FlightID?
        /// The keys of lone loads inside of that.
        var loneKeys: Set<ExactKey> = []
    }

    @TaskLocal static var current = LoadLineage()

    private var loads: [(owner: Owner, loads: Loads)] = []

    /// The loads of an owner.
    subscript(owner: Owner) -> Loads {
        get { loads.first { $0.owner === owner }?.loads ?? Loads() }
        set {
            loads.removeAll { $0.owner === owner }
            loads.append((owner, newValue))
        }
    }

    /// These loads wait for one of an owner's from now on.
    ///
    /// - Returns: whether that must not wait for a place, since one of these may have it, or a load that waits for one of
    ///   these: they are the owner's, or others' that somebody has waited for, while the owner's have waited for others'.
    func beginWait(for owner: Owner) -> Bool {
        for (other, _) in loads where other !== owner {
            other.waitsForOthers.store(true, ordering: .sequentiallyConsistent)
            owner.isWaitedFor.store(true, ordering: .sequentiallyConsistent)
        }
        let waits = owner.waitsForOthers.load(ordering: .sequentiallyConsistent)
        return loads.contains {
            $0.owner === owner || waits && $0.owner.isWaitedFor.load(ordering: .sequentiallyConsistent)
        }
    }
}
