public import Freshet
import NIOConcurrencyHelpers

/// A spawner with a clock that moves only when it is told to, and with chance that repeats.
///
/// Tasks run on an executor of its own, one at a time, so that ``settle()`` knows when all of them wait for something.
///
/// ```swift
/// let spawner = TestSpawner()
/// spawner.spawn {
///     try? await spawner.sleep(for: .seconds(30))
///     await send()
/// }
/// await spawner.advance(by: .seconds(30))  // `send()` has been called
/// ```
public final class TestSpawner: Spawner {
    private struct Sleeper {
        let id: UInt64
        let instant: MonotonicInstant
        let continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var now = MonotonicInstant(nanoseconds: 0)
        var generator: SplitMix64
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        /// Sleeps that were cancelled before they had begun to wait.
        var cancelled: Set<UInt64> = []
        var started = 0
        var ended = 0

        /// The sleeper to wake first: the earliest, and of those the one that has slept longest.
        mutating func takeSleeper(until instant: MonotonicInstant) -> Sleeper? {
            guard let next = sleepers.min(by: { ($0.instant, $0.id) < ($1.instant, $1.id) }), next.instant <= instant
            else { return nil }
            sleepers.removeAll { $0.id == next.id }
            now = max(now, next.instant)
            return next
        }
    }

    private let state: NIOLockedValueBox<State>
    private let executor: TestExecutor

    /// - Parameters:
    ///   - seed: of the chance that ``random()`` deals out.
    ///   - isShuffled: whether chance decides which of the tasks that are ready runs next, too; else they run in the
    ///     order in which they became so.
    public init(seed: UInt64 = 1, isShuffled: Bool = false) {
        let state = NIOLockedValueBox(State(generator: SplitMix64(state: seed)))
        self.state = state
        guard isShuffled else {
            executor = TestExecutor()
            return
        }
        executor = TestExecutor { count in Int(state.withLockedValue { $0.generator.next() } % UInt64(count)) }
    }

    public func now() -> MonotonicInstant { state.withLockedValue { $0.now } }

    /// 1970 is when its clock begins.
    public func wallTime() -> Duration { .nanoseconds(now().nanoseconds) }

    public func random() -> UInt64 { state.withLockedValue { $0.generator.next() } }

    @discardableResult
    public func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask {
        state.withLockedValue { $0.started += 1 }
        return SpawnedTask(
            Task.detached(executorPreference: executor) {
                await operation()
                self.state.withLockedValue { $0.ended += 1 }
            }
        )
    }

    public func sleep(until instant: MonotonicInstant) async throws {
        let id = state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLockedValue { state in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if instant <= state.now { return .success(()) }
                    state.sleepers.append(Sleeper(id: id, instant: instant, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let sleeper: Sleeper? = state.withLockedValue { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
        state.withLockedValue { _ = $0.cancelled.remove(id) }
    }
}

extension TestSpawner {
    /// How many sleep now.
    public var sleepers: Int { state.withLockedValue { $0.sleepers.count } }

    /// When the next of them wakes.
    public var nextWakeUp: MonotonicInstant? {
        state.withLockedValue { $0.sleepers.map(\.instant).min() }
    }

    /// How many tasks have been started.
    public var startedTasks: Int { state.withLockedValue { $0.started } }

    /// How many tasks have been started and have not ended.
    public var runningTasks: Int { state.withLockedValue { $0.started - $0.ended } }

    /// Starts a task of the test's own. ``settle()`` waits for it, too, so that what it has called has got as far as it
    /// can; ``startedTasks`` and ``runningTasks`` do not count it.
    public func task<Success: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Success
    ) -> Task<Success, any Error> {
        Task(executorPreference: executor, operation: operation)
    }

    /// Moves the clock on, waking those who sleep at their instants, each when all that the one before set off has
    /// settled.
    public func advance(by duration: Duration) async {
        await settle()
        let end = now() + duration
        while let sleeper = state.withLockedValue({ $0.takeSleeper(until: end) }) {
            sleeper.continuation.resume()
            await settle()
        }
        state.withLockedValue { $0.now = max($0.now, end) }
    }

    /// Waits until every task that was started here has ended or waits for something. Of other tasks it knows nothing.
    public func settle() async { await executor.waitUntilIdle() }

    /// Waits until at least so many sleep.
    ///
    /// - Throws: ``TestTimeout`` after thirty seconds of real time.
    public func waitForSleepers(_ count: Int) async throws {
        try await waitUntil("\(count) sleepers") { self.sleepers >= count }
    }
}

/// A test waited for something that did not happen.
public struct TestTimeout: Error, CustomStringConvertible {
    public let description: String
}

/// Waits until a condition holds, asking again and again.
///
/// - Parameters:
///   - expectation: what is waited for, for the error's text.
///   - limit: how long to wait, in real time.
/// - Throws: ``TestTimeout``.
public func waitUntil(
    _ expectation: String,
    within limit: Duration = .seconds(30),
    _ condition: @Sendable () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        if ContinuousClock.now > end { throw TestTimeout(description: "waited \(limit) for \(expectation)") }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// The generator of G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators" (2014).
private struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
