import NIOCore
import RESP

extension RoutedExecutor {
    /// Runs something with a connection of its own to the node that has the keys.
    func withConnection<Result>(
        for keys: [String],
        until deadline: NIODeadline,
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        let place = try router.route(transaction: [RESPCommand("WATCH", arguments: keys)])
        let (node, leased) = try await lease(at: place, deadline)
        return try await lend(leased, of: node, body)
    }

    /// Runs a transaction on the node that lets the keys be watched, or without keys on one that is there. From then on
    /// nothing is followed any longer.
    func withTransaction(
        watching keys: [String],
        until deadline: NIODeadline,
        _ body: (RedisConnection) async throws -> [RESPCommand]
    ) async throws -> [RESPValue]? {
        let watch = RESPCommand("WATCH", arguments: keys)
        let place = try router.route(transaction: [watch])
        var attempts = Attempts(executor: self, deadline: deadline)
        while true {
            let (node, leased) = try await lease(at: place, deadline)
            do {
                return try await lend(leased, of: node) { connection in
                    do {
                        if !keys.isEmpty { try await connection.execute(watch) }
                    } catch let error as RESPError {
                        throw WatchFailure.refused(error)
                    } catch let error as RedisClientError
                        where error.allowsRetryElsewhere(isReadOnly: true) || error.code == .timedOut
                    {
                        // Whatever was watched is forgotten with the connection.
                        throw WatchFailure.lost(error.with(mayHaveExecuted: false))
                    }
                    return try await connection.transaction(isWatching: !keys.isEmpty, body)
                }
            } catch WatchFailure.refused(let error) {
                if case .go(let redirect) = followUp(error, from: node), redirect.isAsk {
                    // A transaction is for one node: it waits until all of the slot is there.
                    try await attempts.wait(orThrow: error)
                } else {
                    _ = try await attempts.followUp(error, from: node)
                }
            } catch WatchFailure.lost(let error) {
                try await attempts.lost(error, node)
            }
        }
    }

    private enum WatchFailure: Error {
        case refused(RESPError)
        case lost(RedisClientError)
    }

    /// - Parameter leased: a connection to the node.
    private func lend<Result>(
        _ leased: RedisNode,
        of node: RedisNode,
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        do {
            return try await node.lend(leased, onError: { learn(from: $0, to: $1, of: node) }, body)
        } catch let error as RedisClientError {
            if error.maySayThatTheServerIsGone { router.suspect(node) }
            throw error
        }
    }

    private func learn(from error: RESPError, to command: RESPCommand, of node: RedisNode) {
        switch followUp(error, from: node) {
        case .answer: break
        // It may be made up.
        case .go where command.runsScript, .wait where command.runsScript: router.suspect(node)
        case .go(let redirect):
            node.learn(from: redirect)
            router.follow(redirect)
        case .wait(let reason): _ = router.turnedAway(by: node, reason, fromReplica: false)
        }
    }

    /// A connection to a node, which is another if the first is not the one to ask any longer.
    private func lease(at place: Place, _ deadline: NIODeadline) async throws -> (RedisNode, leased: RedisNode) {
        var attempts = Attempts(executor: self, deadline: deadline)
        while true {
            let node = try await node(for: place, false, deadline)
            do {
                return (node, try await node.lease(until: deadline, patience: node.configuration.surveyPatience))
            } catch let error as RedisClientError
                where error.maySayThatTheServerIsGone && NIODeadline.now() < deadline
            {
                try await attempts.lost(error, node)
            }
        }
    }
}
