extension RESPError {
    /// Whether the server knows no script by that digest. One that it knows may answer with the code, but has been run.
    var isUnknownScript: Bool { code == .noScript && message.hasPrefix("No matching script") }

    /// Whether the server cannot read a command, as where it is too large. It reads nothing behind it, and closes the
    /// connection.
    package var isUnreadable: Bool { code == .generic && message.hasPrefix("Protocol error") }

    /// The same of a script, which may make errors up: then only the words that Redis and Valkey have for what is too
    /// large.
    package func isUnreadable(byScript runsScript: Bool) -> Bool {
        runsScript ? text == "ERR Protocol error: invalid bulk length" : isUnreadable
    }

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
