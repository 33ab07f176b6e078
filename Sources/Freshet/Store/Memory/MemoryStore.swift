import BoundedCache

/// A store in the process: what Redis does, without Redis.
///
/// It holds at most so many bytes; when they are used up, the keys least worth keeping go, an entry and its companion
/// always together. Times are the spawner's, to the nanosecond. Companions are no keys of their own: no command of
/// ``KeyValueStore`` sees them.
///
/// A value that is heavier than the whole store is `storeRejected`, and the key stays as it was.
public final class MemoryStore: CacheStore {
    let records: BoundedCache<ExactKey, MemoryStoreRecord>
    let spawner: any Spawner
    /// What a key may weigh.
    private let heaviest: Int

    /// - Parameters:
    ///   - maxBytes: what keys, values and companions may weigh together.
    ///   - spawner: the clock that values expire by, and the chance that generations are made of.
    public init(maxBytes: Int = 64 << 20, spawner: any Spawner = SystemSpawner()) {
        self.spawner = spawner
        heaviest = min(maxBytes, Int(UInt32.max))
        records = BoundedCache(
            BoundedCache.Configuration(
                capacity: .weight(maxBytes) { key, record in Self.weight(key.text, record) },
                clock: CacheClock { .nanoseconds(spawner.now().nanoseconds) }
            )
        )
    }

    public var isLocal: Bool { true }

    /// Bytes in use, by the store's own estimate.
    public var bytes: Int { records.totalWeight }

    public func ping() async throws {}

    /// Frees what has expired. Every change does so by the way; ``FieldCache/run()`` does it once a minute.
    public func sweep() { records.sweep() }

    /// What there is of a key now. Counts as use.
    func record(_ key: String, at now: MonotonicInstant) -> MemoryStoreRecord {
        var record = records.get(ExactKey(key)) ?? MemoryStoreRecord()
        record.forget(at: now)
        return record
    }

    /// Changes a key as one step. Nothing is changed if `body` throws.
    func update<Result>(
        _ key: String,
        _ body: (inout MemoryStoreRecord, MonotonicInstant) throws -> Result
    ) throws -> Result {
        try change(key) { draft, now in
            var record = draft.value ?? MemoryStoreRecord()
            record.forget(at: now)
            let result = try body(&record, now)
            record.forget(at: now)
            draft.value = record.isEmpty ? nil : record
            draft.timeToLive = record.end.map { $0 - now }
            return result
        }
    }

    /// Changes the fields of a hash where they are, as one step. Nothing is changed if it throws.
    ///
    /// - Parameter growth: how much heavier the change will make the hash.
    func updateHash(
        _ key: String,
        growth: (MemoryStoreHash) -> Int,
        change: (inout MemoryStoreHash) -> Int
    ) throws -> Int {
        try self.change(key) { draft, now in
            // From where the value is changed in place, a failure would drop it.
            try admit(draft.value ?? MemoryStoreRecord(), of: key, growth, at: now)
            if draft.value == nil { draft.value = MemoryStoreRecord() }
            draft.value?.forget(at: now)
            let count = draft.value?.changeHash(change) ?? 0
            if draft.value?.isEmpty ?? true { draft.value = nil }
            draft.timeToLive = draft.value?.end.map { $0 - now }
            return count
        }
    }

    private func admit(
        _ record: MemoryStoreRecord,
        of key: String,
        _ growth: (MemoryStoreHash) -> Int,
        at now: MonotonicInstant
    ) throws {
        var record = record
        record.forget(at: now)
        let growth = growth(try record.hash() ?? MemoryStoreHash())
        guard Self.weight(key, record) + growth <= heaviest else { throw Self.refusal(.oversized) }
    }

    private func change<Result>(
        _ key: String,
        _ body: (inout CacheDraft<MemoryStoreRecord>, MonotonicInstant) throws -> Result
    ) throws -> Result {
        do {
            return try records.update(ExactKey(key)) { draft in try body(&draft, spawner.now()) }
        } catch let error as BoundedCacheError {
            throw Self.refusal(error.code, underlying: error)
        }
    }

    private static func refusal(_ code: BoundedCacheError.Code, underlying: (any Error)? = nil) -> CacheError {
        CacheError(.storeRejected, "OOM the memory store refused the value: \(code)", underlying: underlying)
    }

    private static func weight(_ key: String, _ record: MemoryStoreRecord) -> Int { key.utf8.count + record.weight }

    /// An opaque name that no other in this process has.
    func nonce() -> String { String(spawner.random(), radix: 16) }
}
