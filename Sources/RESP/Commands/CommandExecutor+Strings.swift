public import NIOCore

/// Commands with their types; for all others there is ``CommandExecutor/execute(_:)``, whose errors they throw, and
/// ``UnexpectedReplyError`` for a reply of another type.
extension CommandExecutor {
    /// `GET`: the bytes at a key, `nil` if it is not there.
    public func get(_ key: String) async throws -> ByteBuffer? {
        try await execute(RESPCommand("GET", key), as: "a string", Self.optionalBytes)
    }

    /// `SET`: stores a value.
    ///
    /// - Returns: `false` if the condition was not met.
    @discardableResult
    public func set(
        _ key: String,
        to value: some RESPArgumentConvertible,
        expiry: SetExpiry = .none,
        onlyIf condition: SetCondition? = nil
    ) async throws -> Bool {
        var command = RESPCommand("SET", key, value)
        switch expiry {
        case .none: break
        case .after(let time): command.append(contentsOf: ["PX", .integer(time.wholeMilliseconds)] as [RESPArgument])
        case .keep: command.append("KEEPTTL")
        }
        switch condition {
        case .absent: command.append("NX")
        case .present: command.append("XX")
        case nil: break
        }
        return try await execute(command, as: "OK or nothing") { $0.isNull ? false : $0.string.map { _ in true } }
    }

    /// `MGET`: the bytes at several keys, in their order.
    public func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        if keys.isEmpty { return [] }
        return try await execute(RESPCommand("MGET", arguments: keys), as: "an array") { reply in
            reply.array.flatMap { $0.count == keys.count ? $0.map(\.bytes) : nil }
        }
    }

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

    /// `INCRBY`: the number afterwards.
    @discardableResult
    public func incr(_ key: String, by amount: Int = 1) async throws -> Int {
        try await execute(RESPCommand("INCRBY", key, amount), as: "a number", \.integer)
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

    /// `PUBLISH`: how many subscribers the server handed the message to.
    @discardableResult
    public func publish(_ message: some RESPArgumentConvertible, to channel: String) async throws -> Int {
        try await execute(RESPCommand("PUBLISH", channel, message), as: "a number", \.integer)
    }

    static func optionalBytes(_ reply: RESPValue) -> ByteBuffer?? {
        reply.isNull ? .some(nil) : reply.bytes.map { $0 }
    }

    /// - Parameter read: gives `nil` for a reply of another type.
    func execute<Value>(
        _ command: RESPCommand,
        as expected: String,
        _ read: (RESPValue) -> Value?
    ) async throws -> Value {
        guard let value = read(try await execute(command)) else {
            throw UnexpectedReplyError(command: command, expected: expected)
        }
        return value
    }
}

/// How long a value lasts that is stored.
public enum SetExpiry: Sendable, Hashable {
    case none
    /// From now on; rounded up to a millisecond, also from zero or less, and at most a hundred years.
    case after(Duration)
    /// As long as the value before it would have.
    case keep
}

/// When a value is stored.
public enum SetCondition: Sendable, Hashable {
    /// If there is none.
    case absent
    /// If there is one.
    case present
}

/// What is left of a key's time.
public enum KeyLifetime: Sendable, Hashable {
    case absent
    case unlimited
    case left(Duration)
}

extension Duration {
    /// Rounded up, so that no time at all does not become "now" by mistake; at most a hundred years.
    fileprivate var wholeMilliseconds: Int {
        let limited = min(max(self, .milliseconds(1)), .seconds(100 * 365 * 86_400))
        let (seconds, attoseconds) = limited.components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
