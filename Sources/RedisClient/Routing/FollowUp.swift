import RESP

/// What to do about a server's error. Pure.
enum FollowUp: Equatable {
    /// It is the command's answer.
    case answer
    /// The command was not run here but would be there.
    case go(Redirect)
    /// The command was not run, and may be in a moment, here or elsewhere.
    case wait

    /// - Parameter node: the one that answered.
    init(_ error: RESPError, from node: RedisClient.Configuration.Address) {
        switch error.code {
        case .moved, .ask:
            self = Redirect(error, from: node).map { .go($0) } ?? .answer
        case .tryAgain, .clusterDown, .loading, .masterDown, .readOnly:
            self = .wait
        default:
            self = .answer
        }
    }
}

/// Where a server sends a client: `MOVED 3999 127.0.0.1:6381` for good, `ASK …` for the next command only.
struct Redirect: Equatable {
    let slot: Int
    let target: RedisClient.Configuration.Address
    let isAsk: Bool

    /// - Parameter node: the one that answered; its host stands for one that is left out.
    init?(_ error: RESPError, from node: RedisClient.Configuration.Address) {
        let parts = error.message.split(separator: " ")
        guard parts.count >= 2, let slot = Int(parts[0]), (0..<HashSlot.count).contains(slot),
            let colon = parts[1].lastIndex(of: ":"),
            let port = Int(parts[1][parts[1].index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = parts[1][..<colon]
        self.slot = slot
        isAsk = error.code == .ask
        target = .announced(host: host.isEmpty || host == "?" ? nil : String(host), port: port, by: node)
    }
}

extension RedisClient.Configuration.Address {
    /// An address as a server tells it; without a host it is the server's own.
    static func announced(host: String?, port: Int, by node: Self) -> Self {
        if let host { return .hostname(host, port: port) }
        guard case .hostname(let own, _) = node else { return .hostname("127.0.0.1", port: port) }
        return .hostname(own, port: port)
    }
}
