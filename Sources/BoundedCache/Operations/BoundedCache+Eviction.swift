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
            guard evictOne(sparing: spared, now: now, into: &departures) else { return }
        }
    }

    /// Evicts the first in the policy's order that was not used or is over. Those that were used stay and pay for that;
    /// after so many the least used of them goes. False when there is none.
    @inlinable
    @discardableResult
    func evictOne(
        sparing spared: UInt32,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> Bool {
        var victim = UInt32.none
        var usesOfVictim = UInt32.max
        for _ in 0..<CacheCore.turnsPerEviction {
            let slot = core.pointee.nextToEvict(sparing: spared)
            guard slot != .none else { return false }
            let uses = storage.deadline(slot) <= now ? 0 : head(slot).pointee.word.uses
            if slot != spared, uses < usesOfVictim { (victim, usesOfVictim) = (slot, uses) }
            if usesOfVictim == 0 { break }
            core.pointee.keep(slot)
        }
        guard victim != .none else { return false }
        if storage.deadline(victim) > now { core.pointee.remember(victim) }
        let shard = self.shard(of: victim)
        shard.lock()
        detach(victim, .capacity, now: now, into: &departures)
        shard.unlock()
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
        let cause = storage.deadline(slot) <= now ? .expired : cause
        if core.pointee.updates > 0, giveUpTaken(slot, cause) { return }
        core.pointee.release(slot)
        core.pointee.departures[cause] &+= 1
        departures.append(entry(slot).move(), cause)
    }

    /// The share of the sweep that falls to a change: a step, and more of them while they find what is over. The core's
    /// lock is held.
    @inlinable
    func sweepAStep(now: UInt64, into departures: inout Departures<Key, Value>) {
        guard time.pointee.hasDeadlines else { return }
        for _ in 0..<CacheCore.mostSweepSteps {
            let found = sweep(core.pointee.sweepBudget, now: now, into: &departures)
            guard found > CacheCore.sweepStep / 2 else { break }
        }
    }

    /// Looks at the next `budget` slots for entries that are over, and gives their number; the core's lock is held. The
    /// last of them gives memory back.
    @inlinable
    @discardableResult
    func sweep(_ budget: Int, now: UInt64, into departures: inout Departures<Key, Value>) -> Int {
        var budget = budget
        var found = 0
        while true {
            let slot = core.pointee.nextExpired(now: now, budget: &budget)
            guard slot != .none else {
                core.pointee.giveMemoryBack()
                return found
            }
            let shard = self.shard(of: slot)
            shard.lock()
            // A read may have put it off since.
            if storage.deadline(slot) <= now {
                detach(slot, .expired, now: now, into: &departures)
                found += 1
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
        core.pointee.giveMemoryBack()
        coreLock.pointee.unlock()
        departures.tell(listener)
    }

    /// The share of upkeep that falls to every 64th of a stripe's hits.
    @usableFromInline
    func maintain(after hits: UInt64, expires: Bool) {
        if hits % UseTime.hitsPerTick == 0 { time.pointee.advance() }
        maintain(expires: expires)
    }

    /// The share of upkeep that falls to every 64th of a stripe's misses and replacements.
    @usableFromInline
    func maintain(expires: Bool) {
        guard expires || time.pointee.now >= UseWord.tickLimit else { return }
        let now = clock.now
        // A hit waits for nobody; another one comes by here soon.
        guard coreLock.pointee.tryLock() else { return }
        var departures = Departures<Key, Value>()
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
        if limit > core.pointee.policy.limit { core.pointee.policy.fillAgain() }
        core.pointee.policy.limit = max(0, limit)
        makeRoom(for: 0, sparing: .none, now: now, into: &departures)
        coreLock.pointee.unlock()
        departures.tell(listener)
    }
}
