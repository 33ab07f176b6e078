import NIOConcurrencyHelpers
import NIOCore
public import RESP

/// A connection for one caller, for the time of ``RedisClient/RedisClient/withConnection(for:_:)``.
///
/// Everything may be sent here that has one reply: commands that block, `WATCH`, `MULTI`, `SELECT`. Deadlines and
/// cancellation free the caller as they do elsewhere; the connection is not used again afterwards. Nothing is sent
/// twice.
public final class RedisConnection: CommandExecutor, Sendable {
    private struct State {
        var cleanness = ConnectionCleanness()
        var isOver = false
    }

    private let node: RedisNode
    private let state = NIOLockedValueBox(State())
    /// Told of each error reply, and of the command.
    private let onError: @Sendable (RESPError, RESPCommand) -> Void

    init(_ node: RedisNode, onError: @escaping @Sendable (RESPError, RESPCommand) -> Void) {
        self.node = node
        self.onError = onError
    }

    /// Runs one command within ``RedisClient/RedisClient/Configuration/commandTimeout``, to which the time is added
    /// that a blocking command asks for itself; one that asks to block for ever (0) has no deadline.
    ///
    /// - Throws: `RESPError` for an error reply, ``RedisClientError`` when no reply came.
    @discardableResult
    public func execute(_ command: RESPCommand) async throws -> RESPValue {
        let kinds = CommandKinds([command])
        return try await execute(command, kinds, deadline: deadline(kinds))
    }

    /// Runs one command that has more or less time than others.
    @discardableResult
    public func execute(_ command: RESPCommand, timeout: Duration) async throws -> RESPValue {
        try await execute(command, CommandKinds([command]), deadline: .now() + TimeAmount(clamping: timeout))
    }

    /// Runs several commands with one write; error replies stay in their place.
    @discardableResult
    public func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        let kinds = CommandKinds(pipeline)
        return try await execute(pipeline: pipeline, kinds, deadline: deadline(kinds))
    }

    /// Runs several commands that have more or less time than others.
    @discardableResult
    public func execute(pipeline: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, deadline: .now() + TimeAmount(clamping: timeout))
    }

    func execute(pipeline: [RESPCommand], deadline: NIODeadline) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, CommandKinds(pipeline), deadline: deadline)
    }

    private func execute(
        _ command: RESPCommand,
        _ kinds: CommandKinds,
        deadline: NIODeadline
    ) async throws -> RESPValue {
        try begin(kinds)
        do {
            let reply = try await node.run(command, deadline: deadline, mayBlock: kinds.blockingTime != nil)
            answered([command], kinds, [reply])
            return reply
        } catch let error as RESPError {
            answered([command], kinds, [.error(error)])
            throw error
        }
    }

    private func execute(
        pipeline: [RESPCommand],
        _ kinds: CommandKinds,
        deadline: NIODeadline
    ) async throws -> [RESPValue] {
        if pipeline.isEmpty { return [] }
        try begin(kinds)
        let replies = try await node.run(pipeline, deadline: deadline, mayBlock: kinds.blockingTime != nil)
        answered(pipeline, kinds, replies)
        return replies
    }

    private func begin(_ commands: CommandKinds) throws {
        if let refusal = commands.refusal { throw refusal }
        try state.withLockedValue { state in
            if state.isOver { throw RedisClientError(.closed, "The connection was given back when its scope ended.") }
            state.cleanness.send(commands)
        }
    }

    private func answered(_ commands: [RESPCommand], _ kinds: CommandKinds, _ replies: [RESPValue]) {
        state.withLockedValue { $0.cleanness.receive(replies, for: kinds) }
        for (command, reply) in zip(commands, replies) {
            if case .error(let error) = reply { onError(error, command) }
        }
    }

    private func deadline(_ commands: CommandKinds) -> NIODeadline {
        let time = node.configuration.commandTimeout
        return switch commands.blockingTime {
        case .time(let limit): .now() + TimeAmount(clamping: time + limit)
        case .forever: .distantFuture
        case nil: .now() + TimeAmount(clamping: time)
        }
    }

    /// Refuses everything from now on.
    ///
    /// - Returns: whether somebody else may use the connection.
    func end() -> Bool {
        state.withLockedValue { state in
            state.isOver = true
            return state.cleanness.isClean
        }
    }
}
