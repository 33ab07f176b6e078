import BoundedCache
public import NIOCore

extension MemoryStore {
    public func get(_ key: String) async throws -> ByteBuffer? {
        try record(key, at: spawner.now()).string()
    }

    public func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        let now = spawner.now()
        return keys.map { key in
            guard case .string(let bytes) = record(key, at: now).plain?.content else { return nil }
            return bytes
        }
    }

    public func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        try update(key) { record, now in
            switch options.condition {
            case .always: break
            case .ifMissing: if record.plain != nil { return false }
            case .ifPresent: if record.plain == nil { return false }
            }
            let deadline: MonotonicInstant? =
                switch options.expiry {
                case .never: nil
                case .after(let time): now + max(time, .milliseconds(1))
                case .keep: record.plain?.deadline
                }
            record.plain = MemoryStoreRecord.Plain(content: .string(value.compact), deadline: deadline)
            return true
        }
    }

    public func del(_ keys: [String]) async throws -> Int {
        try keys.reduce(0) { count, key in
            guard record(key, at: spawner.now()).plain != nil else { return count }
            return try update(key) { record, _ in
                defer { record.plain = nil }
                return record.plain == nil ? count : count + 1
            }
        }
    }

    public func exists(_ keys: [String]) async throws -> Int {
        let now = spawner.now()
        return keys.count { record($0, at: now).plain != nil }
    }

    public func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        try update(key) { record, _ in
            let text = try record.string().map { String(buffer: $0) } ?? "0"
            // As Redis reads numbers: no plus sign, no spaces, no leading zeros.
            guard let number = Int64(text), String(number) == text else {
                throw CacheError(.storeRejected, "ERR the value is not an integer or out of range")
            }
            let (sum, overflow) = number.addingReportingOverflow(amount)
            guard !overflow else { throw CacheError(.storeRejected, "ERR the sum would overflow") }
            record.plain = MemoryStoreRecord.Plain(
                content: .string(ByteBuffer(string: String(sum))),
                deadline: record.plain?.deadline
            )
            return sum
        }
    }

    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try update(key) { record, now in
            guard record.plain != nil else { return false }
            if time > .zero {
                record.plain?.deadline = now + max(time, .milliseconds(1))
            } else {
                record.plain = nil
            }
            return true
        }
    }

    public func ttl(_ key: String) async throws -> TimeToLive {
        let now = spawner.now()
        guard let plain = record(key, at: now).plain else { return .missing }
        guard let deadline = plain.deadline else { return .unlimited }
        return .remaining(deadline - now)
    }

    public func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try record(key, at: spawner.now()).hash()?.fields[field]
    }

    public func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        try await hset(key, pairs: fields.map { (name: $0.key, value: $0.value) })
    }

    /// Of fields with one name the last one is set.
    package func hset(_ key: String, pairs: [(name: String, value: ByteBuffer)]) async throws -> Int {
        if pairs.isEmpty { return 0 }
        let fields = Dictionary(pairs.map { (ExactKey($0.name), $0.value.compact) }) { _, last in last }
        return try updateHash(key) {
            $0.growth(setting: fields)
        } change: {
            $0.set(fields)
        }
    }

    public func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        Dictionary(try await fields(of: key).map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// All of them, in whatever order.
    package func fields(of key: String) async throws -> [(name: String, value: ByteBuffer)] {
        let fields = try record(key, at: spawner.now()).hash()?.fields ?? [:]
        return fields.map { (name: $0.key.text, value: $0.value) }
    }

    package func hlen(_ key: String) async throws -> Int {
        try record(key, at: spawner.now()).hash()?.fields.count ?? 0
    }

    package func hmget(_ key: String, _ fields: [String]) async throws -> [ByteBuffer?] {
        let hash = try record(key, at: spawner.now()).hash()
        return fields.map { hash?.fields[$0] }
    }

    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        if fields.isEmpty { return 0 }
        return try updateHash(key) { _ in
            0
        } change: {
            $0.remove(fields)
        }
    }
}
