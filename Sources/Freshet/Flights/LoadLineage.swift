import BoundedCache

/// The loads that a task runs inside of. A load has a task of its own, which takes along those of whoever opened it: so one
/// that waits for itself is found out, and one that another waits for needs no place. A circle that closes because somebody
/// joins a load later is not found out across field caches and shared loads.
struct LoadLineage: Sendable {
    @TaskLocal static var current = LoadLineage()

    var flight: (desk: ObjectIdentifier, id: FlightID)?
    var shared: (loads: ObjectIdentifier, id: FlightID)?
    /// The keys of lone loads.
    var loneKeys: Set<ExactKey> = []
}
