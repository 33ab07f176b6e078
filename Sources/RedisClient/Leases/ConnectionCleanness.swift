import RESP

/// Whether a connection is as it was when it was new. Where that is not certain, it is not.
struct ConnectionCleanness {
    private var isSpoilt = false
    private var isWatching = false
    /// Between `MULTI` and `EXEC`.
    private var isQueueing = false
    private var unanswered = 0

    var isClean: Bool { !isSpoilt && !isWatching && !isQueueing && unanswered == 0 }

    mutating func send(_ commands: CommandKinds) {
        unanswered += commands.count
        for (_, kind) in commands.special {
            switch kind {
            case .changing, .client:
                isSpoilt = true
            case .watch, .unwatch, .multi, .exec, .discard:
                // Several callers at once: whose `EXEC` ended whose `MULTI` is not known here.
                if unanswered > commands.count { isSpoilt = true }
            case .ordinary, .blocking, .script, .unanswered, .misnamed:
                break
            }
        }
    }

    mutating func receive(_ replies: [RESPValue], for commands: CommandKinds) {
        unanswered -= commands.count
        for (place, kind) in commands.special where place < replies.count {
            let error = replies[place].error
            switch kind {
            case .watch where error == nil:
                isWatching = true
            case .multi where error == nil:
                isQueueing = true
            case .multi:
                isSpoilt = true
            case .exec where error == nil || error?.code == .executionAborted, .discard where error == nil:
                (isWatching, isQueueing) = (false, false)
            case .unwatch where error == nil && !isQueueing:
                isWatching = false
            default:
                break
            }
        }
    }
}
