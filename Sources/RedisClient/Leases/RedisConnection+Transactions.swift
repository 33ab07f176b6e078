public import RESP

extension RedisConnection {
    /// Runs commands as one transaction, unless a watched key changes before.
    ///
    /// - Parameters:
    ///   - keys: watched from before `body` runs.
    ///   - body: reads what it needs and returns the commands. They are sent as one write, from `MULTI` to `EXEC`;
    ///     nothing is changed if it throws.
    /// - Returns: the replies in the order of the commands, errors in their place; `nil` if a watched key changed.
    /// - Throws: `RESPError` if the server refused one of the commands; then none was run.
    ///   ``RedisClient/RedisClientError/Code/protocolViolation`` if it ran them one by one, as where a user may not send
    ///   `MULTI`.
    public func transaction(
        watching keys: [String] = [],
        _ body: (RedisConnection) async throws -> [RESPCommand]
    ) async throws -> [RESPValue]? {
        if !keys.isEmpty { try await execute(RESPCommand("WATCH", arguments: keys)) }
        return try await transaction(isWatching: !keys.isEmpty, body)
    }

    func transaction(
        isWatching: Bool,
        _ body: (RedisConnection) async throws -> [RESPCommand]
    ) async throws -> [RESPValue]? {
        let commands: [RESPCommand]
        do {
            commands = try await body(self)
            try Self.check(commands)
        } catch {
            if isWatching { _ = try? await execute(RESPCommand("UNWATCH")) }
            throw error
        }
        let replies = try await execute(pipeline: [RESPCommand("MULTI")] + commands + [RESPCommand("EXEC")])
        return try Self.results(ofTransaction: replies)
    }

    /// - Parameter replies: from that to `MULTI` to that to `EXEC`.
    /// - Returns: `nil` if a watched key changed.
    /// - Throws: `RESPError` if the server refused one of the commands; ``RedisClientError`` if it ran them one by one.
    static func results(ofTransaction replies: [RESPValue]) throws -> [RESPValue]? {
        if replies.dropFirst().dropLast().contains(where: { $0.error == nil && $0.string != "QUEUED" }) {
            throw RedisClientError(
                .protocolViolation,
                "The server did not run the commands as a transaction, but at least one of them alone.",
                mayHaveExecuted: true,
                underlying: replies.first?.error
            )
        }
        switch replies.last {
        case .array(let results):
            return results
        case .error(let aborted):
            throw replies.lazy.dropLast().compactMap(\.error).first ?? aborted
        default:
            return nil
        }
    }

    static func check(_ commands: [RESPCommand]) throws(RedisClientError) {
        let foreign = commands.first {
            CommandKind(named: $0.name) != .ordinary && outsideTransactions.contains(where: $0.isNamed)
        }
        guard let foreign else { return }
        throw RedisClientError(.unsupportedCommand, "\(foreign.name) cannot be a command of a transaction.")
    }

    private static let outsideTransactions = ["DISCARD", "EXEC", "HELLO", "MULTI", "QUIT", "RESET", "WATCH"]
}
