public import NIOCore

/// Keys and bytes, in the words of Redis. ``CacheService`` gives it values, fallbacks and deadlines.
///
/// Every operation throws ``CacheError``: `storeUnavailable` or `storeTimedOut` where the store may be back later,
/// `storeRejected` where it answered with an error (a hash command on a string, say).
///
/// A store that puts a prefix before the keys of another needs a ``Backplane`` that takes it off again.
public protocol KeyValueStore: Sendable {
    /// Whether the store lives in this process and never waits for anything outside it. The default is `false`.
    ///
    /// Its operations are then called directly, without the deadline and the circuit breaker that other stores need.
    var isLocal: Bool { get }

    /// Proves that the store answers.
    func ping() async throws

    func get(_ key: String) async throws -> ByteBuffer?

    /// The values of many keys, in their order; nil also for those that are no strings.
    func mget(_ keys: [String]) async throws -> [ByteBuffer?]

    /// - Returns: whether it was stored; `false` if its condition refused it.
    func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool

    /// - Returns: how many of the keys there were.
    func del(_ keys: [String]) async throws -> Int

    /// - Returns: how many of the keys there are; one named twice counts twice.
    func exists(_ keys: [String]) async throws -> Int

    /// Adds to the integer at the key, 0 if there is none, and keeps its expiry.
    ///
    /// - Returns: the sum. A value that is no 64-bit integer and a sum that does not fit are `storeRejected`.
    func incr(_ key: String, by amount: Int64) async throws -> Int64

    /// Sets when a key expires; a time that is not positive deletes it.
    ///
    /// - Returns: whether there is such a key.
    func expire(_ key: String, after time: Duration) async throws -> Bool

    func ttl(_ key: String) async throws -> TimeToLive

    func hget(_ key: String, _ field: String) async throws -> ByteBuffer?

    /// - Returns: how many of the fields are new.
    func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int

    /// Names that differ only in Unicode form (é as one scalar or two) are one key of the dictionary; whose value it has is
    /// not defined.
    func hgetall(_ key: String) async throws -> [String: ByteBuffer]

    /// - Returns: how many of the fields there were. The key goes with its last field.
    func hdel(_ key: String, _ fields: [String]) async throws -> Int
}

extension KeyValueStore {
    public var isLocal: Bool { false }
}

/// What is left of a key's life.
public enum TimeToLive: Sendable, Hashable {
    /// There is no such key.
    case missing
    /// The key does not expire.
    case unlimited
    case remaining(Duration)
}

/// A store that ``CacheService`` and ``FieldCache`` can both live on.
public typealias CacheStore = EntryStore & KeyValueStore
