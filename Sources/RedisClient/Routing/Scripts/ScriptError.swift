import RESP

/// What a script was answered with, and looks like a refusal of the server's.
///
/// A script can make up any error. If that were followed, it would send commands and the password to whatever host it
/// names, and have itself run again. So the server is asked for something that runs no script, with the same keys, by
/// which servers redirect.
struct ScriptError {
    let error: RESPError
    let question: Question

    struct Question: Hashable {
        let command: RESPCommand
        let isAsking: Bool
    }

    enum Verdict: Equatable {
        case refused(RESPError)
        /// It may have been the server, where something has changed since. To be believed once, and only as far as to ask
        /// a known server again.
        case doubtful
        case madeUp

        var isConfirmed: Bool {
            if case .refused = self { true } else { false }
        }
    }

    /// - Parameters:
    ///   - isAsking: whether the script was sent behind `ASKING`.
    ///   - mayBeReplica: whether the node answers reads though it may be a replica.
    init(_ error: RESPError, to script: RESPCommand, isAsking: Bool, mayBeReplica: Bool) {
        self.error = error
        var command = RESPCommand("EXISTS")
        KeyRule.of(script).forEachPosition(in: script) { position in
            if let key = script.argument(at: position) { command.append(key) }
        }
        if error.code == .readOnly {
            // What only reads is not refused so.
            command = RESPCommand("ROLE")
        } else if command.arguments.isEmpty {
            command = RESPCommand("PING")
        } else if !script.isReadOnly, error.code == .moved && mayBeReplica || error.isForWritesOnly {
            // Counts as a write, and writes nothing.
            command = RESPCommand("SETRANGE", command.arguments[0], 0, "")
        }
        question = Question(command: command, isAsking: isAsking)
    }

    /// - Parameters:
    ///   - answer: to the question; `nil` if none came.
    ///   - followUp: what an error asks for.
    ///   - isKnown: whether there is a server at an address.
    func verdict(
        _ answer: RESPValue?,
        followUp: (RESPError) -> FollowUp,
        isKnown: (RedisClient.Configuration.Address) -> Bool
    ) -> Verdict {
        if let refusal = answer?.error, followUp(refusal) != .answer {
            // No script can have the node that runs it lose its slot. What else has changed may be its doing.
            if refusal == error || refusal.code == .moved { return .refused(refusal) }
            return .doubtful
        }
        if error.isServersRefusal {
            let isReplica = error.code == .readOnly && answer?.array?.first?.string == "slave"
            return isReplica ? .refused(error) : .doubtful
        }
        if case .go(let redirect) = followUp(error), isKnown(redirect.target) { return .doubtful }
        return .madeUp
    }
}

extension RESPError {
    /// Whether a cluster that is down still answers reads (`cluster-allow-reads-when-down`).
    fileprivate var isForWritesOnly: Bool {
        code == .clusterDown && message.hasSuffix("only accepts read commands")
    }
}
