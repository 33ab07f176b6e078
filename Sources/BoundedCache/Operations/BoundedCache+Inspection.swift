extension BoundedCache {
    /// The number of entries, expired ones that were not swept yet among them. O(1).
    public var count: Int {
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        return core.pointee.policy.queues.count
    }

    /// The weight of all entries; their number where there is no weigher. O(1).
    public var totalWeight: Int {
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        return core.pointee.policy.queues.weight
    }

    /// The limit: entries, or units of weight.
    public var capacity: Int {
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        return core.pointee.policy.limit
    }

    /// What the cache has done since it was made.
    public var statistics: CacheStatistics {
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        var statistics = CacheStatistics()
        statistics.insertions = core.pointee.insertions
        statistics.refusals = core.pointee.refusals
        statistics.departures = core.pointee.departures
        for index in 0..<shards.count {
            let shard = shards[index]
            shard.lock()
            for index in 0..<shard.stripeCount {
                let stripe = shard.stripe(index)
                statistics.hits &+= stripe.state.pointee.hits
                statistics.misses &+= stripe.state.pointee.misses
                statistics.departures.replaced &+= stripe.state.pointee.replacements
            }
            shard.unlock()
        }
        return statistics
    }

    /// The live entries, the one used last first. Those that updates are changing in place are left out.
    ///
    /// The order is exact in a cache of at most 2048 entries; in a larger one it does not tell uses apart that no
    /// insertion and few thousand other uses came between. O(n log n).
    public func snapshot() -> [CacheEntry<Key, Value>] {
        let now = clock.now
        var found: [(tick: UInt32, entry: CacheEntry<Key, Value>)] = []
        coreLock.pointee.lock()
        for slot in core.pointee.policy.queues.slots where !isTaken(slot) {
            let head = head(slot)
            let stripe = shards.stripe(for: head.pointee.hash)
            stripe.lock.pointee.lock()
            if let entry = liveEntry(slot, now: now) {
                found.append((head.pointee.word.tick, entry))
            }
            stripe.lock.pointee.unlock()
        }
        coreLock.pointee.unlock()
        return found.sorted { $0.tick > $1.tick }.map(\.entry)
    }
}
