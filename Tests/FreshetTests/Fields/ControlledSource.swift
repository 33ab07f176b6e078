import Freshet
import FreshetTesting
import NIOConcurrencyHelpers
import Testing

/// A source whose loads end when the test says so.
final class ControlledSource<Value: Sendable>: Sendable {
    typealias Answer = Result<LoadResult<Value>, any Error>

    private struct State {
        var contexts: [LoadContext] = []
        var waiting: [Int: UnsafeContinuation<Answer, Never>] = [:]
        var cancelled: Set<Int> = []
        var automatic: (@Sendable (Int) -> Answer)?
    }

    private let state = NIOLockedValueBox(State())
    private let heedsCancellation: Bool

    /// - Parameters:
    ///   - heedsCancellation: whether a load that is cancelled ends. All are noted.
    ///   - automatic: answers every load at once; its argument counts from 1.
    init(heedsCancellation: Bool = false, _ automatic: (@Sendable (Int) -> Answer)? = nil) {
        self.heedsCancellation = heedsCancellation
        state.withLockedValue { $0.automatic = automatic }
    }

    /// How many loads have begun.
    var loads: Int { state.withLockedValue { $0.contexts.count } }

    /// What the loads were told, in their order.
    var contexts: [LoadContext] { state.withLockedValue { $0.contexts } }

    /// The loads that were cancelled.
    var cancelled: Set<Int> { state.withLockedValue { $0.cancelled } }

    func answerFromNowOn(_ automatic: @escaping @Sendable (Int) -> Answer) {
        state.withLockedValue { $0.automatic = automatic }
    }

    func holdFromNowOn() { state.withLockedValue { $0.automatic = nil } }

    /// The fetcher.
    @Sendable func load(_ context: LoadContext) async throws -> LoadResult<Value> {
        let (number, automatic) = state.withLockedValue { state in
            state.contexts.append(context)
            return (state.contexts.count, state.automatic)
        }
        if let automatic { return try automatic(number).get() }
        return try await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                state.withLockedValue { $0.waiting[number] = continuation }
            }
        } onCancel: {
            let waiting = state.withLockedValue { state in
                state.cancelled.insert(number)
                return heedsCancellation ? state.waiting.removeValue(forKey: number) : nil
            }
            waiting?.resume(returning: .failure(CancellationError()))
        }.get()
    }

    /// Waits until so many loads wait to be ended or have been.
    func waitForLoads(_ count: Int) async throws {
        try await waitUntil("load \(count) of a source") {
            self.state.withLockedValue { $0.contexts.count >= count && $0.waiting[count] != nil }
        }
    }

    /// Ends a load that waits; see ``waitForLoads(_:)``.
    func end(_ number: Int, _ answer: Answer, sourceLocation: SourceLocation = #_sourceLocation) {
        guard let load = state.withLockedValue({ $0.waiting.removeValue(forKey: number) }) else {
            Issue.record("load \(number) of a source does not wait to be ended", sourceLocation: sourceLocation)
            return
        }
        load.resume(returning: answer)
    }

    func end(_ number: Int, value: Value, sourceLocation: SourceLocation = #_sourceLocation) {
        end(number, .success(.value(value)), sourceLocation: sourceLocation)
    }
}

extension ControlledSource<String> {
    /// Answers at once: `v1`, `v2` …
    static var counting: ControlledSource { ControlledSource { .success(.value("v\($0)")) } }

    /// Fails at once.
    static var down: ControlledSource { ControlledSource { _ in .failure(SourceIsDown()) } }
}

struct SourceIsDown: Error {}
