import RESP

/// What to do about a server's error. Pure.
enum FollowUp: Equatable {
    /// It is the command's answer.
    case answer
    /// The command was not run here but would be there.
    case go(Redirect)
    /// The command was not run, and may be in a moment, here or elsewhere.
    case wait(Reason)

    enum Reason {
        /// The server takes it soon.
        case busy
        /// The server takes nothing for a while; it may be replaced.
        case unavailable
        /// The server is not what it was taken for.
        case changed
    }

    /// - Parameters:
    ///   - node: the one that answered.
    ///   - known: all nodes that there are, as far as is known.
    init(
        _ error: RESPError,
        from node: RedisClient.Configuration.Address,
        among known: () -> [RedisClient.Configuration.Address] = { [] }
    ) {
        switch error.code {
        case .moved, .ask:
            guard let words = Redirect.Words(error) else {
                self = .answer
                return
            }
            self = Redirect(words, from: node, among: known).map { .go($0) } ?? .wait(.changed)
        case .tryAgain:
            self = .wait(.busy)
        case .clusterDown, .loading:
            self = .wait(.unavailable)
        case .masterDown, .readOnly:
            self = .wait(.changed)
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

    /// What a server says of it.
    fileprivate struct Words {
        let slot: Int
        /// `nil` where the server has no name to give.
        let host: Substring?
        let port: Int
        let isAsk: Bool

        init?(_ error: RESPError) {
            let parts = error.message.split(separator: " ")
            guard parts.count >= 2, let slot = Int(parts[0]), (0..<HashSlot.count).contains(slot),
                let colon = parts[1].lastIndex(of: ":"),
                let port = Int(parts[1][parts[1].index(after: colon)...]), (1...65_535).contains(port)
            else { return nil }
            let host = parts[1][..<colon]
            self.slot = slot
            self.host = host == "?" ? nil : host
            self.port = port
            isAsk = error.code == .ask
        }
    }

    /// - Parameters:
    ///   - node: the one that answered; its host stands for one that is left out.
    ///   - known: all nodes that there are, as far as is known.
    /// - Returns: `nil` if the node cannot be told from that.
    fileprivate init?(
        _ words: Words,
        from node: RedisClient.Configuration.Address,
        among known: () -> [RedisClient.Configuration.Address]
    ) {
        slot = words.slot
        isAsk = words.isAsk
        if let host = words.host {
            target = .announced(host: host.isEmpty ? nil : String(host), port: words.port, by: node)
            return
        }
        // Where a slot is for good the map tells, with the address of a node that has no name.
        guard isAsk else { return nil }
        let others = known().filter { $0 != node && $0.port == words.port }
        guard let only = others.first, others.count == 1 else { return nil }
        target = only
    }
}

extension RedisClient.Configuration.Address {
    /// An address as a server tells it; without a host it is the server's own.
    static func announced(host: String?, port: Int, by node: Self) -> Self {
        if let host { return .hostname(host, port: port) }
        guard case .hostname(let own, _) = node else { return .hostname("127.0.0.1", port: port) }
        return .hostname(own, port: port)
    }

    fileprivate var port: Int? {
        guard case .hostname(_, let port) = self else { return nil }
        return port
    }
}
