package import RESP

/// How long a command may keep a server from answering because it waits for something to happen.
package enum BlockingCommand {
    /// - Returns: the time that the command itself asks for; `nil` if it does not block.
    package static func limit(of command: RESPCommand) -> BlockingLimit? {
        guard CommandKind(named: command.name) == .blocking else { return nil }
        let arguments = command.arguments
        switch command.name.uppercased() {
        case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX":
            return seconds(arguments.last)
        case "BLMPOP", "BZMPOP":
            return seconds(arguments.first)
        case "WAIT", "WAITAOF":
            return milliseconds(arguments.last)
        case "XREAD", "XREADGROUP":
            return streamLimit(arguments)
        default:
            return nil
        }
    }

    /// Options come in any order; what a group, a consumer or a stream is called is none.
    private static func streamLimit(_ arguments: [RESPArgument]) -> BlockingLimit? {
        var limit: BlockingLimit?
        var rest = arguments[...]
        while let option = rest.popFirst(), !option.isWord("STREAMS") {
            if option.isWord("BLOCK") {
                limit = milliseconds(rest.popFirst())
            } else if option.isWord("COUNT") || option.isWord("CLAIM") {
                rest = rest.dropFirst()
            } else if option.isWord("GROUP") {
                rest = rest.dropFirst(2)
            }
        }
        return limit
    }

    private static func seconds(_ argument: RESPArgument?) -> BlockingLimit {
        // What is no number is refused by the server at once.
        let seconds = argument?.string.flatMap(Double.init) ?? 0
        return seconds > 0 && seconds < 1e9 ? .time(.milliseconds(Int64(seconds * 1000))) : .forever
    }

    private static func milliseconds(_ argument: RESPArgument?) -> BlockingLimit {
        let milliseconds = argument?.string.flatMap { Int64($0) } ?? 0
        return milliseconds > 0 && milliseconds < 1_000_000_000_000 ? .time(.milliseconds(milliseconds)) : .forever
    }
}

package enum BlockingLimit: Equatable {
    case time(Duration)
    case forever

    static func + (first: Self, second: Self) -> Self {
        guard case .time(let one) = first, case .time(let other) = second else { return .forever }
        return .time(one + other)
    }
}
