extension BoundedCache {
    /// Evicts until `weight` more fits; the core's lock is held.
    @inlinable
    func makeRoom(
        for weight: Int,
        sparing spared: UInt32,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) {
        while core.pointee.lacksRoom(for: weight) {
            guard evictCandidate(sparing: spared, now: now, into: &departures) else { return }
        }
    }

    /// Evicts the policy's candidate or, if it was used, lets it stay and pay for that. False when there is none.
    @inlinable
    @discardableResult
    func evictCandidate(
        sparing spared: UInt32,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> Bool {
        let slot = core.pointee.candidate(sparing: spared)
        guard slot != .none else { return false }
        let isOver = storage.deadline(slot) <= now
        if slot == spared || !isOver && head(slot).pointee.word.uses > 0 {
            core.pointee.keep(slot)
        } else {
            if !isOver { core.pointee.remember(slot) }
            let shard = self.shard(of: slot)
            shard.lock()
            detach(slot, .capacity, now: now, into: &departures)
            shard.unlock()
        }
        return true
    }

    /// Takes an entry out; the core's lock and its shard's, for writing, are held. One that was over left for that.
    @inlinable
    func detach(
        _ slot: UInt32,
        _ cause: EvictionCause,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) {
        if core.pointee.updates > 0, giveUpTaken(slot, cause) { return }
        let cause = storage.deadline(slot) <= now ? .expired : cause
        core.pointee.release(slot, cause)
        departures.append(entry(slot).move(), cause)
    }

    /// The share of the sweep that falls to a change; the core's lock is held.
    @inlinable
    func sweepAStep(now: UInt64, into departures: inout Departures<Key, Value>) {
        if time.pointee.hasDeadlines { sweep(CacheCore.sweepStep, now: now, into: &departures) }
    }

    /// Looks at the next `budget` slots for entries that are over; the core's lock is held.
    @inlinable
    func sweep(_ budget: Int, now: UInt64, into departures: inout Departures<Key, Value>) {
        var budget = budget
        while true {
            let slot = core.pointee.nextExpired(now: now, budget: &budget)
            guard slot != .none else { return }
            let shard = self.shard(of: slot)
            shard.lock()
            // A read may have put it off since.
            if storage.deadline(slot) <= now {
                detach(slot, .expired, now: now, into: &departures)
            }
            shard.unlock()
        }
    }

    /// Removes the entry under `key` if it is over.
    @usableFromInline
    func dropExpired(_ key: Key, _ hash: UInt32) {
        var departures = Departures<Key, Value>()
        let now = clock.now
        coreLock.pointee.lock()
        let shard = shards[hash: hash]
        shard.lock()
        let slot = find(key, hash, in: shard.table)
        if slot != .none, storage.deadline(slot) <= now {
            detach(slot, .expired, now: now, into: &departures)
        }
        shard.unlock()
        coreLock.pointee.unlock()
        departures.tell(listener)
    }

    /// The share of upkeep that falls to every 64th of a stripe's hits.
    @usableFromInline
    func maintain(after hits: UInt64, expires: Bool) {
        if hits % UseTime.hitsPerTick == 0 { _ = time.pointee.advance() }
        maintain(expires: expires)
    }

    /// The share of upkeep that falls to every 64th of a stripe's misses and replacements.
    @usableFromInline
    func maintain(expires: Bool) {
        guard expires || time.pointee.now >= UseWord.tickLimit else { return }
        var departures = Departures<Key, Value>()
        let now = clock.now
        coreLock.pointee.lock()
        core.pointee.moveTicksBack()
        sweepAStep(now: now, into: &departures)
        coreLock.pointee.unlock()
        departures.tell(listener)
    }

    /// Removes all expired entries now, and gives memory back if there are no others.
    ///
    /// Other calls do this by the way, a few slots at a time. For a cache that nobody calls, let a timer do it. O(n),
    /// in steps between which other threads get their turn.
    public func sweep() {
        let now = clock.now
        let step = 4096
        coreLock.pointee.lock()
        var left = time.pointee.hasDeadlines ? Int(core.pointee.allocator.used) : 0
        core.pointee.giveMemoryBack()
        coreLock.pointee.unlock()
        while left > 0 {
            var departures = Departures<Key, Value>()
            coreLock.pointee.lock()
            sweep(min(step, left), now: now, into: &departures)
            core.pointee.giveMemoryBack()
            coreLock.pointee.unlock()
            departures.tell(listener)
            left -= step
        }
    }

    /// Changes the limit and evicts what no longer fits; a negative limit counts as zero.
    ///
    /// The number of locks stays: a cache that is to grow from hundreds of entries to many thousands, read by many
    /// threads, is better made with that limit.
    public func resize(to limit: Int) {
        var departures = Departures<Key, Value>()
        let now = clock.now
        coreLock.pointee.lock()
        if limit > core.pointee.policy.limit { core.pointee.policy.warmUp() }
        core.pointee.policy.limit = max(0, limit)
        makeRoom(for: 0, sparing: .none, now: now, into: &departures)
        coreLock.pointee.unlock()
        departures.tell(listener)
    }
}
