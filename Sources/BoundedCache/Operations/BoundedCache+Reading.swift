extension BoundedCache {
    /// The live value under `key`. Counts as use.
    ///
    /// Takes one lock of one shard and allocates nothing. Waits only while an update on another thread changes the
    /// value in place; see ``update(_:_:)``. O(1).
    @inlinable
    public func get(_ key: Key) -> Value? {
        let hash = hasher.hash(key)
        let reported = clock.reported
        let stripe = shards.stripe(for: hash)
        stripe.lock.pointee.lock()
        let slot = find(key, hash, in: stripe.state.pointee.table)
        let expires = time.pointee.hasDeadlines
        guard slot != .none else {
            let isTaken = stripe.state.pointee.taken > 0
            if !isTaken { stripe.state.pointee.misses &+= 1 }
            let misses = stripe.state.pointee.misses
            stripe.lock.pointee.unlock()
            if isTaken { return readWhenBack(key, hash, isUse: true)?.value }
            if expires, misses & 63 == 0 { maintain(expires: true) }
            return nil
        }
        if expires {
            if isOver(slot, reported: reported) {
                stripe.state.pointee.misses &+= 1
                let misses = stripe.state.pointee.misses
                stripe.lock.pointee.unlock()
                dropExpired(key, hash)
                if misses & 63 == 0 { maintain(expires: true) }
                return nil
            }
            if idleLife != .max { putOff(slot, reported: reported) }
        }
        time.pointee.note(head(slot).pointee.uses)
        stripe.state.pointee.hits &+= 1
        let hits = stripe.state.pointee.hits
        let value = entry(slot).pointee.value
        stripe.lock.pointee.unlock()
        if hits & 63 == 0 { maintain(after: hits, expires: expires) }
        return value
    }

    /// The live value under `key`, without counting as use or in the statistics. O(1).
    @inlinable
    public func peek(_ key: Key) -> Value? {
        let hash = hasher.hash(key)
        let reported = clock.reported
        let stripe = shards.stripe(for: hash)
        stripe.lock.pointee.lock()
        let slot = find(key, hash, in: stripe.state.pointee.table)
        if slot != .none {
            let value = isOver(slot, reported: reported) ? nil : entry(slot).pointee.value
            stripe.lock.pointee.unlock()
            return value
        }
        let isTaken = stripe.state.pointee.taken > 0
        stripe.lock.pointee.unlock()
        return isTaken ? readWhenBack(key, hash, isUse: false)?.value : nil
    }

    /// The live entry under `key` with its weight and what is left of its life, without counting as use. O(1).
    public func peekEntry(_ key: Key) -> CacheEntry<Key, Value>? {
        let hash = hasher.hash(key)
        let now = clock.now
        let stripe = shards.stripe(for: hash)
        stripe.lock.pointee.lock()
        let slot = find(key, hash, in: stripe.state.pointee.table)
        let entry = slot == .none ? nil : liveEntry(slot, now: now)
        let isTaken = stripe.state.pointee.taken > 0
        stripe.lock.pointee.unlock()
        return slot == .none && isTaken ? readWhenBack(key, hash, isUse: false) : entry
    }

    /// The entry in `slot`, whose shard's lock is held; `nil` when it is over.
    func liveEntry(_ slot: UInt32, now: UInt64) -> CacheEntry<Key, Value>? {
        let deadline = storage.deadline(slot)
        guard deadline > now else { return nil }
        return CacheEntry(
            key: entry(slot).pointee.key,
            value: entry(slot).pointee.value,
            weight: Int(storage.links(slot).pointee.weight),
            timeToLive: deadline == .max ? nil : .nanoseconds(Int64(deadline - now))
        )
    }

    /// Begins the time to idle of the entry in `slot`, whose shard's lock is held, anew.
    @usableFromInline
    func putOff(_ slot: UInt32, reported: UInt64) {
        let limit = storage.limit(slot)?.pointee ?? .max
        // Under a lock only the system's clock may be read.
        let now = clock.reading == nil ? clock.now : reported
        // A clock that was asked earlier takes nothing from what a later reader gave.
        storage.putOffDeadline(slot, to: min(limit, now &+ idleLife))
    }
}
