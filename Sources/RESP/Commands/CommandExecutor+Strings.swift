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

    /// `INCRBY`: the number afterwards.
    @discardableResult
    public func incr(_ key: String, by amount: Int = 1) async throws -> Int {
        try await execute(RESPCommand("INCRBY", key, amount), as: "a number", \.integer)
    }

    /// `PUBLISH`: how many subscribers the server handed the message to.
    @discardableResult
    public func publish(_ message: some RESPArgumentConvertible, to channel: String) async throws -> Int {
        try await execute(RESPCommand("PUBLISH", channel, message), as: "a number", \.integer)
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
