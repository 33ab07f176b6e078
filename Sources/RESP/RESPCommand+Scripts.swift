extension RESPCommand {
    /// Whether it runs a caller's script, whose reply may be any error that the script makes up.
    package var runsScript: Bool {
        // Most commands begin otherwise.
        guard let first = name.utf8.first.map({ $0 & 0xDF }), first == UInt8(ascii: "E") || first == UInt8(ascii: "F")
        else { return false }
        return Self.scripts.contains(name.commandHash)
    }

    private static let scripts = Set(
        ["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"].map(\.commandHash)
    )
}

extension RESPError {
    /// Whether the server knows no script by that digest. One that it knows may answer with the code, but has been run.
    var isUnknownScript: Bool { code == .noScript && message.hasPrefix("No matching script") }

    /// Whether it says, in the words of Redis, Valkey or Upstash, that the server takes no commands, or none that write,
    /// for a while. A script that makes up an error has others, if it is not out for this.
    package var isServersRefusal: Bool {
        switch code {
        case .busy: message.contains("is busy running a ")
        case .clusterDown: message.hasPrefix("The cluster is down") || message.hasPrefix("Hash slot not served")
        case .loading: message.contains("is loading the dataset")
        case .masterDown: message.hasPrefix("Link with ")
        case .readOnly:
            message.hasPrefix("You can't write against a read only ")
                || message.hasPrefix("Writes are temporarily rejected")
        case .tryAgain: message.hasPrefix("Multiple keys request during rehashing")
        default: false
        }
    }
}
