/// How a command's keys stand among its arguments, which are counted from 0 after the name.
package enum KeyRule: Sendable, Equatable {
    case none
    /// Every `step`-th from the first to the last; a last below 0 counts from the end.
    case range(first: Int, last: Int, step: Int = 1)
    /// Their number stands at a position, they behind it as every `step`-th; there may be a destination as first
    /// argument.
    case counted(at: Int, step: Int = 1, hasDestination: Bool = false)
    /// The first half of what follows `STREAMS`, which is looked for behind so many arguments.
    case streams(behind: Int)
    /// The first, and those behind `STORE` or `STOREDIST`, which are looked for behind so many arguments.
    case firstAndStored(behind: Int)

    package static let first = KeyRule.range(first: 0, last: 0)
    package static let all = KeyRule.range(first: 0, last: -1)

    /// What is not listed has its key first.
    package static func of(_ command: RESPCommand) -> KeyRule { listed[command.name.commandHash] ?? .first }

    /// The rules of all commands with other keys than their first argument, by ``Swift/String/commandHash``.
    package static let listed: [UInt64: KeyRule] = {
        var rules: [UInt64: KeyRule] = [:]
        func add(_ keys: KeyRule, _ names: String) {
            for name in names.split(whereSeparator: \.isWhitespace) { rules[String(name).commandHash] = keys }
        }
        add(
            .none,
            """
            ACL ASKING AUTH BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND COMMANDLOG CONFIG DBSIZE DISCARD ECHO EXEC
            FAILOVER FLUSHALL FLUSHDB FUNCTION HELLO INFO KEYS LASTSAVE LATENCY LOLWUT MODULE MONITOR MULTI PING
            PSUBSCRIBE PSYNC PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE REPLICAOF RESET ROLE SAVE
            SCAN SCRIPT SELECT SHUTDOWN SLAVEOF SLOWLOG SUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF
            """
        )
        add(
            .all,
            """
            DEL EXISTS MGET PFCOUNT PFMERGE SDIFF SDIFFSTORE SINTER SINTERSTORE SSUBSCRIBE SUNION SUNIONSTORE TOUCH
            UNLINK WATCH
            """
        )
        add(.range(first: 0, last: -1, step: 2), "MSET MSETNX")
        add(.range(first: 0, last: -1, step: 3), "JSON.MSET")
        add(.range(first: 0, last: -2), "BLPOP BRPOP BZPOPMAX BZPOPMIN JSON.MGET")
        add(.range(first: 1, last: -1), "BITOP")
        add(.range(first: 1, last: 1), "DEBUG MEMORY OBJECT XGROUP XINFO")
        add(.range(first: 2, last: 2), "MIGRATE")
        add(
            .range(first: 0, last: 1),
            """
            BLMOVE BRPOPLPUSH COPY GEOSEARCHSTORE LCS LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE
            """
        )
        add(.counted(at: 0), "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION")
        add(.counted(at: 0, step: 2), "MSETEX")
        add(.counted(at: 1), "BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO")
        add(.counted(at: 1, hasDestination: true), "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE")
        add(.streams(behind: 0), "XREAD")
        // A group and a consumer may have any name.
        add(.streams(behind: 3), "XREADGROUP")
        add(.firstAndStored(behind: 1), "SORT")
        // As Redis has it; a member may have any name.
        add(.firstAndStored(behind: 4), "GEORADIUS GEORADIUSBYMEMBER")
        return rules
    }()

    /// Whether each key has all that belongs to it.
    package func isComplete(in command: RESPCommand) -> Bool {
        guard case .range(let first, _, let step) = self else { return true }
        return (command.argumentCount - first).isMultiple(of: step)
    }

    /// Visits the positions of the keys. A command that is not complete has those that are there.
    package func forEachPosition(in command: RESPCommand, _ body: (Int) -> Void) {
        let count = command.argumentCount
        switch self {
        case .none:
            break
        case .range(let first, let last, let step):
            let end = min(last < 0 ? count + last : last, count - 1)
            for position in stride(from: first, through: end, by: step) { body(position) }
        case .counted(let place, let step, let hasDestination):
            if hasDestination, count > 0 { body(0) }
            let keys = command.argument(at: place).flatMap { $0.string.flatMap { Int($0) } } ?? 0
            for position in stride(from: place + 1, to: count, by: step).prefix(max(0, keys)) { body(position) }
        case .streams(let start):
            guard let word = (start..<max(start, count)).first(where: { command.hasWord("STREAMS", at: $0) })
            else { return }
            for position in (word + 1)..<(word + 1 + (count - word - 1) / 2) { body(position) }
        case .firstAndStored(let start):
            if count > 0 { body(0) }
            var word = start
            while word + 1 < count {
                let isStored = command.hasWord("STORE", at: word) || command.hasWord("STOREDIST", at: word)
                if isStored { body(word + 1) }
                // Keys and patterns may be any text.
                word += isStored || command.hasWord("BY", at: word) || command.hasWord("GET", at: word) ? 2 : 1
            }
        }
    }
}
