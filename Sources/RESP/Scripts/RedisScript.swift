/// A Lua script, sent by its digest to a server that knows it.
///
/// ```swift
/// let increment = RedisScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
/// let value = try await client.evaluate(increment, keys: ["visits"], arguments: [5]).integer
/// ```
public struct RedisScript: Sendable, Hashable {
    public let source: String
    /// Whether the script changes nothing, so that it may be run again after a lost connection.
    public let isReadOnly: Bool
    /// The SHA-1 of the source in hexadecimal, by which every server names it.
    public let sha1: String

    /// - Complexity: O(*n*) in the length of the source; keep a script that runs more than once.
    public init(_ source: String, isReadOnly: Bool = false) {
        self.source = source
        self.isReadOnly = isReadOnly
        sha1 = SHA1.hexadecimal(of: source)
    }

    /// `EVALSHA` for pipelines. A server that does not know the script answers with ``RESPError/Code/noScript``.
    public func command(keys: [String], arguments: [RESPArgument] = []) -> RESPCommand {
        command("EVALSHA", sha1, keys: keys, arguments: arguments)
    }

    func command(_ name: String, _ script: String, keys: [String], arguments: [RESPArgument]) -> RESPCommand {
        var command = RESPCommand(name, script, keys.count)
        command.append(contentsOf: keys)
        command.append(contentsOf: arguments)
        command.isReadOnly = isReadOnly
        return command
    }
}

extension CommandExecutor {
    /// Runs a script on the server.
    ///
    /// Sends `EVALSHA`, and the source once to a server that does not know it: a new one, one that was restarted,
    /// failed over, another node. Each of both has as long as any command.
    ///
    /// - Throws: as ``execute(_:)``.
    public func evaluate(
        _ script: RedisScript,
        keys: [String],
        arguments: [RESPArgument] = []
    ) async throws -> RESPValue {
        do {
            return try await execute(script.command(keys: keys, arguments: arguments))
        } catch let error as RESPError where error.isUnknownScript {
            return try await execute(script.command("EVAL", script.source, keys: keys, arguments: arguments))
        }
    }
}
