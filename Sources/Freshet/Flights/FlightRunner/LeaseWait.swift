/// The pauses of a flight that waits for another process's lease: longer and longer, cut short by a message of that
/// process, and not for ever.
struct LeaseWait {
    private let flight: FlightID
    private let desk: FlightDesk
    private let end: MonotonicInstant
    private var pause: Duration = .milliseconds(10)

    init(of flight: FlightID, at desk: FlightDesk, limit: Duration) {
        self.flight = flight
        self.desk = desk
        end = desk.spawner.now() + limit
    }

    /// Waits a little.
    ///
    /// - Returns: whether to look again; not once the time is over.
    mutating func again() async throws -> Bool {
        let now = desk.spawner.now()
        guard now < end else { return false }
        // A quarter of chance, so that many waiters do not ask all at once.
        let jitter = pause * Double(desk.spawner.random() % 256) / 1024
        try await desk.pause(flight, until: min(end, now + pause + jitter))
        pause = min(pause * 2, .milliseconds(250))
        return true
    }
}
