package import NIOCore

/// A store that hands every operation to another one, each in the same way.
package protocol ForwardingStore: CacheStore {
    /// Runs an operation on the other store.
    func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value
}

// Public since they are witnesses of a public protocol.
extension ForwardingStore {
    public func ping() async throws { try await call(.ping) { try await $0.ping() } }

    public func get(_ key: String) async throws -> ByteBuffer? { try await call(.get) { try await $0.get(key) } }

    public func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        try await call(.mget) { try await $0.mget(keys) }
    }

    public func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        try await call(.set) { try await $0.set(key, value, options: options) }
    }

    public func del(_ keys: [String]) async throws -> Int { try await call(.del) { try await $0.del(keys) } }

    public func exists(_ keys: [String]) async throws -> Int {
        try await call(.exists) { try await $0.exists(keys) }
    }

    public func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        try await call(.incr) { try await $0.incr(key, by: amount) }
    }

    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await call(.expire) { try await $0.expire(key, after: time) }
    }

    public func ttl(_ key: String) async throws -> TimeToLive { try await call(.ttl) { try await $0.ttl(key) } }

    public func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try await call(.hget) { try await $0.hget(key, field) }
    }

    public func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        try await call(.hset) { try await $0.hset(key, fields) }
    }

    public func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        try await call(.hgetall) { try await $0.hgetall(key) }
    }

    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        try await call(.hdel) { try await $0.hdel(key, fields) }
    }
}

extension ForwardingStore {
    public func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        try await call(.read) { try await $0.readEntry(key, request) }
    }

    public func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] {
        try await call(.check) { try await $0.checkEntries(keys) }
    }

    public func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        try await call(.lease) { try await $0.leaseEntry(key, request) }
    }

    public func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        try await call(.fill) { try await $0.fillEntry(key, lease, with: fill) }
    }

    @discardableResult
    public func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool {
        try await call(.drop) { try await $0.dropEntry(key, lease) }
    }

    @discardableResult
    public func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        try await call(.fail) { try await $0.failEntry(key, lease, with: failure) }
    }

    public func releaseEntry(_ key: String, token: String) async throws {
        try await call(.release) { try await $0.releaseEntry(key, token: token) }
    }

    public func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await call(.invalidate) { try await $0.invalidateEntry(key, invalidation) }
    }
}
