import Synchronization

/// The store's clock as far as it is known here: the wall clock at first, corrected by every answer.
///
/// Between answers it goes as the monotonic clock does, so that setting this machine's clock moves no slot
/// of a store that is elsewhere.
final class StoreClock: Sendable {
    private let spawner: any Spawner
    /// Nanoseconds from the monotonic clock to the store's.
    private let offset: Atomic<Int64>

    init(_ spawner: any Spawner) {
        self.spawner = spawner
        offset = Atomic(spawner.wallTime().clampedNanoseconds - spawner.now().nanoseconds)
    }

    /// Since 1970.
    func now() -> Duration { .nanoseconds(spawner.now().nanoseconds + offset.load(ordering: .relaxed)) }

    /// An answer of the store has come in. It is a little behind, which is better than asking for a slot too early.
    func set(to time: Duration) {
        offset.store(time.clampedNanoseconds - spawner.now().nanoseconds, ordering: .relaxed)
    }

    func sleep(until time: Duration) async throws {
        try await spawner.sleep(
            until: MonotonicInstant(nanoseconds: time.clampedNanoseconds - offset.load(ordering: .relaxed))
        )
    }
}
