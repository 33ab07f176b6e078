import NIOConcurrencyHelpers
import NIOCore
import RESP

/// A caller that waits, and what it asked for: one piece after the other.
final class Job: Sendable {
    typealias Continuation = UnsafeContinuation<[RESPValue], any Error>

    private struct State {
        var continuation: Continuation?
        /// Set where it ended before its caller waited.
        var early: UpstashError?
        var isDone = false
        var piece: Piece
        /// What comes after it, the next one last.
        var later: [Piece]
        /// What came of the pieces before.
        var values: [RESPValue] = []
        var failures = 0
        var travelsAlone = false
        /// Requests of which it was a part, without those of which nothing was sent.
        var requestCount = 0
        var hasLeft = false

        var commandsOfLater: [RESPCommand] { later.reversed().flatMap(\.commands) }
        var isWriteUnderWay: Bool { requestCount > 0 && !piece.isReadOnly }
    }

    let deadline: NIODeadline
    /// Whether an error reply is one of its results.
    let isPipeline: Bool
    private let state: NIOLockedValueBox<State>

    init(_ first: Piece, then later: some Sequence<Piece> = [], isPipeline: Bool, deadline: NIODeadline) {
        self.deadline = deadline
        self.isPipeline = isPipeline
        state = NIOLockedValueBox(State(piece: first, later: later.reversed()))
    }

    var isDone: Bool { state.withLockedValue { $0.isDone } }

    /// Whether it has ended, and nothing of it is under way.
    var hasLeft: Bool { state.withLockedValue { $0.hasLeft } }

    /// Whether those that depend on it wait for it while it is under way. Where its caller does not, only a write matters,
    /// and only as long as it had time.
    var isInTheWay: Bool { state.withLockedValue { !$0.isDone || $0.isWriteUnderWay && deadline > .now() } }

    /// What is sent now, or next.
    var piece: Piece { state.withLockedValue { $0.piece } }

    /// The commands of the pieces behind this one.
    var later: [RESPCommand] { state.withLockedValue { $0.commandsOfLater } }

    /// The commands that have no result yet, and may be run.
    var unfinished: [RESPCommand] {
        state.withLockedValue { state in
            // Of a caller that has left nothing more is sent.
            let isLast = state.isDone || state.later.isEmpty
            return isLast ? state.piece.commands : state.piece.commands + state.commandsOfLater
        }
    }

    /// Whether others may be in its request.
    var sharesRequest: Bool { state.withLockedValue { $0.piece.form == .list && !$0.travelsAlone } }

    func sendAlone() { state.withLockedValue { $0.travelsAlone = true } }

    /// It becomes part of a request, and cannot be taken out of it.
    ///
    /// - Returns: false where nobody waits for it any longer.
    func join() -> Bool {
        state.withLockedValue { state in
            if !state.isDone { state.requestCount += 1 }
            return !state.isDone
        }
    }

    /// Nothing of its request was sent, and nothing will be.
    func wasNotSent() { state.withLockedValue { $0.requestCount -= 1 } }

    /// Whether the service may have got anything of it, or may still.
    var mayArrive: Bool { state.withLockedValue { $0.requestCount > 0 } }

    /// - Returns: how often the piece failed before.
    func countFailure() -> Int {
        state.withLockedValue { state in
            state.failures += 1
            return state.failures - 1
        }
    }

    /// Sends the commands of the piece in several requests of their own from now on.
    func split(_ parts: [some Sequence<RESPCommand>], limits: UpstashClient.Configuration) {
        let pieces = parts.flatMap { RequestPlan($0, limits: limits).pieces }
        state.withLockedValue { state in
            state.later += pieces.reversed()
            if let first = state.later.popLast() { state.piece = first }
            state.travelsAlone = true
        }
    }

    /// Takes the results of the piece.
    ///
    /// - Returns: those of all, if it was the last one.
    func advance(_ own: [RESPValue]) -> [RESPValue]? {
        state.withLockedValue { state in
            if !state.piece.isPreparation {
                state.values += own
            } else if own.contains(where: { $0.error != nil }) {
                // In the place of what was prepared.
                state.values += own
                _ = state.later.popLast()
            }
            guard let next = state.later.popLast() else { return state.values }
            state.piece = next
            state.failures = 0
            return nil
        }
    }

    /// - Returns: false where there is nobody to wait any longer.
    func wait(_ continuation: Continuation) -> Bool {
        let early = state.withLockedValue { state in
            if !state.isDone { state.continuation = continuation }
            return state.early
        }
        guard let early else { return true }
        continuation.resume(throwing: early)
        return false
    }

    /// Tells the caller, unless it has been told something else before.
    func end(_ result: Result<[RESPValue], any Error>) {
        let (continuation, hasValues) = state.withLockedValue { (Self.take(&$0), !$0.values.isEmpty) }
        guard hasValues, case .failure(let error as UpstashError) = result, !error.mayHaveExecuted else {
            continuation?.resume(with: result)
            return
        }
        continuation?.resume(throwing: error.afterOthers)
    }

    func fail(_ error: any Error) { end(.failure(error)) }

    /// The caller does not wait any longer. What is under way stays so, and its result is dropped.
    ///
    /// - Returns: false where it has ended before.
    @discardableResult
    func cancel() -> Bool {
        let (wasDone, continuation, error) = state.withLockedValue { state in
            let error = UpstashError(.cancelled, "The task was cancelled.", mayHaveExecuted: state.requestCount > 0)
            if state.continuation == nil, !state.isDone { state.early = error }
            return (state.isDone, Self.take(&state), error)
        }
        continuation?.resume(throwing: error)
        return !wasDone
    }

    /// Nobody needs its commands and results any longer; there may be others who keep it.
    func clear() {
        state.withLockedValue { state in
            state.hasLeft = true
            state.piece = .empty
            state.later = []
            state.values = []
        }
    }

    private static func take(_ state: inout State) -> Continuation? {
        state.isDone = true
        defer { state.continuation = nil }
        return state.continuation
    }
}

extension UpstashError {
    /// The same of a pipeline of which a part was run.
    fileprivate var afterOthers: UpstashError {
        UpstashError(code, message, mayHaveExecuted: true, underlying: underlying)
    }
}
