import RESP

/// Which commands must not be sent on a connection that all callers share, because they would stop it for everyone or
/// change what its replies mean.
enum SharedConnectionRules {
    static func refusal(_ command: RESPCommand) -> RedisClientError? {
        let kind = CommandKind(named: command.name)
        guard isRefused(command, kind) else { return nil }
        return refusalAnywhere(command, kind)
            ?? RedisClientError(
                .unsupportedCommand,
                "\(command.name) would block or change a connection that is shared; send it within withConnection."
            )
    }

    /// What cannot be sent on a connection of one's own either, because it is not answered by one reply or may be
    /// taken for another.
    static func refusalAnywhere(_ command: RESPCommand, _ kind: CommandKind) -> RedisClientError? {
        switch kind {
        case .misnamed:
            return RedisClientError(
                .unsupportedCommand,
                "A command's name has printable characters of ASCII only; servers may take it for another."
            )
        case .unanswered: break
        case .script where command.hasWord("DEBUG", at: 0): break
        case .client where command.hasWord("REPLY", at: 0): break
        default: return nil
        }
        return RedisClientError(.unsupportedCommand, "\(command.name) is not answered by one reply.")
    }

    /// Whether it must not wait behind the script that it is to end.
    static func endsScript(_ command: RESPCommand) -> Bool {
        // Asked of every command; most names are shorter.
        command.name.utf8.count >= 6 && command.argumentCount == 1 && command.hasWord("KILL", at: 0)
            && (command.isNamed("SCRIPT") || command.isNamed("FUNCTION"))
    }

    /// As a whole pipeline `MULTI … EXEC` is sent without anything in between, so it is allowed.
    static func refusal(_ pipeline: [RESPCommand]) -> RedisClientError? {
        if let command = pipeline.first(where: endsScript) {
            return RedisClientError(
                .unsupportedCommand,
                "\(command.name) KILL would wait in a pipeline for the script that it is to end; send it alone."
            )
        }
        let places = isTransaction(pipeline) ? pipeline.indices.dropFirst().dropLast() : pipeline.indices
        // By their names first: to look at the whole of each would copy it.
        for place in places where CommandKind(named: pipeline[place].name) != .ordinary {
            if let refusal = refusal(pipeline[place]) { return refusal }
        }
        return nil
    }

    static func isTransaction(_ pipeline: [RESPCommand]) -> Bool {
        guard pipeline.count > 1, let first = pipeline.first, let last = pipeline.last else { return false }
        // Servers may refuse those that have arguments, and go on queueing.
        return CommandKind(named: first.name) == .multi && CommandKind(named: last.name) == .exec
            && first.argumentCount == 0 && last.argumentCount == 0
    }

    /// Whether the server has dropped the transaction whose `EXEC` it refuses. It may have kept it before Redis 6.0.6, or
    /// where it knows no `EXEC`.
    static func endsTransaction(_ refusal: RESPError) -> Bool {
        [.executionAborted, .moved, .ask, .tryAgain, .clusterDown, .crossSlot].contains(refusal.code)
    }

    private static let changesOfClients = ["CAPA", "IMPORT-SOURCE", "NO-TOUCH", "REPLY", "TRACKING"]

    private static func isRefused(_ command: RESPCommand, _ kind: CommandKind) -> Bool {
        switch kind {
        case .ordinary: false
        case .blocking: BlockingCommand.limit(of: command) != nil
        case .client: changesOfClients.contains { command.hasWord($0, at: 0) }
        case .script: command.hasWord("DEBUG", at: 0)
        case .watch, .unwatch, .multi, .exec, .discard, .changing, .unanswered, .misnamed: true
        }
    }
}
