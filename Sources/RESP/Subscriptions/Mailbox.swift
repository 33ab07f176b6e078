import NIOConcurrencyHelpers

/// Hands what it is given to those who read. Each element goes to one of them, to the one that has waited longest; of the
/// end all are told.
package final class Mailbox<Contents: MailboxContents, Failure: Error>: Sendable {
    private typealias Outcome = Result<Contents.Element?, Failure>
    private typealias Reader = UnsafeContinuation<Outcome, Never>

    private struct State {
        var contents: Contents
        /// Nobody waits while there is something to take.
        var readers: [(token: UInt64, reader: Reader)] = []
        var lastToken: UInt64 = 0
        var isFinished = false
        var failure: Failure?
        var onEnd: (@Sendable () -> Void)?

        /// What a reader gets now; `nil` if it has to wait.
        mutating func outcome() -> Outcome? {
            if let element = contents.take() { return .success(element) }
            guard isFinished else { return nil }
            if let failure { return .failure(failure) }
            return .success(nil)
        }
    }

    private let state: NIOLockedValueBox<State>

    package init(_ contents: Contents) {
        state = NIOLockedValueBox(State(contents: contents))
    }

    /// Changes what there is to read.
    @discardableResult
    package func change<Answer>(_ change: (inout Contents) -> Answer) -> Answer {
        let (answer, served) = state.withLockedValue { state -> (Answer, (Reader, Contents.Element)?) in
            let answer = change(&state.contents)
            // To a reader nothing is the end.
            guard !state.readers.isEmpty, let element = state.contents.take() else { return (answer, nil) }
            return (answer, (state.readers.removeFirst().reader, element))
        }
        if let (reader, element) = served { reader.resume(returning: .success(element)) }
        return answer
    }

    /// - Returns: `nil` at the end, and when the task is cancelled.
    package func next() async throws(Failure) -> Contents.Element? {
        let (ready, token) = state.withLockedValue { state -> (Outcome?, UInt64) in
            if let ready = state.outcome() { return (ready, 0) }
            state.lastToken += 1
            return (nil, state.lastToken)
        }
        if let ready { return try ready.get() }
        let outcome: Outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { (reader: Reader) in
                let ready = state.withLockedValue { state -> Outcome? in
                    if let ready = state.outcome() { return ready }
                    if Task.isCancelled { return .success(nil) }
                    state.readers.append((token, reader))
                    return nil
                }
                if let ready { reader.resume(returning: ready) }
                if Task.isCancelled { release(token) }
            }
        } onCancel: {
            release(token)
        }
        return try outcome.get()
    }

    /// Ends it; what there is can still be taken.
    ///
    /// - Parameter failure: for whoever reads on.
    package func finish(throwing failure: Failure? = nil) {
        let (readers, onEnd) = state.withLockedValue { state -> ([(token: UInt64, reader: Reader)], (() -> Void)?) in
            if state.isFinished { return ([], nil) }
            (state.isFinished, state.failure) = (true, failure)
            defer { (state.readers, state.onEnd) = ([], nil) }
            return (state.readers, state.onEnd)
        }
        let outcome: Outcome = if let failure { .failure(failure) } else { .success(nil) }
        for (_, reader) in readers { reader.resume(returning: outcome) }
        onEnd?()
    }

    /// Does something once when it ends, at once if it has.
    package func onEnd(_ action: @escaping @Sendable () -> Void) {
        let isFinished = state.withLockedValue { state in
            if !state.isFinished { state.onEnd = action }
            return state.isFinished
        }
        if isFinished { action() }
    }

    private func release(_ token: UInt64) {
        let reader = state.withLockedValue { state in
            state.readers.firstIndex { $0.token == token }.map { state.readers.remove(at: $0).reader }
        }
        reader?.resume(returning: .success(nil))
    }
}

/// What a ``Mailbox`` was given and nobody has taken yet.
package protocol MailboxContents: Sendable {
    associatedtype Element: Sendable

    /// Removes what is to be read next.
    mutating func take() -> Element?
}
