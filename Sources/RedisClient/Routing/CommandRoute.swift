import RESP

/// Which node a command is for.
enum Place: Sendable, Hashable {
    case anyPrimary
    case slot(Int)
    /// Any primary will do, but all messages of a channel go to the one that has its slot: on different ways through the
    /// cluster they would overtake each other.
    case channel(slot: Int)
    /// A primary, or if it is none any longer the one that has a slot of its; even for what replicas could answer.
    case primary(RedisClient.Configuration.Address, ofSlot: Int)
    case node(RedisClient.Configuration.Address)
}

extension Place {
    /// Whether any primary would do.
    var isOnNoNode: Bool {
        switch self {
        case .anyPrimary, .channel: true
        case .slot, .primary, .node: false
        }
    }

    /// Where commands for both can be run together; `nil` if nowhere.
    func joined(with other: Place) -> Place? {
        switch (self, other) {
        case (_, .anyPrimary): self
        case (.anyPrimary, _): other
        case (_, .channel): self
        case (.channel, _): other
        default: self == other ? self : nil
        }
    }
}

/// A primary, and how to find whoever takes its place.
struct Primary: Sendable, Equatable {
    let address: RedisClient.Configuration.Address
    let place: Place
}

/// Which nodes a command is for.
enum CommandRoute: Sendable, Equatable {
    case one(Place)
    /// In parts by the slots of its keys.
    case parts(KeyRule, ReplyMerge)
    case everyPrimary(ReplyMerge)
    /// To the primary that the cursor names.
    case primariesInTurn

    /// The route of a command in a cluster.
    ///
    /// - Throws: ``RedisClientError/Code/crossSlot``.
    static func inCluster(_ command: RESPCommand) throws(RedisClientError) -> CommandRoute {
        let rule = CommandRule.of(command)
        switch rule.spread {
        case .primariesInTurn:
            return .primariesInTurn
        case .everyPrimary(let merge):
            return .everyPrimary(merge)
        case .byChannel:
            return .one(command.argument(at: 0).map { .channel(slot: HashSlot.of($0)) } ?? .anyPrimary)
        case .oneSlot, .parts:
            break
        }
        var slot: Int?
        var isCrossing = false
        rule.keys.forEachPosition(in: command) { position in
            guard let key = command.argument(at: position) else { return }
            let next = HashSlot.of(key)
            if slot == nil { slot = next } else if slot != next { isCrossing = true }
        }
        let place = slot.map { Place.slot($0) } ?? .anyPrimary
        guard isCrossing else { return .one(place) }
        if case .parts(let merge) = rule.spread {
            // A server refuses the whole where something is missing, but would do the parts where nothing is.
            return rule.keys.isComplete(in: command) ? .parts(rule.keys, merge) : .one(place)
        }
        throw RedisClientError.crossSlot("The keys of \(command.name)")
    }
}

extension RedisClientError {
    static func crossSlot(_ what: String) -> RedisClientError {
        RedisClientError(
            .crossSlot,
            "\(what) are in different slots of the cluster; give them a hash tag in common, such as {user1}."
        )
    }
}
