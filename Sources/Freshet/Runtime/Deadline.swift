import NIOConcurrencyHelpers

/// Runs an operation, and waits for it until a time limit at most.
///
/// The operation runs in a task of its own. If it has not ended when the limit passes, or when the caller is cancelled,
/// that task is cancelled and its result dropped, whether or not it heeds the cancellation.
///
/// - Throws: what the operation throws; `failure` when the limit passes; `CancellationError` when the caller is
///   cancelled.
package func withDeadline<Value: Sendable>(
    _ limit: Duration,
    on spawner: any Spawner,
    orThrow failure: @escaping @autoclosure @Sendable () -> CacheError,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let race = DeadlineRace<Value>()
    let instant = spawner.now() + limit
    return try await withTaskCancellationHandler {
        try await withUnsafeThrowingContinuation { continuation in
            guard race.start(continuation) else { return }
            race.add(
                spawner.spawn {
                    do {
                        race.finish(.success(try await operation()))
                    } catch {
                        race.finish(.failure(error))
                    }
                }
            )
            race.add(
                spawner.spawn {
                    guard (try? await spawner.sleep(until: instant)) != nil else { return }
                    race.finish(.failure(failure()))
                }
            )
        }
    } onCancel: {
        race.finish(.failure(CancellationError()))
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
            let isLate = CacheError(.shuttingDown, "tasks go on")
            do {
                try await withDeadline(end - self.now(), on: self, orThrow: isLate, operation)
            } catch {
                fallback()
            }
        }
    }
}

/// The first of operation, timer and cancellation to finish resumes the caller; the tasks of the others are cancelled.
private final class DeadlineRace<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case running(UnsafeContinuation<Value, any Error>, tasks: [SpawnedTask])
        case finished(Result<Value, any Error>?)
    }

    private let state = NIOLockedValueBox(State.idle)

    /// - Returns: whether there is anything to run; if the race is over, the caller has been resumed.
    func start(_ continuation: UnsafeContinuation<Value, any Error>) -> Bool {
        let early: Result<Value, any Error>? = state.withLockedValue { state in
            if case .finished(let result) = state { return result }
            state = .running(continuation, tasks: [])
            return nil
        }
        guard let early else { return true }
        continuation.resume(with: early)
        return false
    }

    func add(_ task: SpawnedTask) {
        let isOver = state.withLockedValue { state in
            guard case .running(let continuation, var tasks) = state else { return true }
            tasks.append(task)
            state = .running(continuation, tasks: tasks)
            return false
        }
        if isOver { task.cancel() }
    }

    func finish(_ result: Result<Value, any Error>) {
        let ended: (UnsafeContinuation<Value, any Error>, [SpawnedTask])? = state.withLockedValue { state in
            switch state {
            case .idle:
                state = .finished(result)
                return nil
            case .running(let continuation, let tasks):
                state = .finished(nil)
                return (continuation, tasks)
            case .finished:
                return nil
            }
        }
        guard let (continuation, tasks) = ended else { return }
        for task in tasks { task.cancel() }
        continuation.resume(with: result)
    }
}
