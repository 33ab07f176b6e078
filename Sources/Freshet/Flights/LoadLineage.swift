import BoundedCache

/// The loads that a task runs inside of, by whose they are. A load has a task of its own, which takes along those of
/// whoever opened it: so one that waits for itself is found out, and one that another waits for needs no place. A circle
/// that closes because somebody joins a load later is not found out across field caches and cache services.
struct LoadLineage: Sendable {
    /// A field cache or a cache service. A lineage may outlast it, and holds this so that no other one is taken for it.
    final class Owner: Sendable {}

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
}
