import NIOConcurrencyHelpers
import NIOCore
import RESP

extension RedisNode {
    /// Runs something with a connection of its own, for which it waits as ``lease(until:patience:)`` does.
    func withConnection<Result>(
        until deadline: NIODeadline,
        patience: TimeAmount? = nil,
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        let node = try await lease(until: deadline, patience: patience)
        return try await lend(node, onError: { self.learn(from: $0, to: $1) }, body)
    }

    /// A connection for the caller alone, as soon as it is there.
    ///
    /// - Parameter patience: for one that has yet to be made, if less than until the deadline.
    func lease(until deadline: NIODeadline, patience: TimeAmount? = nil) async throws -> RedisNode {
        let node = try await leases.lease(until: deadline)
        return try await connected(node, until: patience.map { min(deadline, .now() + $0) } ?? deadline)
    }

    /// A connection that was leased, once it is there. One that takes longer is made for the next.
    private func connected(_ node: RedisNode, until deadline: NIODeadline) async throws -> RedisNode {
        do {
            if !node.isConnected { try await node.connect(until: deadline) }
            if followsAddress, let start = node.link.withLockedValue({ $0.firstUse.take() }) {
                recheckServer(.start(start))
            }
            return node
        } catch let error as RedisClientError {
            leases.giveBack(node, isClean: error.code == .timedOut)
            if let busy = error.busy { throw busy }
            throw error
        }
    }

    /// Runs a pipeline so long that others would have to wait for it.
    ///
    /// - Returns: `nil` if no connection is free for it at the moment, or could be made in half of its time.
    func runApart(_ commands: [RESPCommand], deadline: NIODeadline) async throws -> [RESPValue]? {
        guard let free = try leases.leaseNow() else { return nil }
        let now = NIODeadline.now()
        let node: RedisNode
        do {
            node = try await connected(free, until: now + .nanoseconds((deadline - now).nanoseconds / 2))
        } catch let error as RedisClientError where error.code == .cancelled {
            throw error
        } catch {
            return nil
        }
        let isForReplica = configuration.peer == .readReplica && commands.allSatisfy(\.isReadOnly)
        if isForReplica { return try await read(commands, from: node, deadline: deadline) }
        return try await lend(node) { try await $0.execute(pipeline: commands, deadline: deadline) }
    }

    /// Leases are for the primary, which a replica may become: what lets one be read from is said for these commands only.
    private func read(
        _ commands: [RESPCommand],
        from node: RedisNode,
        deadline: NIODeadline
    ) async throws -> [RESPValue] {
        var isClean = false
        defer { leases.giveBack(node, isClean: isClean) }
        let all = [RESPCommand("READONLY")] + commands + [RESPCommand("READWRITE")]
        let replies = try await node.run(all, deadline: deadline)
        isClean = replies.last?.string == "OK"
        return Array(replies.dropFirst().dropLast())
    }

    /// Runs a pipeline on a connection that nobody else uses meanwhile.
    func runAlone(
        _ commands: [RESPCommand],
        deadline: NIODeadline,
        patience: TimeAmount? = nil
    ) async throws -> [RESPValue] {
        try await withConnection(until: deadline, patience: patience) {
            try await $0.execute(pipeline: commands, deadline: deadline)
        }
    }

    /// - Parameters:
    ///   - node: one that was leased.
    ///   - onError: told of each error reply, and of the command.
    func lend<Result>(
        _ node: RedisNode,
        onError: @escaping @Sendable (RESPError, RESPCommand) -> Void = { _, _ in },
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        let connection = RedisConnection(node, onError: onError)
        defer { leases.giveBack(node, isClean: connection.end()) }
        return try await body(connection)
    }
}
