import NIOConcurrencyHelpers
public import RESP

/// What many callers do at once with a client whose path to the server breaks in many ways, and what they find wrong.
public final class Mixture: Sendable {
    public typealias Run = @Sendable (RESPCommand, Duration) async throws -> RESPValue
    public typealias RunPipeline = @Sendable ([RESPCommand], Duration) async throws -> [RESPValue]

    /// What a caller knows of a command.
    public enum Outcome: Sendable {
        case answered, notRun, unknown
    }

    private struct State {
        var steps = 0
        var answers: [String: Int] = [:]
        var breaches: [String] = []
    }

    private let state = NIOLockedValueBox(State())
    /// Whether an error can come of a path that breaks.
    let isExpected: @Sendable (any Error) -> Bool

    /// - Parameter isExpected: whether an error can come of a path that breaks.
    public init(expecting isExpected: @escaping @Sendable (any Error) -> Bool) {
        self.isExpected = isExpected
    }

    /// Attempts of all callers, with and without an answer.
    public var steps: Int { state.withLockedValue { $0.steps } }
    /// What should not have been.
    public var breaches: [String] { state.withLockedValue { $0.breaches } }
    /// How many attempts of each kind had an answer.
    public var answers: [String: Int] { state.withLockedValue { $0.answers } }

    public func breach(_ text: String) {
        // The first tell what happened.
        state.withLockedValue { if $0.breaches.count < 20 { $0.breaches.append(text) } }
    }

    /// Does something that may fail as paths do, and in no other way.
    @discardableResult
    public func attempt(_ what: String, _ body: () async throws -> Void) async -> Outcome {
        defer { state.withLockedValue { $0.steps += 1 } }
        do {
            try await body()
            state.withLockedValue { $0.answers[what, default: 0] += 1 }
            return .answered
        } catch {
            if !isExpected(error) { breach("\(what): \(error)") }
            // A server that redirects or refuses has run nothing.
            if error is RESPError { return .notRun }
            return (error as? any CommandTransportError)?.mayHaveExecuted == false ? .notRun : .unknown
        }
    }
}
