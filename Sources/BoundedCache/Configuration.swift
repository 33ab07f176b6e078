extension BoundedCache {
    /// What a cache holds, for how long, and whom it tells.
    public struct Configuration: Sendable {
        /// How much may be held.
        public var capacity: CacheCapacity<Key, Value>
        /// How long a value lives that is stored without a time of its own; `nil` is for ever.
        public var timeToLive: Duration?
        /// How long an entry lives after it was last stored or read by ``BoundedCache/get(_:)``; `nil` is for ever.
        public var timeToIdle: Duration?
        /// The clock deadlines are counted on.
        public var clock: CacheClock
        /// Told of every entry that left, on the thread whose call made it leave, after that call's work and outside
        /// any lock. It may call the cache. What an update has taken out to change is told of by that update, at its end;
        /// what its closure has moved out of the draft (`take()`, `value! = …`) is not.
        public var evictionListener: (@Sendable (Key, Value, EvictionCause) -> Void)?

        public init(
            capacity: CacheCapacity<Key, Value>,
            timeToLive: Duration? = nil,
            timeToIdle: Duration? = nil,
            clock: CacheClock = .system,
            evictionListener: (@Sendable (Key, Value, EvictionCause) -> Void)? = nil
        ) {
            self.capacity = capacity
            self.timeToLive = timeToLive
            self.timeToIdle = timeToIdle
            self.clock = clock
            self.evictionListener = evictionListener
        }
    }
}
