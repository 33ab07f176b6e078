import Freshet
import NIOCore
import RESP

/// A command that the embedded store has, in the words and shapes of Redis.
struct UpstashMemoryCommand {
    typealias Run = @Sendable (MemoryStore, [ByteBuffer]) async throws -> RESPValue

    /// How many arguments it takes.
    let arity: ClosedRange<Int>
    /// Whether it may take more memory, and so is refused when that is used up.
    let takesMemory: Bool
    let run: Run

    init(_ arity: ClosedRange<Int>, takesMemory: Bool = false, _ run: @escaping Run) {
        self.arity = arity
        self.takesMemory = takesMemory
        self.run = run
    }

    /// A request has its own limit.
    private static let many = Int.max

    static let table: [String: Self] = connection.merging(strings) { first, _ in first }
        .merging(keys) { first, _ in first }
        .merging(hashes) { first, _ in first }

    private static let connection: [String: Self] = [
        "PING": Self(0...1) { _, arguments in arguments.first.map { .bulkString($0) } ?? .simpleString("PONG") },
        "ECHO": Self(1...1) { _, arguments in .bulkString(arguments[0]) },
    ]

    private static let strings: [String: Self] = [
        "GET": Self(1...1) { store, arguments in .optional(try await store.get(text(arguments[0]))) },
        "MGET": Self(1...many) { store, arguments in
            .array(try await store.mget(arguments.map(text)).map { .optional($0) })
        },
        "SET": Self(2...many, takesMemory: true) { store, arguments in
            let options = try UpstashSetOptions.read(arguments.dropFirst(2))
            let isStored = try await store.set(text(arguments[0]), arguments[1], options: options)
            return isStored ? .simpleString("OK") : .null
        },
        "SETNX": Self(2...2, takesMemory: true) { store, arguments in
            let options = CacheOptions(condition: .ifMissing)
            return .integer(try await store.set(text(arguments[0]), arguments[1], options: options) ? 1 : 0)
        },
        "SETEX": Self(3...3, takesMemory: true) { store, arguments in
            let expiry = try UpstashSetOptions.expiry(seconds: arguments[1], of: "setex")
            _ = try await store.set(text(arguments[0]), arguments[2], options: CacheOptions(expiry: expiry))
            return .simpleString("OK")
        },
        "PSETEX": Self(3...3, takesMemory: true) { store, arguments in
            let expiry = try UpstashSetOptions.expiry(milliseconds: arguments[1], of: "psetex")
            _ = try await store.set(text(arguments[0]), arguments[2], options: CacheOptions(expiry: expiry))
            return .simpleString("OK")
        },
        "STRLEN": Self(1...1) { store, arguments in
            .integer(try await store.get(text(arguments[0]))?.readableBytes ?? 0)
        },
        "INCR": Self(1...1, takesMemory: true) { store, arguments in try await add(1, to: arguments[0], store) },
        "DECR": Self(1...1, takesMemory: true) { store, arguments in try await add(-1, to: arguments[0], store) },
        "INCRBY": Self(2...2, takesMemory: true) { store, arguments in
            try await add(integer(arguments[1]), to: arguments[0], store)
        },
        "DECRBY": Self(2...2, takesMemory: true) { store, arguments in
            let (amount, overflow) = Int64(0).subtractingReportingOverflow(try integer(arguments[1]))
            guard !overflow else { throw RESPError("ERR decrement would overflow") }
            return try await add(amount, to: arguments[0], store)
        },
    ]

    private static let keys: [String: Self] = [
        "DEL": Self(1...many) { store, arguments in .integer(try await store.del(arguments.map(text))) },
        "UNLINK": Self(1...many) { store, arguments in .integer(try await store.del(arguments.map(text))) },
        "EXISTS": Self(1...many) { store, arguments in .integer(try await store.exists(arguments.map(text))) },
        "EXPIRE": Self(2...many) { store, arguments in
            try refuseOptions(arguments.dropFirst(2), of: "EXPIRE")
            let time = try UpstashSetOptions.duration(seconds: arguments[1], of: "expire")
            return .integer(try await store.expire(text(arguments[0]), after: time) ? 1 : 0)
        },
        "PEXPIRE": Self(2...many) { store, arguments in
            try refuseOptions(arguments.dropFirst(2), of: "PEXPIRE")
            let time = try UpstashSetOptions.duration(milliseconds: arguments[1], of: "pexpire")
            return .integer(try await store.expire(text(arguments[0]), after: time) ? 1 : 0)
        },
        "TTL": Self(1...1) { store, arguments in
            try await .timeToLive(store.ttl(text(arguments[0]))) { ($0 + 500) / 1000 }
        },
        "PTTL": Self(1...1) { store, arguments in try await .timeToLive(store.ttl(text(arguments[0]))) { $0 } },
    ]

    private static let hashes: [String: Self] = [
        "HGET": Self(2...2) { store, arguments in
            .optional(try await store.hget(text(arguments[0]), text(arguments[1])))
        },
        "HSET": Self(3...many, takesMemory: true) { store, arguments in
            .integer(try await store.hset(text(arguments[0]), pairs: pairs(arguments, of: "hset")))
        },
        "HMSET": Self(3...many, takesMemory: true) { store, arguments in
            _ = try await store.hset(text(arguments[0]), pairs: pairs(arguments, of: "hmset"))
            return .simpleString("OK")
        },
        "HGETALL": Self(1...1) { store, arguments in
            let fields = try await store.fields(of: text(arguments[0]))
            return .array(
                fields.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
                    .flatMap { [.bulkString(ByteBuffer(string: $0)), .bulkString($1)] }
            )
        },
        "HMGET": Self(2...many) { store, arguments in
            let values = try await store.hmget(text(arguments[0]), arguments.dropFirst().map(text))
            return .array(values.map { .optional($0) })
        },
        "HDEL": Self(2...many) { store, arguments in
            .integer(try await store.hdel(text(arguments[0]), arguments.dropFirst().map(text)))
        },
        "HEXISTS": Self(2...2) { store, arguments in
            .integer(try await store.hget(text(arguments[0]), text(arguments[1])) == nil ? 0 : 1)
        },
        "HLEN": Self(1...1) { store, arguments in .integer(try await store.hlen(text(arguments[0]))) },
    ]

    // MARK: Arguments

    private static func text(_ bytes: ByteBuffer) throws -> String {
        guard let text = RESPArgument.bytes(bytes).string else {
            throw RESPError("ERR memory:// takes keys and fields that are UTF-8")
        }
        return text
    }

    /// Only as Redis writes it: `+5` and `05` are none.
    static func integer(_ bytes: ByteBuffer) throws -> Int64 {
        let text = String(buffer: bytes)
        guard let number = Int64(text), String(number) == text else {
            throw RESPError("ERR value is not an integer or out of range")
        }
        return number
    }

    private static func refuseOptions(_ options: ArraySlice<ByteBuffer>, of command: String) throws {
        let options = options.map { String(buffer: $0) }
        if let unknown = options.first(where: { !["NX", "XX", "GT", "LT"].contains($0.uppercased()) }) {
            throw RESPError("ERR Unsupported option \(unknown)")
        }
        if let option = options.first {
            throw RESPError("ERR memory:// has no option \(option.uppercased()) of \(command)")
        }
    }

    private static func pairs(
        _ arguments: [ByteBuffer],
        of command: String
    ) throws -> [(name: String, value: ByteBuffer)] {
        guard arguments.count % 2 == 1 else {
            throw RESPError("ERR wrong number of arguments for '\(command)' command")
        }
        return try stride(from: 1, to: arguments.count, by: 2).map { index in
            (name: try text(arguments[index]), value: arguments[index + 1])
        }
    }

    private static func add(_ amount: Int64, to key: ByteBuffer, _ store: MemoryStore) async throws -> RESPValue {
        .integer(Int(try await store.incr(text(key), by: amount)))
    }
}

extension RESPValue {
    fileprivate static func optional(_ bytes: ByteBuffer?) -> RESPValue { bytes.map { .bulkString($0) } ?? .null }

    /// - Parameter convert: from milliseconds.
    fileprivate static func timeToLive(_ time: TimeToLive, _ convert: (Int) -> Int) -> RESPValue {
        switch time {
        case .missing: .integer(-2)
        case .unlimited: .integer(-1)
        case .remaining(let left): .integer(convert(max(0, Int(left / .milliseconds(1)))))
        }
    }
}
