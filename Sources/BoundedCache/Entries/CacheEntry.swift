/// An entry of a ``BoundedCache`` as it was at one moment.
public struct CacheEntry<Key: Sendable, Value: Sendable>: Sendable {
    public let key: Key
    public let value: Value
    public let weight: Int
    /// What was left of its life; `nil` where it does not expire.
    public let timeToLive: Duration?
}
