import NIOCore
import RESP

/// The attempts at one call.
struct Attempts {
    let executor: RoutedExecutor
    let deadline: NIODeadline
    private var budget = RetryBudget()

    init(executor: RoutedExecutor, deadline: NIODeadline) {
        self.executor = executor
        self.deadline = deadline
    }

    /// Does what an error reply asks for, and returns when the next attempt is due.
    ///
    /// - Parameter fromReplica: whether a replica might do, so that another than the node does if it is one.
    /// - Throws: the error, where it is the answer or nothing can be done in time.
    mutating func followUp(
        _ error: RESPError,
        from node: RedisNode,
        fromReplica: Bool = false
    ) async throws -> Redirect? {
        switch executor.followUp(error, from: node) {
        case .answer:
            throw error
        case .go(let redirect):
            node.learn(from: redirect)
            executor.router.follow(redirect)
            try await moved(orThrow: error)
            return redirect
        case .wait(let reason):
            if executor.router.turnedAway(by: node, reason, fromReplica: fromReplica) { return nil }
            try await waitAsAsked(orThrow: error)
            return nil
        }
    }

    /// Waits because a server asks to. Redirections from before it do not count any longer.
    mutating func waitAsAsked(orThrow error: any Error) async throws {
        budget.countAnew()
        try await wait(orThrow: error)
    }

    /// Waits for what an error says will pass.
    mutating func wait(orThrow error: any Error) async throws {
        try await pause(budget.wait(), orThrow: error)
    }

    /// A connection was lost with nothing done, or not made.
    mutating func lost(_ error: RedisClientError, _ node: RedisNode) async throws {
        executor.router.suspect(node)
        if error.code == .connectFailed {
            try await wait(orThrow: error)
        } else if error.mayHaveExecuted {
            try await moved(orThrow: error)
        } else {
            try await pause(budget.pass(), orThrow: error)
        }
    }

    /// Goes to another node at once, unless that was often.
    mutating func moved(orThrow error: any Error) async throws {
        guard let time = budget.move() else {
            throw RedisClientError(
                .tooManyRedirects,
                "The nodes do not agree where the command belongs.",
                underlying: error
            )
        }
        try await pause(time, orThrow: error)
    }

    private func pause(_ time: TimeAmount, orThrow error: any Error) async throws {
        guard NIODeadline.now() + time < deadline else { throw error }
        await executor.pauses.pause(time)
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
    }
}
