import RESP

/// How often commands read the same again, by which a short request may become a long job.
enum UpstashRepetitions {
    /// At once, for the token that may only read. As many requests would do the same.
    static let limit = 100
    /// They are small beside what a key may hold.
    private static let drawnMembersInOne = 10
    /// A set that is combined with itself is worse than one that is read: half a second for a million members.
    private static let weightOfCombined = 10
    static let drawnMembersLimit = limit * drawnMembersInOne

    /// How many of the commands, from the first on, may run at once. One by itself is looked at as any command is.
    static func fitting(_ commands: ArraySlice<RESPCommand>) -> Int {
        guard commands.count > 1 else { return commands.count }
        var sum = 0
        var read: Set<RESPArgument> = []
        let fitting = commands.prefix { command in
            var again = 0
            KeyRule.of(command).forEachPosition(in: command) { position in
                if let key = command.argument(at: position), !read.insert(key).inserted { again += 1 }
            }
            sum += max(again, count(in: command))
            return sum <= limit
        }
        return fitting.count
    }

    /// - Parameter command: with its name in capitals.
    static func count(in command: RESPCommand) -> Int {
        let traits = UpstashCommandTraits.of(command.name)
        if traits.contains(.draws) {
            // Without a sign no member is drawn twice; what is no number is for Redis to refuse.
            guard let count = command.argument(at: 1)?.string.flatMap({ Int($0) }), count < 0 else { return 0 }
            let each = command.hasWord("WITHVALUES", at: 2) ? 1 : drawnMembersInOne
            let drawn = Int(min(count.magnitude, UInt(drawnMembersLimit + each)))
            return (drawn + each - 1) / each
        }
        guard traits.contains(.repeats) else { return 0 }
        let keys = KeyRule.of(command)
        var named = 0
        var different = Set<RESPArgument>(minimumCapacity: command.argumentCount)
        // Behind the only key there are fields, patterns or paths.
        (keys == .first ? .all : keys).forEachPosition(in: command) { position in
            guard let argument = command.argument(at: position) else { return }
            named += 1
            different.insert(argument)
        }
        // It goes through the first set for each of the others, be they there or not.
        if command.name == "SDIFF" { return max(0, named - 1) }
        return (named - different.count) * (traits.contains(.combines) ? weightOfCombined : 1)
    }
}
