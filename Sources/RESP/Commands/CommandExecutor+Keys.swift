extension CommandExecutor {
    /// `DEL`: how many of the keys were there.
    @discardableResult
    public func del(_ keys: String...) async throws -> Int {
        if keys.isEmpty { return 0 }
        return try await execute(RESPCommand("DEL", arguments: keys), as: "a number", \.integer)
    }

    /// `EXISTS`: whether the key is there.
    public func exists(_ key: String) async throws -> Bool {
        try await execute(RESPCommand("EXISTS", key), as: "a number", \.integer) > 0
    }

    /// `PEXPIRE`: whether the key is there. The time is rounded up to a millisecond, also from zero or less, which so does
    /// not delete the key; at most a hundred years.
    @discardableResult
    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await execute(RESPCommand("PEXPIRE", key, time.wholeMilliseconds), as: "0 or 1", \.boolean)
    }

    /// `PTTL`: what is left of a key's time.
    public func ttl(_ key: String) async throws -> KeyLifetime {
        switch try await execute(RESPCommand("PTTL", key), as: "a number", \.integer) {
        case -2: .absent
        case -1: .unlimited
        case let left: .left(.milliseconds(left))
        }
    }
}

/// What is left of a key's time.
public enum KeyLifetime: Sendable, Hashable {
    case absent
    case unlimited
    case left(Duration)
}
