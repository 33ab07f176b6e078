import NIOCore
public import RESP

/// Runs commands of a client so that the server tells when a key that they read changes.
///
/// Each command goes out behind `CLIENT CACHING YES`, in the same write; a script's reads are tracked too. Where the
/// server refuses that, the refusal is thrown, though the command was run; not without
/// ``RedisClient/RedisClient/Configuration/requiresClientSideCaching``.
public struct RedisTrackedExecutor: CommandExecutor {
    let client: RedisClient

    @discardableResult
    public func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await execute(pipeline: [command])[0].get()
    }

    @discardableResult
    public func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        guard client.configuration.clientSideCaching else {
            throw RedisClientError(
                .unsupportedCommand,
                "The server was not asked to track keys; set clientSideCaching in the client's configuration."
            )
        }
        if SharedConnectionRules.isTransaction(pipeline) {
            throw RedisClientError(.unsupportedCommand, "The reads of a transaction are not tracked.")
        }
        let deadline = NIODeadline.now() + TimeAmount(clamping: client.configuration.commandTimeout)
        return try await client.execute(pipeline: pipeline, until: deadline, tracking: client.configuration.tracking)
    }

    static let caching: RESPCommand = {
        var command = RESPCommand("CLIENT", "CACHING", "YES")
        command.isReadOnly = true
        return command
    }()

    /// The replies to commands each of which went out behind ``caching``.
    ///
    /// - Throws: `RESPError` if the server does not track one of them, and is required to. Their values would never be
    ///   told to be outdated.
    static func separate(_ replies: [RESPValue], _ tracking: Tracking) throws -> [RESPValue] {
        try stride(from: 0, to: replies.count - 1, by: 2).map { preface in
            if tracking == .required { _ = try replies[preface].get() }
            return replies[preface + 1]
        }
    }
}

extension RedisClient {
    /// Commands whose keys the server watches for this client; what happens to them comes by ``invalidations``.
    ///
    /// Without ``Configuration/clientSideCaching`` they are refused as ``RedisClientError/Code/unsupportedCommand``, as
    /// transactions are in any case. Changes that this client makes itself are not told, except by
    /// commands on leased connections, and with such a change the server ceases to watch the key: a copy of it has to
    /// be dropped by whoever writes, not written to.
    public var tracked: RedisTrackedExecutor { RedisTrackedExecutor(client: self) }

    /// What becomes of keys that were read through ``tracked``, from now on.
    public var invalidations: RedisInvalidations {
        let invalidations =
            switch backend {
            case .one(let node): node.invalidations
            case .several(let executor): executor.router.invalidations
            }
        return invalidations.listen(limit: configuration.maxBufferedMessages)
    }
}
