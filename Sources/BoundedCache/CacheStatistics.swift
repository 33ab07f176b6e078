/// What a ``BoundedCache`` has done since it was made. Counts never go down.
public struct CacheStatistics: Sendable, Hashable {
    /// Reads by ``BoundedCache/get(_:)`` that found a live value.
    public var hits: UInt64 = 0
    /// Reads by ``BoundedCache/get(_:)`` that found none.
    public var misses: UInt64 = 0
    /// Values stored under keys that held nothing.
    public var insertions: UInt64 = 0
    /// Values refused because they were heavier than the whole cache.
    public var refusals: UInt64 = 0

    var departures = EvictionCounts()

    /// Entries that left for `cause`.
    public func evictions(_ cause: EvictionCause) -> UInt64 { departures[cause] }

    /// Hits by reads; 0 before the first read.
    public var hitRatio: Double {
        let reads = hits + misses
        return reads == 0 ? 0 : Double(hits) / Double(reads)
    }
}
