/// Changes for callers that hold a lock of their own. What left is theirs to tell of, and to let go of, after that.
extension BoundedCache {
    /// As ``set(_:_:timeToLive:)``.
    package func set(
        _ key: Key,
        _ value: Value,
        timeToLive: Duration,
        into departures: inout Departures<Key, Value>
    ) -> SetOutcome {
        let life = timeToLive.cacheNanoseconds
        let now = self.now(writing: life)
        let candidate = candidate(key, value, life: life, now: now)
        return setSlowly(candidate, now: now, into: &departures)
    }

    /// As ``remove(_:)``.
    @discardableResult
    package func remove(_ key: Key, into departures: inout Departures<Key, Value>) -> Value? {
        let hash = hasher.hash(key)
        let now = lockCore(afterUpdatesOf: key, hash)
        defer { coreLock.pointee.unlock() }
        supersedeUpdates(of: key, hash, .removed)
        defer { sweepAStep(now: now, into: &departures) }
        let shard = shards[hash: hash]
        let slot = find(key, hash, in: shard.table)
        guard slot != .none else { return nil }
        shard.lock()
        defer { shard.unlock() }
        let value = storage.deadline(slot) > now ? entry(slot).pointee.value : nil
        detach(slot, .removed, now: now, into: &departures)
        return value
    }

    /// Tells the listener.
    package func tell(of departures: consuming Departures<Key, Value>) { departures.tell(listener) }
}
