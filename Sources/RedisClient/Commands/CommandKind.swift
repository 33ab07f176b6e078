import RESP

/// What a command is to the connection that it is sent on.
enum CommandKind: Sendable {
    case ordinary
    case watch, unwatch, multi, exec, discard
    /// Waits for something to happen, if its arguments say so.
    case blocking
    /// Changes the connection for whoever has it next.
    case changing
    /// Depends on the first argument.
    case client, script
    /// Is not answered by one reply.
    case unanswered
    /// Has a name that no command has, but a server may take for one.
    case misnamed

    init(named name: String) {
        guard name.isCommandName else {
            self = .misnamed
            return
        }
        // All commands of up to three letters are ordinary, and most that are sent are that short.
        self = name.utf8.count > 3 ? Self.listed[name.folded] ?? .ordinary : .ordinary
    }

    private static let listed: [UInt64: CommandKind] = {
        var kinds: [UInt64: CommandKind] = [
            "WATCH".folded: .watch, "UNWATCH".folded: .unwatch, "MULTI".folded: .multi, "EXEC".folded: .exec,
            "DISCARD".folded: .discard, "CLIENT".folded: .client, "SCRIPT".folded: .script,
        ]
        for name in [
            "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF",
            "XREAD", "XREADGROUP",
        ] {
            kinds[name.folded] = .blocking
        }
        for name in [
            "ASKING", "AUTH", "HELLO", "QUIT", "READONLY", "READWRITE", "RESET", "SELECT",
            // Redis closes a connection on which these come: a browser may have been tricked into it.
            "HOST:", "POST",
        ] {
            kinds[name.folded] = .changing
        }
        for name in [
            "MONITOR", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "REPLCONF", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE",
            "SYNC", "UNSUBSCRIBE",
        ] {
            kinds[name.folded] = .unanswered
        }
        return kinds
    }()
}

extension String {
    /// The first eight letters without their case, as one number.
    fileprivate var folded: UInt64 {
        utf8.prefix(8).reduce(0) { $0 << 8 | UInt64($1 & 0xDF) }
    }
}
