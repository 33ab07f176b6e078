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
        let node = try await node(for: place, false, deadline)
        do {
            return try await node.withConnection(until: deadline, body)
        } catch let error as RESPError {
            if case .go(let redirect) = FollowUp(error, from: node.configuration.address) { router.follow(redirect) }
            throw error
        }
    }
}
