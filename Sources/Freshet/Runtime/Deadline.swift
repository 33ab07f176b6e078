import NIOConcurrencyHelpers

/// Runs an operation, and waits for it until a time limit at most.
///
/// The operation runs in a task of its own. If it has not ended when the limit passes, or when the caller is cancelled,
/// that task is cancelled and its result dropped, whether or not it heeds the cancellation.
///
/// - Parameter onEnd: told once whether the operation goes on: when it has ended, or the limit has passed. After a
///   cancellation that may be later than the return.
/// - Throws: what the operation throws; `failure` when the limit passes; `CancellationError` when the caller is
///   cancelled.
package func withDeadline<Value: Sendable>(
    _ limit: Duration,
    on spawner: any Spawner,
    orThrow failure: @escaping @autoclosure @Sendable () -> CacheError,
    onEnd: (@Sendable (_ goesOn: Bool) -> Void)? = nil,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let race = DeadlineRace<Value>(onEnd: onEnd)
    let instant = spawner.now() + limit
    return try await withTaskCancellationHandler {
        try await withUnsafeThrowingContinuation { continuation in
            guard race.start(continuation) else { return }
            race.add(
                operation: spawner.spawn {
                    do {
                        race.finish(.success(try await operation()))
                    } catch {
                        race.finish(.failure(error))
                    }
                }
            )
            race.add(
                timer: spawner.spawn {
                    guard (try? await spawner.sleep(until: instant)) != nil else { return }
                    race.finish(.failure(failure()), goesOn: true)
                }
            )
        }
    } onCancel: {
        race.leave()
    }
}

extension Spawner {
    /// Runs what is to end by an instant, whatever becomes of the caller.
    func running(
        until end: MonotonicInstant,
        _ operation: @escaping @Sendable () async -> Void,
        orElse fallback: @escaping @Sendable () -> Void = {}
    ) -> SpawnedTask {
        spawn {
            let tooLate = CacheError(.shuttingDown, "tasks go on")
            do {
                try await withDeadline(end - self.now(), on: self, orThrow: tooLate, operation)
            } catch {
                fallback()
            }
        }
    }
}

/// The first of operation, timer and cancellation to finish resumes the caller; the tasks of the others are cancelled,
/// but for the timer where somebody is to be told of the end.
private final class DeadlineRace<Value: Sendable>: Sendable {
    private struct State {
        var caller = Caller.toCome
        var operation: SpawnedTask?
        var timer: SpawnedTask?
        var hasEnded = false
    }

    private enum Caller {
        case toCome, gone
        case waiting(UnsafeContinuation<Value, any Error>)

        /// - Returns: whoever waits, who is gone from now on.
        mutating func take() -> UnsafeContinuation<Value, any Error>? {
            defer { self = .gone }
            if case .waiting(let continuation) = self { return continuation }
            return nil
        }
    }

    private let onEnd: (@Sendable (_ goesOn: Bool) -> Void)?
    private let state = NIOLockedValueBox(State())

    init(onEnd: (@Sendable (_ goesOn: Bool) -> Void)?) { self.onEnd = onEnd }

    /// - Returns: whether there is anything to run; if the caller has been cancelled, it has been resumed.
    func start(_ continuation: UnsafeContinuation<Value, any Error>) -> Bool {
        let isGone = state.withLockedValue { state in
            if case .gone = state.caller { return true }
            state.caller = .waiting(continuation)
            return false
        }
        guard isGone else { return true }
        continuation.resume(throwing: CancellationError())
        onEnd?(false)
        return false
    }

    func add(operation task: SpawnedTask) {
        let isOver = state.withLockedValue { state in
            state.operation = state.hasEnded ? nil : task
            if case .gone = state.caller { return true }
            return false
        }
        if isOver { task.cancel() }
    }

    func add(timer task: SpawnedTask) {
        let isOver = state.withLockedValue { state in
            if case .gone = state.caller, onEnd == nil { return true }
            state.timer = state.hasEnded ? nil : task
            return state.hasEnded
        }
        if isOver { task.cancel() }
    }

    /// The caller has been cancelled.
    func leave() {
        let (continuation, tasks) = state.withLockedValue { state in
            (state.caller.take(), [state.operation, onEnd == nil ? state.timer : nil])
        }
        for task in tasks { task?.cancel() }
        continuation?.resume(throwing: CancellationError())
    }

    /// - Parameter goesOn: whether the operation does, as the limit has passed.
    func finish(_ result: Result<Value, any Error>, goesOn: Bool = false) {
        let ended: (UnsafeContinuation<Value, any Error>?, [SpawnedTask?])? = state.withLockedValue { state in
            guard !state.hasEnded else { return nil }
            defer { (state.operation, state.timer) = (nil, nil) }
            state.hasEnded = true
            return (state.caller.take(), [state.operation, state.timer])
        }
        guard let (continuation, tasks) = ended else { return }
        for task in tasks { task?.cancel() }
        onEnd?(goesOn)
        continuation?.resume(with: result)
    }
}
