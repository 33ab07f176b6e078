import RESP

/// A pipeline taken apart into commands for one node each, and put together again from their replies.
struct PipelinePlan {
    struct Part {
        let command: RESPCommand
        let place: Place
        /// Which command of the pipeline it belongs to.
        var ordinal = 0
        /// Whose own answer it is to be: whoever takes its place cannot give it.
        var primary: RedisClient.Configuration.Address?

        /// Whether it tells others of what was done before it.
        var isMessage: Bool {
            (7...8).contains(command.name.utf8.count) && Self.messages.contains(command.name.commandHash)
        }

        private static let messages = ["PUBLISH".commandHash, "SPUBLISH".commandHash]

        /// `nil` where a key is no text.
        var keys: [String?] {
            var keys: [String?] = []
            CommandRule.of(command).keys.forEachPosition(in: command) { position in
                keys.append(command.argument(at: position)?.string)
            }
            return keys
        }
    }

    private enum Source {
        case whole
        case merged(ReplyMerge, positions: [[Int]])

        var isWhole: Bool {
            if case .whole = self { true } else { false }
        }
    }

    private(set) var parts: [Part] = []
    /// How each command of the pipeline was taken apart, in order.
    private var sources: [Source] = []

    /// - Parameter primaries: where commands go that speak of the whole data set.
    init(_ commands: [RESPCommand], routes: [CommandRoute], primaries: [Primary]) {
        parts.reserveCapacity(commands.count)
        sources.reserveCapacity(commands.count)
        for (command, route) in zip(commands, routes) {
            switch route {
            case .one(let place):
                parts.append(Part(command: command, place: place, ordinal: sources.count))
                sources.append(.whole)
            case .everyPrimary(let merge):
                for primary in primaries {
                    var part = Part(command: command, place: primary.place, ordinal: sources.count)
                    // What changes data is not done again for others.
                    if merge != .allSucceeded { part.primary = primary.address }
                    parts.append(part)
                }
                sources.append(.merged(merge, positions: primaries.map { _ in [] }))
            case .primariesInTurn:
                sources.append(turn(command, among: primaries))
            case .parts(let keys, let merge):
                sources.append(.merged(merge, positions: split(command, keys)))
            }
        }
    }

    private mutating func turn(_ command: RESPCommand, among primaries: [Primary]) -> Source {
        let cursor = ClusterCursor(command.argument(at: 0)?.string ?? "", primaries: primaries.map(\.address))
        guard let primary = primaries.first(where: { $0.address == cursor.primary }) else {
            return .merged(.page(cursor), positions: [])
        }
        var page = RESPCommand(command.name, cursor.cursor)
        page.append(contentsOf: command.arguments.dropFirst())
        page.isReadOnly = command.isReadOnly
        parts.append(Part(command: page, place: primary.place, ordinal: sources.count, primary: primary.address))
        return .merged(.page(cursor), positions: [[]])
    }

    /// - Returns: the places of each part's keys among all keys.
    private mutating func split(_ command: RESPCommand, _ keys: KeyRule) -> [[Int]] {
        guard case .range(_, _, let step) = keys else { return [] }
        var order: [Int] = []
        var pieces: [Int: (command: RESPCommand, positions: [Int])] = [:]
        var ordinal = 0
        keys.forEachPosition(in: command) { position in
            guard let key = command.argument(at: position) else { return }
            let slot = HashSlot.of(key)
            if pieces[slot] == nil {
                var piece = RESPCommand(command.name)
                piece.isReadOnly = command.isReadOnly
                pieces[slot] = (piece, [])
                order.append(slot)
            }
            for offset in 0..<step {
                if let argument = command.argument(at: position + offset) { pieces[slot]?.command.append(argument) }
            }
            pieces[slot]?.positions.append(ordinal)
            ordinal += 1
        }
        return order.compactMap { slot in
            guard let piece = pieces[slot] else { return nil }
            parts.append(Part(command: piece.command, place: .slot(slot), ordinal: sources.count))
            return piece.positions
        }
    }

    /// The pipeline's replies from those of its parts, which are in the order of ``parts``.
    func assemble(_ replies: [RESPValue]) -> [RESPValue] {
        if parts.count == sources.count, sources.allSatisfy(\.isWhole) { return replies }
        var next = replies.startIndex
        return sources.map { source in
            switch source {
            case .whole:
                defer { next += 1 }
                return replies[next]
            case .merged(let merge, let positions):
                defer { next += positions.count }
                return merge.merge(Array(replies[next..<(next + positions.count)]), positions: positions)
            }
        }
    }
}
