import RESP

/// Which commands must not be sent on a connection that all callers share, because they would stop it for everyone or
/// change what its replies mean.
enum SharedConnectionRules {
    static func refusal(_ command: RESPCommand) -> RedisClientError? {
        // No command of up to three letters is refused, and most commands that are sent are that short.
        guard command.name.utf8.count > 3, isRefused(command) else { return nil }
        return RedisClientError(
            .unsupportedCommand,
            "\(command.name) would block or change a connection that is shared; send it within withConnection."
        )
    }

    /// What cannot be sent on a connection of one's own either, because it is not answered by one reply.
    static func refusalAnywhere(_ command: RESPCommand) -> RedisClientError? {
        switch command.name.uppercased() {
        case "MONITOR", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "REPLCONF", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE",
            "SYNC", "UNSUBSCRIBE":
            break
        case "SCRIPT" where command.arguments.first?.string?.uppercased() == "DEBUG":
            break
        case "CLIENT" where command.arguments.first?.string?.uppercased() == "REPLY":
            break
        default:
            return nil
        }
        return RedisClientError(.unsupportedCommand, "\(command.name) is not answered by one reply.")
    }

    /// As a whole pipeline `MULTI … EXEC` is sent without anything in between, so it is allowed.
    static func refusal(_ pipeline: [RESPCommand]) -> RedisClientError? {
        for command in isTransaction(pipeline) ? pipeline.dropFirst().dropLast() : pipeline[...] {
            if let refusal = refusal(command) { return refusal }
        }
        return nil
    }

    static func isTransaction(_ pipeline: [RESPCommand]) -> Bool {
        pipeline.count > 1 && pipeline.first?.isNamed("MULTI") == true && pipeline.last?.isNamed("EXEC") == true
    }

    private static func isRefused(_ command: RESPCommand) -> Bool {
        switch command.name.folded {
        case readKey, readGroupKey:
            return BlockingCommand.limit(of: command) != nil
        case clientKey:
            return ["NO-TOUCH", "REPLY", "TRACKING"].contains(command.arguments.first?.string?.uppercased())
        case scriptKey:
            return command.arguments.first?.string?.uppercased() == "DEBUG"
        case let key:
            return refused.contains(key)
        }
    }

    private static let readKey = "XREAD".folded
    private static let readGroupKey = "XREADGROUP".folded
    private static let clientKey = "CLIENT".folded
    private static let scriptKey = "SCRIPT".folded

    private static let refused: Set<UInt64> = Set(
        [
            "ASKING", "AUTH", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN",
            "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "QUIT", "READONLY",
            "READWRITE", "REPLCONF", "RESET", "SELECT", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC",
            "UNSUBSCRIBE", "UNWATCH",
            "WAIT", "WAITAOF", "WATCH",
        ].map(\.folded)
    )
}

extension RESPCommand {
    fileprivate func isNamed(_ name: String) -> Bool {
        self.name.utf8.count == name.utf8.count && self.name.folded == name.folded
    }
}

extension String {
    /// The first eight letters without their case, as one number.
    fileprivate var folded: UInt64 {
        utf8.prefix(8).reduce(0) { $0 << 8 | UInt64($1 & 0xDF) }
    }
}
