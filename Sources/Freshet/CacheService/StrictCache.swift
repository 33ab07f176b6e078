import NIOCore

/// The operations of a ``CacheService`` without its fallbacks: a failing store is thrown, and so is a value that does
/// not decode or has no JSON form (`invalidValue`). Otherwise each does what its namesake there does.
public struct StrictCache: Sendable {
    let service: CacheService

    /// As ``CacheService/get(_:as:)``: the value; nil if there is none.
    public func get<Value: Decodable & Sendable>(
        _ key: String,
        as type: Value.Type = Value.self
    ) async throws -> Value? {
        try await bytes(key).map { try service.decode($0, as: type) }
    }

    /// As ``CacheService/mget(_:as:)``: the values, in the order of their keys.
    public func mget<Value: Decodable & Sendable>(
        _ keys: [String],
        as type: Value.Type = Value.self
    ) async throws -> [Value?] {
        try await bytes(keys).map { try $0.map { try service.decode($0, as: type) } }
    }

    /// - Returns: `stored` or `refused`.
    @discardableResult
    public func set(
        _ key: String,
        _ value: some Encodable & Sendable,
        options: CacheOptions
    ) async throws -> CacheService.SetOutcome {
        try await write([key]) { store in
            let bytes = try StoredJSON.encode(value)
            return try await store.set(key, bytes, options: options) ? .stored : .refused
        }
    }

    /// As ``CacheService/set(_:_:ex:px:nx:xx:keepTTL:)``: `stored` or `refused`.
    @discardableResult
    public func set(
        _ key: String,
        _ value: some Encodable & Sendable,
        ex: Int? = nil,
        px: Int? = nil,
        nx: Bool = false,
        xx: Bool = false,
        keepTTL: Bool = false
    ) async throws -> CacheService.SetOutcome {
        try await set(key, value, options: CacheOptions(ex: ex, px: px, nx: nx, xx: xx, keepTTL: keepTTL))
    }

    /// Deletes keys: how many of them there were.
    @discardableResult
    public func del(_ keys: String...) async throws -> Int { try await del(keys) }

    /// Deletes keys: how many of them there were.
    @discardableResult
    public func del(_ keys: [String]) async throws -> Int {
        try await write(keys) { keys.isEmpty ? 0 : try await $0.del(keys) }
    }

    /// As ``CacheService/exists(_:)``: whether there is such a key.
    public func exists(_ key: String) async throws -> Bool { try await readable([key]).exists([key]) > 0 }

    /// As ``CacheService/incr(_:by:)``: the sum.
    ///
    /// - Throws: `storeRejected`, too, where the value is no integer, or the sum does not fit 64 bits.
    @discardableResult
    public func incr(_ key: String, by amount: Int = 1) async throws -> Int {
        Int(clamping: try await write([key]) { try await $0.incr(key, by: Int64(amount)) })
    }

    /// As ``CacheService/expire(_:seconds:)``: whether there is such a key; a time that is not positive deletes it.
    @discardableResult
    public func expire(_ key: String, seconds: Int) async throws -> Bool {
        try await expire(key, after: .seconds(seconds))
    }

    /// As ``CacheService/expire(_:after:)``: whether there is such a key; a time that is not positive deletes it.
    @discardableResult
    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await write([key]) { try await $0.expire(key, after: time) }
    }

    /// As ``CacheService/ttl(_:)``: seconds; -1 if it does not expire, -2 if there is no such key.
    public func ttl(_ key: String) async throws -> Int {
        switch try await readable([key]).ttl(key) {
        case .missing: -2
        case .unlimited: -1
        case .remaining(let time): Int(clamping: (time + .milliseconds(500)).components.seconds)
        }
    }

    /// As ``CacheService/hget(_:_:as:)``: the value of a hash's field; nil if there is none.
    public func hget<Value: Decodable & Sendable>(
        _ key: String,
        _ field: String,
        as type: Value.Type = Value.self
    ) async throws -> Value? {
        try await bytes(key, field).map { try service.decode($0, as: type) }
    }

    /// As ``CacheService/hset(_:_:_:)``: 1 if the field is new, else 0.
    @discardableResult
    public func hset(_ key: String, _ field: String, _ value: some Encodable & Sendable) async throws -> Int {
        try await hset(key, [field: value])
    }

    /// As ``CacheService/hset(_:_:)``: how many of the fields are new.
    @discardableResult
    public func hset(_ key: String, _ fields: [String: some Encodable & Sendable]) async throws -> Int {
        try await write([key]) { store in
            let bytes = try fields.mapValues { try StoredJSON.encode($0) }
            return bytes.isEmpty ? 0 : try await store.hset(key, bytes)
        }
    }

    /// As ``CacheService/hgetall(_:as:)``: the fields of a hash; empty if there is none.
    public func hgetall<Value: Decodable & Sendable>(
        _ key: String,
        as type: Value.Type = Value.self
    ) async throws -> [String: Value] {
        try await allBytes(key).mapValues { try service.decode($0, as: type) }
    }

    /// Deletes fields of a hash, which goes with its last one: how many of them there were.
    @discardableResult
    public func hdel(_ key: String, _ fields: String...) async throws -> Int { try await hdel(key, fields) }

    /// Deletes fields of a hash, which goes with its last one: how many of them there were.
    @discardableResult
    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        try await write([key]) { fields.isEmpty ? 0 : try await $0.hdel(key, fields) }
    }
}

extension StrictCache {
    /// - Throws: also what the store failed with before or after a load that succeeded.
    public func getOrLoad<Value: Codable & Sendable>(
        key: String,
        ttl: Duration,
        deadline: Duration = .seconds(60),
        load: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let loaded = try await service.sharedLoad(.read, key, ttl, deadline, load)
        if let failure = loaded.failure { throw failure.error }
        return loaded.value
    }

    /// - Throws: also what the store failed with before or after a load that succeeded.
    @discardableResult
    public func refresh<Value: Codable & Sendable>(
        key: String,
        ttl: Duration,
        purge: Bool = false,
        deadline: Duration = .seconds(60),
        fetch: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let loaded = try await service.sharedLoad(.refresh(purge: purge), key, ttl, deadline, fetch)
        if let failure = loaded.failure { throw failure.error }
        return loaded.value
    }
}

extension StrictCache {
    func bytes(_ key: String) async throws -> ByteBuffer? { try await readable([key]).get(key) }

    func bytes(_ keys: [String]) async throws -> [ByteBuffer?] {
        let store = try readable(keys)
        return keys.isEmpty ? [] : try await store.mget(keys)
    }

    func bytes(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try await readable([key]).hget(key, field)
    }

    func allBytes(_ key: String) async throws -> [String: ByteBuffer] { try await readable([key]).hgetall(key) }

    func readable(_ keys: [String]) throws(CacheError) -> GuardedStore {
        try service.requireReady()
        for key in keys where !(1...32_768).contains(key.utf8.count) {
            throw CacheError(.invalidArgument, "a key must have 1 to 32768 bytes, not \(key.utf8.count)")
        }
        return service.store
    }

    /// Writes so that no load that began before overwrites it.
    private func write<Answer>(
        _ keys: [String],
        _ body: (GuardedStore) async throws -> Answer
    ) async throws -> Answer {
        let store = try readable(keys)
        return try await service.loads.withWrite(to: keys) { try await body(store) }
    }
}
