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

    init(_ node: RedisNode) {
        self.node = node
    }

    /// Runs one command within ``RedisClient/RedisClient/Configuration/commandTimeout``, to which the time is added
    /// that a blocking command asks for itself.
    ///
    /// - Throws: `RESPError` for an error reply, ``RedisClientError`` when no reply came.
    @discardableResult
    public func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await execute(command, deadline: deadline([command]))
    }

    /// Runs one command that has more or less time than others.
    @discardableResult
    public func execute(_ command: RESPCommand, timeout: Duration) async throws -> RESPValue {
        try await execute(command, deadline: .now() + TimeAmount(clamping: timeout))
    }

    /// Runs several commands with one write; error replies stay in their place.
    @discardableResult
    public func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, deadline: deadline(pipeline))
    }

    /// Runs several commands that have more or less time than others.
    @discardableResult
    public func execute(pipeline: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, deadline: .now() + TimeAmount(clamping: timeout))
    }

    private func execute(_ command: RESPCommand, deadline: NIODeadline) async throws -> RESPValue {
        try begin([command])
        let blocks = BlockingCommand.limit(of: command) != nil
        do {
            let reply = try await node.run(command, deadline: deadline, mayBlock: blocks)
            answered([command], [reply])
            return reply
        } catch let error as RESPError {
            answered([command], [.error(error)])
            throw error
        }
    }

    func execute(pipeline: [RESPCommand], deadline: NIODeadline) async throws -> [RESPValue] {
        if pipeline.isEmpty { return [] }
        try begin(pipeline)
        let blocks = pipeline.contains { BlockingCommand.limit(of: $0) != nil }
        let replies = try await node.run(pipeline, deadline: deadline, mayBlock: blocks)
        answered(pipeline, replies)
        return replies
    }

    private func begin(_ commands: [RESPCommand]) throws {
        for command in commands {
            if let refusal = SharedConnectionRules.refusalAnywhere(command) { throw refusal }
        }
        try state.withLockedValue { state in
            if state.isOver { throw RedisClientError(.closed, "The connection was given back when its scope ended.") }
            state.cleanness.send(commands)
        }
    }

    private func answered(_ commands: [RESPCommand], _ replies: [RESPValue]) {
        state.withLockedValue { $0.cleanness.receive(replies, for: commands) }
    }

    private func deadline(_ commands: [RESPCommand]) -> NIODeadline {
        var time = node.configuration.commandTimeout
        for command in commands {
            switch BlockingCommand.limit(of: command) {
            case .time(let limit): time += limit
            case .forever: return .distantFuture
            case nil: break
            }
        }
        return .now() + TimeAmount(clamping: time)
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
