import NIOConcurrencyHelpers

/// A load whose ends the test decides: each run waits for its own, and heeds cancellation.
final class Gate: Sendable {
    struct Broken: Error {}

    private struct State {
        var started = 0
        var cancelled = 0
        var waiting: [Int: UnsafeContinuation<Int, any Error>] = [:]
        var decided: [Int: Result<Int, any Error>] = [:]
    }

    private let state = NIOLockedValueBox(State())

    var started: Int { state.withLockedValue { $0.started } }
    var cancelled: Int { state.withLockedValue { $0.cancelled } }

    /// A run, numbered from 1.
    func run() async throws -> Int {
        let number = state.withLockedValue { state in
            state.started += 1
            return state.started
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let decided: Result<Int, any Error>? = state.withLockedValue { state in
                    if let decided = state.decided[number] { return decided }
                    state.waiting[number] = continuation
                    return nil
                }
                if let decided { continuation.resume(with: decided) }
            }
        } onCancel: {
            state.withLockedValue { $0.cancelled += 1 }
            decide(number, .failure(CancellationError()))
        }
    }

    func finish(_ number: Int, with value: Int) { decide(number, .success(value)) }
    func fail(_ number: Int) { decide(number, .failure(Broken())) }

    private func decide(_ number: Int, _ result: Result<Int, any Error>) {
        let continuation = state.withLockedValue { state in
            if state.decided[number] == nil { state.decided[number] = result }
            return state.waiting.removeValue(forKey: number)
        }
        continuation?.resume(with: result)
    }
}
