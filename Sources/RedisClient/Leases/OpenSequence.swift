import RESP

/// Whether a command that is slipped in now would take part in what the caller of a leased connection has begun: in its
/// transaction, or in the place of the command that it prepares. Goes by what was sent, where ``ConnectionCleanness``
/// goes by what was answered.
struct OpenSequence {
    private var isQueueing = false
    private var isPreparing = false

    var isOpen: Bool { isQueueing || isPreparing }

    mutating func send(_ command: RESPCommand) {
        let kind = CommandKind(named: command.name)
        switch kind {
        case .multi: isQueueing = true
        case .exec, .discard: isQueueing = false
        default: break
        }
        // `ASKING` and `CLIENT CACHING` are about the next command only. Which word of `CLIENT` it is, is not worth asking.
        isPreparing = kind == .client || kind == .changing && command.name.uppercased() == "ASKING"
    }
}
