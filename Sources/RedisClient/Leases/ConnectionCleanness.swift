import RESP

/// Whether a connection is as it was when it was new. Where that is not certain, it is not.
struct ConnectionCleanness {
    private var isSpoilt = false
    private var isWatching = false
    /// Between `MULTI` and `EXEC`.
    private var isQueueing = false
    private var unanswered = 0

    var isClean: Bool { !isSpoilt && !isWatching && !isQueueing && unanswered == 0 }

    mutating func send(_ commands: [RESPCommand]) {
        unanswered += commands.count
        for command in commands {
            switch command.name.uppercased() {
            case "WATCH", "MULTI", "EXEC", "DISCARD", "UNWATCH": break
            case "ASKING", "AUTH", "CLIENT", "HELLO", "QUIT", "READONLY", "READWRITE", "RESET", "SELECT":
                isSpoilt = true
                continue
            default: continue
            }
            // Several callers at once: whose `EXEC` ended whose `MULTI` is not known here.
            if unanswered > commands.count { isSpoilt = true }
        }
    }

    mutating func receive(_ replies: [RESPValue], for commands: [RESPCommand]) {
        unanswered -= commands.count
        for (command, reply) in zip(commands, replies) {
            switch command.name.uppercased() {
            case "WATCH" where reply.error == nil:
                isWatching = true
            case "MULTI" where reply.error == nil:
                isQueueing = true
            case "EXEC" where reply.error == nil || reply.error?.code == .executionAborted,
                "DISCARD" where reply.error == nil:
                (isWatching, isQueueing) = (false, false)
            case "UNWATCH" where reply.error == nil && !isQueueing:
                isWatching = false
            default:
                break
            }
        }
    }
}
