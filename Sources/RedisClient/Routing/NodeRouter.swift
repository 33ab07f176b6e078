import NIOCore
import RESP

/// Knows the servers that make up one data set, and which of them a command is for.
protocol NodeRouter: AnyObject, Sendable {
    typealias Address = RedisClient.Configuration.Address

    /// Whether reads go to replicas.
    var readsFromReplicas: Bool { get }

    func route(_ command: RESPCommand) throws(RedisClientError) -> CommandRoute

    /// The route of a pipeline that is one transaction.
    func route(transaction: ArraySlice<RESPCommand>) throws(RedisClientError) -> Place

    /// The node at a place; `nil` as long as that is not known.
    ///
    /// - Throws: ``RedisClientError/Code/closed``.
    func node(for place: Place, fromReplica: Bool) throws(RedisClientError) -> RedisNode?

    /// Returns when more is known than nothing.
    ///
    /// - Throws: ``RedisClientError`` at the deadline, or at once where waiting is of no use.
    func discover(until deadline: NIODeadline) async throws(RedisClientError)

    /// Whether a node is a replica only, as far as is known.
    func isReplica(_ node: RedisNode) -> Bool

    /// All primaries; empty as long as they are not known.
    var primaries: [Primary] { get }

    /// A server said where a slot is.
    func follow(_ redirect: Redirect)

    /// A server said why it does not take a command.
    ///
    /// - Parameter fromReplica: whether the node may have been asked as a replica, and not because a server named it.
    /// - Returns: whether another takes it at once.
    func turnedAway(by node: RedisNode, _ reason: FollowUp.Reason, fromReplica: Bool) -> Bool

    /// A node cannot be reached, does not answer, or refuses what it may refuse for good.
    func suspect(_ node: RedisNode)

    // MARK: The client's connections as a whole

    var isConnected: Bool { get }
    /// The servers that are known, sentinels not among them.
    var servers: [RedisNode] { get }
    var observers: ConnectionObservers { get }
    var change: ChangeNotice { get }
    /// Of all servers together.
    var invalidations: InvalidationBroadcast { get }
    var subscriptionPlace: SubscriptionPlace { get }

    func connect(until deadline: NIODeadline) async throws

    /// Ends, and hands over the nodes, which are connected to no more.
    func takeNodes() -> [RedisNode]
}

extension NodeRouter {
    func close() async {
        let nodes = takeNodes()
        await withTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { await node.close() } }
        }
        finish()
    }

    func abandon() {
        for node in takeNodes() { node.abandon() }
        finish()
    }

    private func finish() {
        observers.finish()
        invalidations.finish()
    }
}
