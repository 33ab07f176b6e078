import RESP

/// What sentinels have said, and which server is the primary by it. Pure.
///
/// Each failover has a larger epoch than those before. A sentinel that missed the last one still names the old primary,
/// with the old epoch, so that a larger epoch counts at once, and the same or a smaller one only as what most say when
/// all were asked. The first answer of all has nothing to be larger than, and waits for others.
struct SentinelView {
    typealias Address = RedisClient.Configuration.Address

    /// What one sentinel says.
    struct Answer: Equatable {
        var primary: Address
        var epoch: Int
        /// Who says it.
        var sentinel: Address
        /// The other sentinels that it knows.
        var others: [Address] = []
    }

    private static let maxSentinels = 64

    /// Those that were known at the start.
    private let seeds: [Address]
    private(set) var sentinels: [Address]
    private(set) var primary: Address?
    private var epoch = -1
    private var answers: [Answer] = []
    /// Sentinels before the answers of the round.
    private var known = 0

    init(sentinels: [Address]) {
        seeds = sentinels
        self.sentinels = sentinels
    }

    mutating func beginRound() {
        answers = []
        known = sentinels.count
    }

    /// Whether most have answered.
    var hasMajority: Bool { answers.count > known / 2 }

    /// - Returns: whether the primary is another than before.
    mutating func hear(_ answer: Answer) -> Bool {
        answers.append(answer)
        learn(answer.others)
        // The fastest may be the one that missed the last failover.
        if primary == nil { return hasMajority && acceptMost() }
        return answer.epoch > epoch && accept(answer)
    }

    private mutating func learn(_ others: [Address]) {
        for other in others where !sentinels.contains(other) && sentinels.count < Self.maxSentinels {
            sentinels.append(other)
        }
    }

    /// All sentinels have answered that do. If most did, others that nobody names any longer are forgotten.
    ///
    /// - Parameter isLost: whether the primary cannot be reached. Then even smaller epochs are believed, which
    ///   sentinels have after they were set up anew, if most of them agree.
    /// - Returns: whether the primary is another than before.
    mutating func endRound(isLost: Bool) -> Bool {
        guard let latest = answers.map(\.epoch).max() else { return false }
        if hasMajority {
            sentinels = seeds
            for answer in answers { learn([answer.sentinel] + answer.others) }
        }
        return (latest == epoch || isLost) && acceptMost()
    }

    /// Believes what most of those say that know of the latest failover.
    private mutating func acceptMost() -> Bool {
        guard let latest = answers.map(\.epoch).max() else { return false }
        var votes: [Address: Int] = [:]
        for answer in answers where answer.epoch == latest { votes[answer.primary, default: 0] += 1 }
        let most = votes.values.max() ?? 0
        // A few that missed a failover must not bring the old primary back.
        if latest < epoch, most <= known / 2 { return false }
        // Who is the primary already stays it when as many say so.
        if let primary, votes[primary] == most { return false }
        guard let answer = answers.first(where: { $0.epoch == latest && votes[$0.primary] == most }) else {
            return false
        }
        return accept(answer)
    }

    private mutating func accept(_ answer: Answer) -> Bool {
        epoch = answer.epoch
        defer { primary = answer.primary }
        return primary != answer.primary
    }
}

extension SentinelView.Answer {
    /// The questions that ``init(_:from:)`` reads the replies to.
    static func questions(_ name: String) -> [RESPCommand] {
        [
            RESPCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), RESPCommand("SENTINEL", "MASTER", name),
            RESPCommand("SENTINEL", "SENTINELS", name),
        ]
    }

    /// - Parameter sentinel: the one that answered.
    /// - Throws: ``RedisClientError/Code/connectFailed`` if it does not know the name,
    ///   ``RedisClientError/Code/authenticationFailed`` if the user may not ask; `RESPError`.
    init(_ replies: [RESPValue], from sentinel: RedisClient.Configuration.Address) throws {
        guard replies.count == 3 else { throw Self.unreadable }
        if let refusal = replies[0].error, refusal.code == .noPermission {
            throw RedisClientError(
                .authenticationFailed,
                "The sentinel does not let the user run SENTINEL GET-MASTER-ADDR-BY-NAME; its ACL has to allow "
                    + "+sentinel|get-master-addr-by-name.",
                underlying: refusal
            )
        }
        let address = try replies[0].get()
        if address.isNull {
            throw RedisClientError(.connectFailed, "The sentinel watches no primary of that name.")
        }
        guard let parts = address.array, parts.count == 2, let host = parts[0].string, let port = parts[1].integer,
            (1...65_535).contains(port)
        else { throw Self.unreadable }
        // Whoever may ask for no more than the address counts by what most say.
        let isSecret = replies[1].error?.code == .noPermission
        guard let epoch = isSecret ? 0 : Self.fields(try replies[1].get())["config-epoch"].flatMap({ Int($0) }) else {
            throw Self.unreadable
        }
        primary = .announced(host: host.isEmpty ? nil : host, port: port, by: sentinel)
        self.epoch = epoch
        self.sentinel = sentinel
        others = (replies[2].array ?? []).compactMap { entry in
            let fields = Self.fields(entry)
            guard let host = fields["ip"], !host.isEmpty, let port = fields["port"].flatMap({ Int($0) }),
                (1...65_535).contains(port)
            else { return nil }
            return .hostname(host, port: port)
        }
    }

    private static func fields(_ value: RESPValue) -> [String: String] {
        let pairs = (value.pairs ?? []).compactMap { pair in
            pair.key.string.flatMap { key in pair.value.string.map { (key, $0) } }
        }
        return Dictionary(pairs) { first, _ in first }
    }

    private static var unreadable: RedisClientError {
        RedisClientError(.protocolViolation, "The sentinel's answer cannot be understood.")
    }
}
