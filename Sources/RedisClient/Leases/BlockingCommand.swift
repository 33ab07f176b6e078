import RESP

/// How long a command may keep a server from answering because it waits for something to happen.
enum BlockingCommand {
    /// - Returns: the time that the command itself asks for; `nil` if it does not block.
    static func limit(of command: RESPCommand) -> BlockingLimit? {
        let arguments = command.arguments
        switch command.name.uppercased() {
        case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX":
            return seconds(arguments.last)
        case "BLMPOP", "BZMPOP":
            return seconds(arguments.first)
        case "WAIT", "WAITAOF":
            return milliseconds(arguments.last)
        case "XREAD", "XREADGROUP":
            // Not what a group, a consumer or a stream is called.
            let options = arguments.dropFirst(arguments.first?.isWord("GROUP") == true ? 3 : 0)
                .prefix { !$0.isWord("STREAMS") }
            guard let option = options.firstIndex(where: { $0.isWord("BLOCK") }) else { return nil }
            return milliseconds(options.dropFirst(option + 1 - options.startIndex).first)
        default:
            return nil
        }
    }

    private static func seconds(_ argument: RESPArgument?) -> BlockingLimit {
        // What is no number is refused by the server at once.
        let seconds = argument?.string.flatMap(Double.init) ?? 0
        return seconds > 0 && seconds < 1e9 ? .time(.milliseconds(Int64(seconds * 1000))) : .forever
    }

    private static func milliseconds(_ argument: RESPArgument?) -> BlockingLimit {
        let milliseconds = argument?.string.flatMap { Int64($0) } ?? 0
        return milliseconds > 0 ? .time(.milliseconds(milliseconds)) : .forever
    }
}

enum BlockingLimit: Equatable {
    case time(Duration)
    case forever
}

extension RESPArgument {
    fileprivate func isWord(_ word: String) -> Bool { string?.uppercased() == word }
}
