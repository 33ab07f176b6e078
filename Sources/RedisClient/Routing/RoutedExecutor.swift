import NIOCore
import RESP

/// Sends commands to the nodes that they are for, follows redirections, and waits where a server says so.
struct RoutedExecutor: Sendable {
    let router: any NodeRouter
    /// Serves pauses only.
    let eventLoop: any EventLoop

    static let asking = RESPCommand("ASKING")

    func run(_ command: RESPCommand, deadline: NIODeadline) async throws -> RESPValue {
        guard case .one(let place) = try router.route(command) else {
            return try await run([command], deadline: deadline)[0].get()
        }
        var attempts = Attempts(executor: self, deadline: deadline)
        var redirect: Redirect?
        var fromReplica = router.readsFromReplicas && command.isForReplicas
        var hasDoubted = false
        while true {
            let node = try await node(for: redirect.map { .node($0.target) } ?? place, fromReplica, deadline)
            let mayMove = redirect == nil && (fromReplica || place.isOnNoNode)
            do {
                guard redirect?.isAsk == true else {
                    return try await node.run(command, deadline: deadline, mayMove: mayMove)
                }
                let replies = try await node.run([Self.asking, command], deadline: deadline)
                return try replies[1].get()
            } catch let error as RESPError where error.code == .noScript && fromReplica && router.isReplica(node) {
                // Scripts are loaded on primaries, and come to replicas late or never.
            } catch let error as RESPError {
                var verdict = ScriptError.Verdict.refused(error)
                if command.runsScript, followUp(error, from: node) != .answer {
                    let doubt = ScriptError(
                        error,
                        to: command,
                        isAsking: redirect?.isAsk == true,
                        mayBeReplica: router.readsFromReplicas
                    )
                    verdict = await verdicts(on: [doubt], of: node, deadline: deadline)[0]
                }
                switch verdict {
                case .refused(let refusal):
                    redirect = try await attempts.followUp(refusal, from: node, fromReplica: fromReplica)
                case .doubtful where !hasDoubted:
                    (hasDoubted, redirect) = (true, nil)
                    try await attempts.wait(orThrow: error)
                case .doubtful, .madeUp:
                    throw error
                }
            } catch let error as RedisClientError {
                guard error.allowsRetryElsewhere(isReadOnly: command.isReadOnly) else {
                    if error.maySayThatTheServerIsGone { router.suspect(node) }
                    throw error
                }
                redirect = nil
                try await attempts.lost(error, node)
            }
            fromReplica = false
        }
    }

    /// The node at a place, as soon as it is known.
    func node(for place: Place, _ fromReplica: Bool, _ deadline: NIODeadline) async throws -> RedisNode {
        while true {
            if let node = try router.node(for: place, fromReplica: fromReplica) { return node }
            try await router.discover(until: deadline)
        }
    }

    func followUp(_ error: RESPError, from node: RedisNode) -> FollowUp {
        FollowUp(error, from: node.configuration.address) { router.servers.map(\.configuration.address) }
    }
}

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
        await executor.eventLoop.pause(time)
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
    }
}

extension RedisClientError {
    /// Whether another node may be asked instead: nothing was done, or nothing that matters.
    func allowsRetryElsewhere(isReadOnly: @autoclosure () -> Bool) -> Bool {
        switch code {
        case .connectionLost, .connectFailed: !mayHaveExecuted || isReadOnly()
        default: false
        }
    }

    /// Whether it is a reason to look whether the server is still the one to ask.
    var maySayThatTheServerIsGone: Bool {
        switch code {
        case .connectionLost, .connectFailed, .timedOut: true
        default: false
        }
    }
}
