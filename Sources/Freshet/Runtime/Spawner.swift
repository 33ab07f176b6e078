import Foundation
import NIOCore

/// Where the core takes time, tasks and chance from. It reads no clock and starts no task but through here,
/// so that a simulation can run the real code under its own clock.
public protocol Spawner: Sendable {
    /// The monotonic clock.
    func now() -> MonotonicInstant

    /// Time since 1970 in UTC, by a clock that may be set.
    func wallTime() -> Duration

    /// Waits until the instant has come, or throws `CancellationError`.
    func sleep(until instant: MonotonicInstant) async throws

    /// Starts a task that inherits nothing from the caller: no task-local values, no priority, no cancellation.
    @discardableResult
    func spawn(_ operation: nonisolated(nonsending) @escaping @Sendable () async -> Void) -> SpawnedTask

    /// Uniformly distributed bits.
    func random() -> UInt64
}

extension Spawner {
    /// Waits for a time, or throws `CancellationError`.
    public func sleep(for duration: Duration) async throws {
        try await sleep(until: now() + duration)
    }

    /// Uniformly distributed in `0..<1`.
    package func fraction() -> Double { Double(random() >> 11) / Double(1 << 53) }
}

extension Spawner {
    /// Runs an operation to its end, whether or not the caller is cancelled meanwhile.
    func outliving<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Value
    ) async -> Result<Value, any Error> {
        await withUnsafeContinuation { continuation in
            spawn {
                do {
                    continuation.resume(returning: .success(try await operation()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }
}

/// A task started by a ``Spawner``.
public struct SpawnedTask: Sendable {
    private let task: Task<Void, Never>

    public init(_ task: Task<Void, Never>) { self.task = task }

    public func cancel() { task.cancel() }

    /// Waits for its end.
    public func wait() async { await task.value }
}

/// The spawner of a running process: the system's monotonic clock, the global executor, the system's randomness.
public struct SystemSpawner: Spawner {
    public init() {}

    public func now() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(truncatingIfNeeded: NIODeadline.now().uptimeNanoseconds))
    }

    public func wallTime() -> Duration { .nanoseconds(Int64(Date().timeIntervalSince1970 * 1e9)) }

    public func sleep(until instant: MonotonicInstant) async throws {
        try await Task.sleep(for: instant - now())
    }

    @discardableResult
    public func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask {
        SpawnedTask(Task.detached { await operation() })
    }

    public func random() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
