extension CacheService {
    /// What became of a ``set(_:_:options:)``.
    public enum SetOutcome: Sendable, Hashable {
        case stored
        /// Its condition did not hold.
        case refused
        /// The store failed, or the value has no JSON form.
        case failed
    }

    /// The value at a key; nil if there is none, it does not decode, or the store fails.
    ///
    /// As `String`, a value that is no JSON string gives its raw text.
    public func get<Value: Decodable & Sendable>(
        _ key: String,
        as type: Value.Type = Value.self
    ) async throws -> Value? {
        try await lenient(.get, else: nil) { try await $0.bytes(key) }.flatMap { try? decode($0, as: type) }
    }

    /// The values of many keys in one round trip, in their order.
    public func mget<Value: Decodable & Sendable>(
        _ keys: [String],
        as type: Value.Type = Value.self
    ) async throws -> [Value?] {
        try await lenient(.mget, else: Array(repeating: nil, count: keys.count)) { try await $0.bytes(keys) }
            .map { $0.flatMap { try? decode($0, as: type) } }
    }

    /// Stores a value.
    @discardableResult
    public func set(
        _ key: String,
        _ value: some Encodable & Sendable,
        options: CacheOptions
    ) async throws -> SetOutcome {
        try await lenient(.set, else: .failed) { try await $0.set(key, value, options: options) }
    }

    /// Stores a value, with options in Redis' words: ``CacheOptions/init(ex:px:nx:xx:keepTTL:)``.
    ///
    /// - Throws: `CacheError` with `invalidArgument` where options contradict each other or a time is not from 1 to 2^50.
    @discardableResult
    public func set(
        _ key: String,
        _ value: some Encodable & Sendable,
        ex: Int? = nil,
        px: Int? = nil,
        nx: Bool = false,
        xx: Bool = false,
        keepTTL: Bool = false
    ) async throws -> SetOutcome {
        try await set(key, value, options: CacheOptions(ex: ex, px: px, nx: nx, xx: xx, keepTTL: keepTTL))
    }

    /// Deletes keys.
    ///
    /// - Returns: how many of them there were; 0 if the store fails.
    @discardableResult
    public func del(_ keys: String...) async throws -> Int { try await del(keys) }

    /// Deletes keys.
    ///
    /// - Returns: how many of them there were; 0 if the store fails.
    @discardableResult
    public func del(_ keys: [String]) async throws -> Int {
        try await lenient(.del, else: 0) { try await $0.del(keys) }
    }

    /// Whether there is such a key; false if the store fails.
    public func exists(_ key: String) async throws -> Bool {
        try await lenient(.exists, else: false) { try await $0.exists(key) }
    }

    /// Adds to the integer at a key, 0 if there is none, and keeps its expiry.
    ///
    /// - Returns: the sum; 0 if the store fails, the value is no integer, or the sum does not fit 64 bits.
    @discardableResult
    public func incr(_ key: String, by amount: Int = 1) async throws -> Int {
        try await lenient(.incr, else: 0) { try await $0.incr(key, by: amount) }
    }

    /// Sets when a key expires; a time that is not positive deletes it.
    ///
    /// - Returns: whether there is such a key; false if the store fails.
    @discardableResult
    public func expire(_ key: String, seconds: Int) async throws -> Bool {
        try await expire(key, after: .seconds(seconds))
    }

    /// Sets when a key expires; a time that is not positive deletes it.
    ///
    /// - Returns: whether there is such a key; false if the store fails.
    @discardableResult
    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await lenient(.expire, else: false) { try await $0.expire(key, after: time) }
    }

    /// What is left of a key's life, in seconds to the nearest.
    ///
    /// - Returns: -1 if it does not expire, -2 if there is no such key, 0 if the store fails.
    public func ttl(_ key: String) async throws -> Int {
        try await lenient(.ttl, else: 0) { try await $0.ttl(key) }
    }

    /// The value of a hash's field, as ``get(_:as:)`` would give it.
    public func hget<Value: Decodable & Sendable>(
        _ key: String,
        _ field: String,
        as type: Value.Type = Value.self
    ) async throws -> Value? {
        try await lenient(.hget, else: nil) { try await $0.bytes(key, field) }.flatMap { try? decode($0, as: type) }
    }

    /// Sets a field of a hash, which is made if need be.
    ///
    /// - Returns: 1 if the field is new; 0 if it is not, the store fails, or the value has no JSON form.
    @discardableResult
    public func hset(_ key: String, _ field: String, _ value: some Encodable & Sendable) async throws -> Int {
        try await hset(key, [field: value])
    }

    /// Sets fields of a hash, which is made if need be.
    ///
    /// - Returns: how many of them are new; 0 if the store fails, or a value has no JSON form.
    @discardableResult
    public func hset(_ key: String, _ fields: [String: some Encodable & Sendable]) async throws -> Int {
        try await lenient(.hset, else: 0) { try await $0.hset(key, fields) }
    }

    /// The fields of a hash, without those that do not decode; empty if there is none or the store fails.
    ///
    /// Names that differ only in Unicode form (é as one scalar or two) are one key of the dictionary; whose value it has is
    /// not defined.
    public func hgetall<Value: Decodable & Sendable>(
        _ key: String,
        as type: Value.Type = Value.self
    ) async throws -> [String: Value] {
        try await lenient(.hgetall, else: [:]) { try await $0.allBytes(key) }
            .compactMapValues { try? decode($0, as: type) }
    }

    /// Deletes fields of a hash, which goes with its last one.
    ///
    /// - Returns: how many of them there were; 0 if the store fails.
    @discardableResult
    public func hdel(_ key: String, _ fields: String...) async throws -> Int { try await hdel(key, fields) }

    /// Deletes fields of a hash, which goes with its last one.
    ///
    /// - Returns: how many of them there were; 0 if the store fails.
    @discardableResult
    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        try await lenient(.hdel, else: 0) { try await $0.hdel(key, fields) }
    }
}
