import RESP

/// What the endpoint knows of a command by its name. A name that it does not know has none of them.
struct UpstashCommandTraits: OptionSet, Sendable, Hashable {
    let rawValue: UInt16

    /// Changes a connection, which requests share, or has a path of its own.
    static let ofConnection = Self(rawValue: 1 << 0)
    /// Blocks, governs the server, or reaches other databases than the one that is served.
    static let unavailable = Self(rawValue: 1 << 1)
    /// The token that may only read may run it.
    static let readable = Self(rawValue: 1 << 2)
    static let changesNothing = Self(rawValue: 1 << 3)
    /// Its arguments say what it does.
    static let depends = Self(rawValue: 1 << 4)
    /// Has a script or the digest of one.
    static let ofScripts = Self(rawValue: 1 << 5)
    /// Reads a key or field as often as it is named.
    static let repeats = Self(rawValue: 1 << 6)
    /// Draws members, by a negative count some of them again.
    static let draws = Self(rawValue: 1 << 7)
    /// Goes through the members of a set as often as it is named.
    static let combines = Self(rawValue: 1 << 8)

    static let every = Self(rawValue: .max)

    /// - Parameter name: in capitals.
    static func of(_ name: String) -> Self { name.isCommandName ? table[name] ?? [] : .unavailable }

    private static let table: [String: Self] = {
        var table: [String: Self] = [:]
        func add(_ traits: Self, _ names: some Sequence<String>) {
            for name in names { table[name, default: []].formUnion(traits) }
        }
        add([.readable, .changesNothing], RESPCommand.readOnlyNames.subtracting(powerful))
        add([.readable, .changesNothing], ["OBJECT", "XINFO", "XREAD"])
        add(.readable, ["TOUCH"])
        add(.changesNothing, powerful)
        add(.ofConnection, ofConnectionNames)
        add(.unavailable, unavailableNames)
        add(.depends, ["CLIENT", "COPY", "SCRIPT", "XREAD", "XREADGROUP"])
        add(.ofScripts, ["EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "SCRIPT"])
        add(.repeats, ["HMGET", "JSON.GET", "JSON.MGET", "MGET", "PFCOUNT", "SDIFF", "SORT_RO", "XREAD"])
        add([.repeats, .combines], ["SINTER", "SINTERCARD", "SUNION", "ZDIFF", "ZINTER", "ZINTERCARD", "ZUNION"])
        add(.draws, ["HRANDFIELD", "SRANDMEMBER", "VRANDMEMBER", "ZRANDMEMBER"])
        return table
    }()

    /// Read, but show too much for a token that may be public, or keep the server as long as they like.
    private static let powerful: Set<String> = [
        "EVALSHA_RO", "EVAL_RO", "FCALL_RO", "INFO", "KEYS", "LCS", "RANDOMKEY", "SCAN",
    ]

    private static let ofConnectionNames = [
        "ASKING", "AUTH", "CLIENT", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PUNSUBSCRIBE",
        "QUIT", "READONLY", "READWRITE", "RESET", "SELECT", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "UNSUBSCRIBE",
        "UNWATCH", "WATCH",
    ]

    private static let unavailableNames = [
        "ACL", "BGREWRITEAOF", "BGSAVE", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX",
        "BZPOPMIN", "CLUSTER", "CONFIG", "DEBUG", "FAILOVER", "LATENCY", "MIGRATE", "MODULE", "MOVE", "PFDEBUG",
        "PFSELFTEST", "PSYNC", "REPLCONF", "REPLICAOF", "RESTORE-ASKING", "ROLE", "SAVE", "SHUTDOWN", "SLAVEOF",
        "SLOWLOG", "SWAPDB", "SYNC", "WAIT", "WAITAOF",
        // Redis takes a connection on which these come for one that a browser was tricked into.
        "HOST:", "POST",
    ]
}
