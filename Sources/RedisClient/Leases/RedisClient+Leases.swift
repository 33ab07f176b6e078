import NIOCore
public import RESP

extension RedisClient {
    /// Runs something with a connection of its own: commands that block, `WATCH`, whatever would harm others on the
    /// connection that is shared.
    ///
    /// ```swift
    /// let job = try await client.withConnection { connection in
    ///     try await connection.execute(RESPCommand("BLPOP", "jobs", 30)).array?.last?.string
    /// }
    /// ```
    ///
    /// Connections are kept for the next ones, up to ``Configuration/maxLeasedConnections``. One that is not certain to
    /// be as it was – a command timed out or was cancelled, `SELECT` was sent, a `MULTI` is open – is closed instead.
    ///
    /// - Parameter keys: in a cluster the connection is to the node that has them; without keys it is to any primary.
    ///   A node that has them no longer answers `MOVED`, which is not followed here: the next lease is right. While
    ///   their slot moves, it may answer `ASK` or `TRYAGAIN`, until all of the slot is at the new node.
    /// - Throws: what `body` throws; ``RedisClientError/Code/timedOut`` if no connection became free, or was made,
    ///   within ``Configuration/connectTimeout``, and why it could not be made; ``RedisClientError/Code/crossSlot``.
    public func withConnection<Result>(
        for keys: [String] = [],
        _ body: (RedisConnection) async throws -> Result
    ) async throws -> Result {
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        switch backend {
        case .one(let node): return try await node.withConnection(until: deadline, body)
        case .several(let executor): return try await executor.withConnection(for: keys, until: deadline, body)
        }
    }

    /// Runs commands as one transaction on a connection of its own, unless a watched key changes before.
    ///
    /// ```swift
    /// let replies = try await client.withTransaction(watching: ["stock"]) { connection in
    ///     let stock = try await connection.execute(RESPCommand("GET", "stock")).integer ?? 0
    ///     guard stock > 0 else { throw SoldOut() }
    ///     return [RESPCommand("DECR", "stock"), RESPCommand("RPUSH", "orders", order)]
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - keys: watched from before `body` runs. In a cluster they say which node it is; while their slot moves, or
    ///     one of several servers cannot be reached, that is waited for up to ``Configuration/connectTimeout``. If it
    ///     begins to move later, the server may answer `ASK`, `MOVED` or `TRYAGAIN` to `body` or instead of the
    ///     transaction; nothing of that was run then.
    ///   - body: reads what it needs and returns the commands. They are sent as one write, from `MULTI` to `EXEC`;
    ///     nothing is changed if it throws.
    /// - Returns: the replies in the order of the commands, errors in their place; `nil` if a watched key changed.
    /// - Throws: what `body` throws; `RESPError` if the server refused one of the commands; then none was run.
    ///   ``RedisClientError/Code/unsupportedCommand`` for one that no transaction may have, before any is sent;
    ///   ``RedisClientError/Code/protocolViolation`` if the server ran them one by one, as where a user may not send
    ///   `MULTI`; otherwise as ``withConnection(for:_:)``.
    public func withTransaction(
        watching keys: [String] = [],
        _ body: (RedisConnection) async throws -> [RESPCommand]
    ) async throws -> [RESPValue]? {
        guard case .several(let executor) = backend else {
            return try await withConnection { try await $0.transaction(watching: keys, body) }
        }
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        return try await executor.withTransaction(watching: keys, until: deadline, body)
    }

    /// Runs commands as one transaction on a connection of its own. In a cluster that is to the node that has their
    /// keys, and redirections are followed.
    ///
    /// - Parameter timeout: for all of it, waiting for a connection included.
    /// - Returns: the replies in the order of the commands, errors in their place.
    /// - Throws: `RESPError` if the server refused one of the commands; then none was run. ``RedisClientError``, such
    ///   as ``RedisClientError/Code/crossSlot``.
    package func execute(transaction commands: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        try RedisConnection.check(commands)
        let pipeline = [RESPCommand("MULTI")] + commands + [RESPCommand("EXEC")]
        let deadline = NIODeadline.now() + TimeAmount(clamping: timeout)
        let replies =
            switch backend {
            case .one(let node):
                try await node.runAlone(pipeline, deadline: deadline)
            case .several(let executor):
                try await executor.runTransaction(pipeline, deadline: deadline) { node, pipeline in
                    try await node.runAlone(pipeline, deadline: deadline, patience: configuration.surveyPatience)
                }
            }
        guard let results = try RedisConnection.results(ofTransaction: replies) else {
            throw RedisClientError(.protocolViolation, "The server dropped a transaction that watches nothing.")
        }
        return results
    }
}
