import BoundedCache

/// The loads that a task runs inside of. A load in a task of its own takes it along, so that one that waits for itself is
/// found out, and one that another waits for needs no place.
struct LoadLineage: Sendable {
    @TaskLocal static var current = LoadLineage()

    var flight: (desk: ObjectIdentifier, id: FlightID)?
    var shared: (loads: ObjectIdentifier, id: FlightID)?
    /// The keys of lone loads.
    var loneKeys: Set<ExactKey> = []
}
