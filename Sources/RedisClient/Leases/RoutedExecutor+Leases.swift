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
        do {
            return try await node.lend(leased, body)
        } catch let error as RESPError {
            switch FollowUp(error, from: node.configuration.address) {
            case .answer: break
            case .go(let redirect): router.follow(redirect)
            case .wait: router.suspect(node, hasAnswered: true)
            }
            throw error
        } catch let error as RedisClientError {
            if error.maySayThatTheServerIsGone { router.suspect(node, hasAnswered: false) }
            throw error
        }
    }

    /// A connection to a node, which is another if the first is not the one to ask any longer.
    private func lease(at place: Place, _ deadline: NIODeadline) async throws -> (RedisNode, leased: RedisNode) {
        var attempts = Attempts(executor: self, deadline: deadline)
        while true {
            let node = try await node(for: place, false, deadline)
            do {
                return (node, try await node.leases.lease(until: deadline))
            } catch let error as RedisClientError where error.allowsRetryElsewhere(isReadOnly: false) {
                try await attempts.lost(error, node)
            }
        }
    }
}
