public import Freshet
public import NIOCore
import RESP

extension RedisStore {
    public func ping() async throws {
        do {
            _ = try await execute(RESPCommand("PING"))
        } catch let error as CacheError where (error.underlying as? RESPError)?.code == .misconfigured {
            // A server whose snapshot failed refuses this as it does writes, and answers reads.
        }
    }

    public func get(_ key: String) async throws -> ByteBuffer? {
        try Self.bytes(try await execute(RESPCommand("GET", key)), "GET")
    }

    public func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        guard !keys.isEmpty else { return [] }
        let values = try await execute(RESPCommand("MGET", arguments: keys)).array
        guard let values, values.count == keys.count else { throw Self.unexpected("MGET") }
        return try values.map { try Self.bytes($0, "MGET") }
    }

    public func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        var command = RESPCommand("SET", key, value)
        switch options.expiry {
        case .never: break
        case .after(let time): command.append(contentsOf: ["PX", Self.milliseconds(time)] as [RESPArgument])
        case .keep: command.append("KEEPTTL")
        }
        switch options.condition {
        case .always: break
        case .ifMissing: command.append("NX")
        case .ifPresent: command.append("XX")
        }
        return try await !execute(command).isNull
    }

    public func del(_ keys: [String]) async throws -> Int {
        keys.isEmpty ? 0 : try await count(RESPCommand("DEL", arguments: keys))
    }

    public func exists(_ keys: [String]) async throws -> Int {
        keys.isEmpty ? 0 : try await count(RESPCommand("EXISTS", arguments: keys))
    }

    public func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        Int64(try await count(RESPCommand("INCRBY", key, Int(amount))))
    }

    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        let command =
            time > .zero ? RESPCommand("PEXPIRE", key, Self.milliseconds(time)) : RESPCommand("DEL", key)
        return try await count(command) > 0
    }

    public func ttl(_ key: String) async throws -> TimeToLive {
        switch try await count(RESPCommand("PTTL", key)) {
        case -1: .unlimited
        case let rest where rest >= 0: .remaining(.milliseconds(rest))
        default: .missing
        }
    }

    public func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try Self.bytes(try await execute(RESPCommand("HGET", key, field)), "HGET")
    }

    public func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        guard !fields.isEmpty else { return 0 }
        var command = RESPCommand("HSET", key)
        // Over REST a command carries one value that is not text.
        var single: [RESPCommand] = []
        for (name, value) in fields {
            if dialect == .upstash, fields.count > 1, RESPArgument.bytes(value).string == nil {
                single.append(RESPCommand("HSET", key, name, value))
            } else {
                command.append(name)
                command.append(value)
            }
        }
        guard !single.isEmpty else { return try await count(command) }
        if command.argumentCount > 1 { single.append(command) }
        var added = 0
        for command in single { added += try await count(command) }
        return added
    }

    public func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        guard let pairs = try await execute(RESPCommand("HGETALL", key)).pairs else { throw Self.unexpected("HGETALL") }
        var fields: [String: ByteBuffer] = [:]
        for pair in pairs {
            // Names that are no text would be taken for each other.
            guard let name = pair.key.string, let value = pair.value.bytes else { throw Self.unexpected("HGETALL") }
            fields[name] = value
        }
        return fields
    }

    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        guard !fields.isEmpty else { return 0 }
        var command = RESPCommand("HDEL", key)
        command.append(contentsOf: fields)
        return try await count(command)
    }

    private func count(_ command: RESPCommand) async throws -> Int {
        guard let count = try await execute(command).integer else { throw Self.unexpected(command.name) }
        return count
    }

    static func bytes(_ value: RESPValue, _ operation: String) throws -> ByteBuffer? {
        if value.isNull { return nil }
        guard let bytes = value.bytes else { throw unexpected(operation) }
        return bytes
    }

    /// Whole milliseconds, at least one: a server refuses less.
    static func milliseconds(_ time: Duration) -> RESPArgument { .integer(Int(max(1, time.clampedMilliseconds))) }
}
