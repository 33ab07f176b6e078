@testable import Freshet

/// The clocks of one machine: its monotonic clock has an origin of its own, and its wall clock is set wrongly.
struct NodeClock: Spawner {
    let base: any Spawner
    let origin: Duration
    let error: Duration

    init(_ base: any Spawner, _ chance: Chance) {
        self.base = base
        origin = chance.time(upTo: .seconds(1_000_000))
        error = chance.time(upTo: .seconds(7200)) - .seconds(3600)
    }

    func now() -> MonotonicInstant { base.now() + origin }
    func wallTime() -> Duration { .seconds(1_700_000_000) + base.wallTime() + error }
    func sleep(until instant: MonotonicInstant) async throws { try await base.sleep(until: instant + (.zero - origin)) }
    func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask { base.spawn(operation) }
    func random() -> UInt64 { base.random() }
}
