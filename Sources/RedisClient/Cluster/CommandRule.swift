import RESP

/// What has to be known of a command to send it to the right nodes of a cluster.
struct CommandRule: Sendable {
    enum Spread: Sendable, Equatable {
        /// All keys must be in one slot.
        case oneSlot
        /// May be sent in parts, one for each slot.
        case parts(ReplyMerge)
        /// Any primary takes it. Its first argument is a channel.
        case byChannel
        /// Speaks of the whole data set, so that every primary is asked.
        case everyPrimary(ReplyMerge)
        /// Goes through the whole data set, one primary after the other.
        case primariesInTurn
    }

    var keys: KeyRule
    var spread = Spread.oneSlot

    /// What is not listed has its key first. If that is wrong for a command, the server redirects it.
    static func of(_ command: RESPCommand) -> CommandRule {
        let hash = command.name.commandHash
        // Scripts are run where their keys are, which may be anywhere.
        if let merges = libraries[hash],
            let merge = merges.first(where: { command.hasWord($0.key, at: 0) })?.value
        {
            return CommandRule(keys: .none, spread: .everyPrimary(merge))
        }
        return rules[hash] ?? CommandRule(keys: .first)
    }

    private static let libraries: [UInt64: [String: ReplyMerge]] = [
        "SCRIPT".commandHash: ["LOAD": .allSucceeded, "FLUSH": .allSucceeded, "EXISTS": .least],
        "FUNCTION".commandHash: [
            "LOAD": .allSucceeded, "DELETE": .allSucceeded, "FLUSH": .allSucceeded, "RESTORE": .allSucceeded,
        ],
    ]

    private static let rules: [UInt64: CommandRule] = {
        var rules = KeyRule.listed.mapValues { CommandRule(keys: $0) }
        func spread(_ spread: Spread, _ names: String) {
            for name in names.split(separator: " ") {
                rules[String(name).commandHash, default: CommandRule(keys: .first)].spread = spread
            }
        }
        spread(.everyPrimary(.sum), "DBSIZE")
        spread(.everyPrimary(.concatenate), "KEYS")
        spread(.everyPrimary(.allSucceeded), "FLUSHALL FLUSHDB SWAPDB")
        spread(.primariesInTurn, "SCAN")
        spread(.byChannel, "PUBLISH")
        spread(.parts(.byPosition), "MGET")
        spread(.parts(.sum), "DEL EXISTS TOUCH UNLINK")
        spread(.parts(.allSucceeded), "MSET")
        return rules
    }()
}
