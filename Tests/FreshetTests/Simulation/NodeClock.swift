@testable import Freshet

/// The clocks of one machine: its monotonic clock has an origin of its own, and its wall clock is set wrongly.
struct NodeClock: Spawner {
    let base: any Spawner
    let origin: Duration
    let error: Duration

    /// - Parameters:
    ///   - origin: by what the monotonic clock is ahead.
    ///   - error: by what the wall clock is.
    init(_ base: any Spawner, origin: Duration = .zero, error: Duration) {
        self.base = base
        self.origin = origin
        self.error = error
    }

    init(_ base: any Spawner, _ chance: Chance) {
        self.init(
            base,
            origin: chance.time(upTo: .seconds(1_000_000)),
            error: .seconds(1_700_000_000) + chance.time(upTo: .seconds(7200))
        )
    }

    func now() -> MonotonicInstant { base.now() + origin }
    func wallTime() -> Duration { base.wallTime() + error }
    func sleep(until instant: MonotonicInstant) async throws { try await base.sleep(until: instant + (.zero - origin)) }
    func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask { base.spawn(operation) }
    func random() -> UInt64 { base.random() }
}
