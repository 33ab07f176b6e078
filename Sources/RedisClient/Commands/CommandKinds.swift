import RESP

/// What commands that are sent together are to their connection, found out once for all rules.
struct CommandKinds {
    let count: Int
    /// Those that are not ordinary, with their places.
    private(set) var special: [(place: Int, kind: CommandKind)] = []
    /// Why they cannot be sent.
    private(set) var refusal: RedisClientError?
    /// The time that those which block ask for together.
    private(set) var blockingTime: BlockingLimit?

    init(_ commands: [RESPCommand]) {
        count = commands.count
        for (place, command) in commands.enumerated() {
            let kind = CommandKind(named: command.name)
            if kind == .ordinary { continue }
            special.append((place, kind))
            if refusal == nil { refusal = SharedConnectionRules.refusalAnywhere(command, kind) }
            if kind == .blocking, let limit = BlockingCommand.limit(of: command) {
                blockingTime = blockingTime.map { $0 + limit } ?? limit
            }
        }
    }
}
