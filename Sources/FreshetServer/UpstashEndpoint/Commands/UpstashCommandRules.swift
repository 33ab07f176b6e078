import NIOCore
import RESP
import RedisClient

/// Which commands the service runs, and for whom.
enum UpstashCommandRules {
    /// Why the service does not run a command; nil where it does.
    ///
    /// - Parameter isReadOnly: whether it came with the token that may only read.
    static func refusal(
        of command: UpstashCommand,
        isReadOnly: Bool,
        limits: UpstashEndpointLimits
    ) -> UpstashRefusal? {
        let traits = command.traits
        if traits.contains(.ofConnection), !isClientInfo(command) { return .notInREST(command.name) }
        if traits.contains(.unavailable) || isScriptDebug(command) { return .notAvailable(command.name) }
        if isBlocking(command) { return UpstashRefusal("ERR BLOCK option is not allowed in REST") }
        if leavesDatabase(command) { return UpstashRefusal("ERR DB option is not allowed in REST") }
        // Introducing oneself is no command of the store.
        if isReadOnly, !traits.contains(.readable), !isClientInfo(command) { return .noPermission(command.name) }
        let size = command.command.byteCount
        if size > limits.maxCommandBytes { return .commandTooLarge(limit: limits.maxCommandBytes, actual: size) }
        let isTooMuch = isReadOnly && UpstashRepetitions.count(in: command.command) > UpstashRepetitions.limit
        return isTooMuch ? .tooManyRepetitions : nil
    }

    /// Whether the service runs all commands, and every one needs the store, as far as can be told without a look at
    /// each.
    static func allow(_ commands: UpstashCommands, isReadOnly: Bool, limits: UpstashEndpointLimits) -> Bool {
        commands.refusals.isEmpty
            && commands.traitsOfAny.isDisjoint(with: [.ofConnection, .unavailable, .depends])
            && (!isReadOnly || commands.traitsOfAll.contains(.readable))
            && (!isReadOnly || commands.traitsOfAny.isDisjoint(with: [.repeats, .draws]))
            && commands.maxBytes <= limits.maxCommandBytes
    }

    /// The answer to a command that needs no store; nil where it needs one.
    static func answer(to command: UpstashCommand) -> RESPValue? {
        isClientInfo(command) ? answer(toClientInfo: command.command.arguments) : nil
    }

    /// As Redis 7.2 answers.
    private static func answer(toClientInfo arguments: [RESPArgument]) -> RESPValue {
        let (attribute, value) = (arguments[1], arguments[2].bytes.readableBytesView)
        let name = String(buffer: attribute.bytes)
        guard ["LIB-NAME", "LIB-VER"].contains(where: attribute.isWord) else {
            return .error(RESPError("ERR Unrecognized option '\(name)'"))
        }
        guard value.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return .error(RESPError("ERR \(name) cannot contain spaces, newlines or special characters."))
        }
        return .simpleString("OK")
    }

    /// SDKs introduce themselves; servers before 7.2 do not know it, and the connection is not theirs.
    private static func isClientInfo(_ command: UpstashCommand) -> Bool {
        isSubcommand(command, "CLIENT", "SETINFO") && command.command.argumentCount == 3
    }

    private static func isScriptDebug(_ command: UpstashCommand) -> Bool { isSubcommand(command, "SCRIPT", "DEBUG") }

    private static func isSubcommand(_ command: UpstashCommand, _ name: String, _ subcommand: String) -> Bool {
        command.traits.contains(.depends) && command.name == name
            && command.command.hasWord(subcommand, at: 0)
    }

    private static func leavesDatabase(_ command: UpstashCommand) -> Bool {
        guard command.traits.contains(.depends), command.name == "COPY" else { return false }
        return command.command.arguments.dropFirst(2).contains { $0.isWord("DB") }
    }

    private static func isBlocking(_ command: UpstashCommand) -> Bool {
        command.traits.contains(.depends) && BlockingCommand.limit(of: command.command) != nil
    }
}
