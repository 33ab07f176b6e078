import BoundedCache

/// Refreshes the fields of a catalogue that say when, once over all processes that share the store.
///
/// Every process wakes at every slot of a field and asks the store for its load; the store gives one of them leave, and
/// the slot to another if that one fails, stops or dies. Slots are marks on the store's clock, not pauses between
/// loads: they neither drift nor pile up.
final class Schedule: Sendable {
    private let fields: [ExactKey: FieldSchedule]

    init(of catalog: FieldCatalog, tools: FlightTools, desk: FlightDesk) {
        let schedules = catalog.fields.compactMap { field in
            field.policy.refreshEvery.map { schedule in
                // Of its own: keys may live on different nodes of a cluster, whose clocks differ.
                let clock = StoreClock(tools.spawner)
                let timed = FieldSchedule(schedule, of: field, clock: clock, tools: tools, desk: desk)
                return (ExactKey(field.key), timed)
            }
        }
        fields = Dictionary(schedules) { first, _ in first }
    }

    func start() {
        for field in fields.values { field.start() }
    }

    /// Cancels the loads under way, which leaves their slots to others.
    func stop() {
        for field in fields.values { field.stop() }
    }

    /// Called on the first read of every copy in L1 and whenever L1 does not answer; not on the hot path.
    func noteRead(of field: AnyField) { fields[field.key]?.noteRead() }

    /// - Returns: nil where the field has no schedule, or that has not been started.
    func state(of field: AnyField) -> FieldSchedule.Status? { fields[field.key]?.status }
}
