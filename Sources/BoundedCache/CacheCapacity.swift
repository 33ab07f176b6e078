/// How much a ``BoundedCache`` may hold.
public struct CacheCapacity<Key, Value>: Sendable {
    /// The limit: entries, or units of weight. Never negative.
    public let limit: Int
    /// The weight of an entry; `nil` where every entry counts one.
    public let weigher: (@Sendable (Key, Value) -> Int)?

    /// At most `limit` entries; a negative limit counts as zero.
    public static func entries(_ limit: Int) -> CacheCapacity {
        CacheCapacity(limit: max(0, limit), weigher: nil)
    }

    /// Entries that together weigh at most `limit`; a negative limit counts as zero.
    ///
    /// The weigher runs once for each value stored, outside any lock. Equal keys should weigh the same: where a value takes
    /// the place of one as heavy, the older key stays. A negative weight counts as zero; an entry of
    /// weight zero takes no room and is not evicted for it, so that their number has no limit. An entry heavier than `limit`
    /// or `UInt32.max` is refused.
    public static func weight(
        _ limit: Int,
        weigher: @escaping @Sendable (Key, Value) -> Int
    ) -> CacheCapacity {
        CacheCapacity(limit: max(0, limit), weigher: weigher)
    }
}
