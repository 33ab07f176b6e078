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
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        supersedeUpdates(of: key, candidate.hash)
        return store(candidate, isAlive: life > 0, now: now, into: &departures)
    }

    /// As ``remove(_:)``.
    package func remove(_ key: Key, into departures: inout Departures<Key, Value>) {
        let hash = hasher.hash(key)
        let now = clock.now
        lockCore(afterUpdatesOf: key, hash)
        defer { coreLock.pointee.unlock() }
        supersedeUpdates(of: key, hash)
        sweepAStep(now: now, into: &departures)
        let shard = shards[hash: hash]
        let slot = find(key, hash, in: shard.table)
        guard slot != .none else { return }
        shard.lock()
        detach(slot, .removed, now: now, into: &departures)
        shard.unlock()
    }

    /// Tells the listener.
    package func tell(of departures: consuming Departures<Key, Value>) { departures.tell(listener) }
}
