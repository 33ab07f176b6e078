/// The pauses of a process that waits for another one's lease: longer and longer, and not for ever.
struct LeaseWait {
    private let spawner: any Spawner
    private let end: MonotonicInstant
    private var pause: Duration = .milliseconds(10)

    init(limit: Duration, spawner: any Spawner) {
        self.spawner = spawner
        end = spawner.now() + limit
    }

    /// Waits a little.
    ///
    /// - Returns: whether to look again; not once the time is over.
    mutating func again() async throws -> Bool {
        let now = spawner.now()
        guard now < end else { return false }
        // A quarter of chance, so that many waiters do not ask all at once.
        let jitter = pause * Double(spawner.random() % 256) / 1024
        try await spawner.sleep(until: min(end, now + pause + jitter))
        pause = min(pause * 2, .milliseconds(250))
        return true
    }
}
