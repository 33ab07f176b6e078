/// A cache in the process, bounded by entries or by weight, for use from any thread without `await`.
///
/// Reads find their entry in one of several shards, under that shard's lock alone. What stays is decided by one policy
/// for all shards; see <doc:Algorithm>.
///
/// Keys are compared under a lock: `==` of the key type must not call the cache. Weighers, listeners,
/// clocks, update closures and the destructors of keys and values run under none.
public final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: @unchecked Sendable {
    /// What a slot holds behind its ``SlotHead``.
    @usableFromInline
    struct Entry: ~Copyable {
        @usableFromInline var key: Key
        @usableFromInline var value: Value

        @inlinable
        init(key: Key, value: Value) {
            self.key = key
            self.value = value
        }
    }

    @usableFromInline let hasher = KeyHasher()
    @usableFromInline let storage: SlotStorage
    @usableFromInline let shards: ShardArray
    @usableFromInline let clock: CacheClock
    @usableFromInline let weigher: (@Sendable (Key, Value) -> Int)?
    @usableFromInline let listener: (@Sendable (Key, Value, EvictionCause) -> Void)?
    /// Nanoseconds; `.max` is for ever.
    @usableFromInline let defaultLife: UInt64
    @usableFromInline let idleLife: UInt64
    @usableFromInline let time: UnsafeMutablePointer<UseTime>
    @usableFromInline let coreLock: UnsafeMutablePointer<CacheLock>
    /// Guarded by `coreLock`.
    @usableFromInline let core: UnsafeMutablePointer<CacheCore>
    /// Guarded by `coreLock`.
    var updates: [RunningUpdate<Key, Value>] = []
    /// Those who wait for updates, the oldest first. Guarded by `coreLock`.
    var turns: [Turn<Key>] = []
    let waitingRoom = WaitingRoom()

    public init(_ configuration: Configuration) {
        let capacity = configuration.capacity
        storage = SlotStorage(slotStride: Self.slotStride)
        shards = ShardArray(count: Self.shardCount(for: capacity), stripeCount: Self.stripeCount)
        time = .allocate(capacity: 1)
        time.initialize(to: UseTime())
        clock = configuration.clock
        weigher = capacity.weigher
        listener = configuration.evictionListener
        defaultLife = configuration.timeToLive?.cacheNanoseconds ?? .max
        idleLife = configuration.timeToIdle?.cacheNanoseconds ?? .max
        coreLock = .allocate(capacity: 1)
        coreLock.initialize(to: CacheLock())
        core = .allocate(capacity: 1)
        core.initialize(
            to: CacheCore(
                policy: EvictionPolicy(storage: storage, time: time, limit: capacity.limit),
                allocator: SlotAllocator(
                    storage: storage,
                    slotAlignment: Self.slotAlignment,
                    keepsLimits: configuration.timeToIdle != nil
                ),
                shards: shards,
                countsEntries: capacity.weigher == nil
            )
        )
    }

    /// A cache of at most `capacity` entries.
    public convenience init(capacity: Int, timeToLive: Duration? = nil) {
        self.init(Configuration(capacity: .entries(capacity), timeToLive: timeToLive))
    }

    deinit {
        for slot in core.pointee.policy.queues.slots { entry(slot).deinitialize(count: 1) }
        core.pointee.deallocate()
        core.deinitialize(count: 1)
        core.deallocate()
        coreLock.deinitialize(count: 1)
        coreLock.deallocate()
    }

    /// As many shards as keep the machine's threads apart; one where a cache is so small that all of it is hot.
    private static func shardCount(for capacity: CacheCapacity<Key, Value>) -> Int {
        let useful = min(64, 4 * processorCount())
        return powerOfTwo(atLeast: capacity.weigher == nil ? min(useful, capacity.limit / 1024) : useful)
    }

    /// As many stripes as there are processors, up to what a write can take the locks of.
    private static var stripeCount: Int { powerOfTwo(atLeast: min(8, processorCount())) }

    private static func powerOfTwo(atLeast wanted: Int) -> Int {
        var count = 1
        while count < wanted { count *= 2 }
        return count
    }

    @inlinable static var slotAlignment: Int {
        max(MemoryLayout<SlotHead>.alignment, MemoryLayout<Entry>.alignment)
    }

    /// Where in its slot an entry begins.
    @inlinable static var entryOffset: Int { max(MemoryLayout<SlotHead>.size, MemoryLayout<Entry>.alignment) }

    @inlinable static var slotStride: Int {
        (entryOffset + MemoryLayout<Entry>.size + slotAlignment - 1) / slotAlignment * slotAlignment
    }

    @inlinable
    func entry(_ slot: UInt32) -> UnsafeMutablePointer<Entry> {
        (start(of: slot) + Self.entryOffset).assumingMemoryBound(to: Entry.self)
    }

    /// ``SlotStorage/head(_:)`` with a stride that the compiler knows, for the way of a hit. Another thread may look at it
    /// while this one changes the entry.
    @inlinable
    func head(_ slot: UInt32) -> UnsafeMutablePointer<SlotHead> {
        start(of: slot).assumingMemoryBound(to: SlotHead.self)
    }

    @inlinable
    func start(of slot: UInt32) -> UnsafeMutableRawPointer {
        let (segment, offset) = SlotStorage.locate(slot)
        return storage.segments[segment].slots + offset &* Self.slotStride
    }

    @inlinable
    func shard(of slot: UInt32) -> Shard { shards[hash: head(slot).pointee.hash] }

    /// The slot of `key` in the table of its shard, whose lock or the core's is held.
    @inlinable
    func find(_ key: Key, _ hash: UInt32, in table: SlotTable) -> UInt32 {
        table.find(hash) { entry($0).pointee.key == key }
    }

    /// Whether the entry in `slot`, whose shard's lock is held, has come to its end.
    @inlinable
    func isOver(_ slot: UInt32, reported: UInt64) -> Bool {
        let deadline = storage.deadline(slot)
        return deadline != .max && clock.isPast(deadline, reported: reported)
    }
}
