extension BoundedCache {
    /// A value to store, with all that the caller's code has a say in already asked.
    @usableFromInline
    struct Candidate {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline let hash: UInt32
        @usableFromInline let weight: Int
        /// The deadline that reads do not put off.
        @usableFromInline let limit: UInt64
        @usableFromInline let deadline: UInt64

        @inlinable
        init(key: Key, value: Value, hash: UInt32, weight: Int, limit: UInt64, deadline: UInt64) {
            self.key = key
            self.value = value
            self.hash = hash
            self.weight = weight
            self.limit = limit
            self.deadline = deadline
        }
    }

    /// Stores `value` under `key`, for `timeToLive` or else the cache's default. Counts as use.
    ///
    /// When the value is refused, the older value under the key is gone too: it was superseded. O(1) amortised, and an
    /// eviction for every entry that no longer fits.
    @inlinable
    @discardableResult
    public func set(_ key: Key, _ value: Value, timeToLive: Duration? = nil) -> SetOutcome {
        let life = timeToLive?.cacheNanoseconds ?? defaultLife
        let now = self.now(writing: life)
        var candidate = candidate(key, value, life: life, now: now)
        if candidate.deadline > now, replace(with: &candidate, now: now) {
            if let listener { listener(key, candidate.value, .replaced) }
            return .replaced
        }
        var departures = Departures<Key, Value>()
        let outcome = setSlowly(consume candidate, now: now, into: &departures)
        departures.tell(listener)
        return outcome
    }

    /// Removes the entry under `key` and gives the live value it had. Waits for an update of the key that runs on
    /// another thread, unless it is called inside an update itself. O(1).
    @discardableResult
    public func remove(_ key: Key) -> Value? {
        var departures = Departures<Key, Value>()
        let value = remove(key, into: &departures)
        departures.tell(listener)
        return value
    }

    /// Removes every entry, and what was learnt of their use. O(n).
    public func removeAll() {
        let now = clock.now
        var departures = Departures<Key, Value>()
        coreLock.pointee.lock()
        supersedeAllUpdates()
        for slot in core.pointee.policy.queues.slots {
            let shard = self.shard(of: slot)
            shard.lock()
            detach(slot, .removed, now: now, into: &departures)
            shard.unlock()
        }
        core.pointee.policy.forget()
        core.pointee.giveMemoryBack()
        coreLock.pointee.unlock()
        departures.tell(listener)
    }

    /// The time, for a write of a value with that life; 0 where nothing in the cache expires.
    @inlinable
    func now(writing life: UInt64) -> UInt64 {
        life == .max && idleLife == .max && !time.pointee.hasDeadlines ? 0 : clock.now
    }

    @inlinable
    func candidate(_ key: Key, _ value: Value, life: UInt64, now: UInt64) -> Candidate {
        let limit = life == .max ? .max : now &+ life
        return Candidate(
            key: key,
            value: value,
            hash: hasher.hash(key),
            weight: weigher.map { max(0, $0(key, value)) } ?? 1,
            limit: limit,
            deadline: idleLife == .max ? limit : min(limit, now &+ idleLife)
        )
    }

    /// Exchanges the value of an entry that is alive and stays as heavy as it is, under its shard's lock alone.
    @inlinable
    func replace(with candidate: inout Candidate, now: UInt64) -> Bool {
        let stripe = shards.stripe(for: candidate.hash)
        stripe.lock.pointee.lock()
        let slot = find(candidate.key, candidate.hash, in: stripe.state.pointee.table)
        let expires = time.pointee.hasDeadlines
        guard slot != .none, stripe.state.pointee.updates == 0,
            weigher == nil || Int(storage.links(slot).pointee.weight) == candidate.weight,
            expires ? storage.deadline(slot) > now : candidate.deadline == .max,
            shards[hash: candidate.hash].upgrade(from: stripe)
        else {
            stripe.lock.pointee.unlock()
            return false
        }
        exchange(slot, with: &candidate)
        stripe.state.pointee.replacements &+= 1
        let replacements = stripe.state.pointee.replacements
        shards[hash: candidate.hash].unlock()
        if replacements & 63 == 0 { maintain(expires: expires) }
        return true
    }

    @inlinable
    func setSlowly(
        _ candidate: consuming Candidate,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> SetOutcome {
        coreLock.pointee.lock()
        defer { coreLock.pointee.unlock() }
        guard core.pointee.updates > 0 else { return store(candidate, now: now, into: &departures) }
        let (key, hash) = (candidate.key, candidate.hash)
        let isRefused = candidate.deadline <= now || !fits(candidate)
        supersedeUpdates(of: key, hash, isRefused ? .removed : .replaced)
        let outcome = store(candidate, now: now, into: &departures)
        if outcome == .inserted { noteSuccessor(of: key, hash) }
        return outcome
    }

    /// Whether the cache may hold it at all; the core's lock is held.
    @inlinable
    func fits(_ candidate: Candidate) -> Bool { candidate.weight <= min(core.pointee.limit, Int(UInt32.max)) }

    /// Stores a value; the core's lock is held. Ends within all limits.
    @inlinable
    func store(
        _ candidate: consuming Candidate,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> SetOutcome {
        core.pointee.moveTicksBack()
        let shard = shards[hash: candidate.hash]
        let fits = fits(candidate)
        let slot = find(candidate.key, candidate.hash, in: shard.table)
        guard fits, candidate.deadline > now else {
            if slot != .none {
                shard.lock()
                detach(slot, .removed, now: now, into: &departures)
                shard.unlock()
            }
            if !fits { core.pointee.refusals &+= 1 }
            return fits ? .expired : .oversized
        }
        if candidate.deadline != .max { time.pointee.noteDeadline() }
        guard slot != .none else {
            insert(candidate, now: now, into: &departures)
            return .inserted
        }
        shard.lock()
        let isOver = storage.deadline(slot) <= now
        core.pointee.changeWeight(of: slot, to: UInt32(candidate.weight))
        // It is the one that was weighed.
        swap(&entry(slot).pointee.key, &candidate.key)
        exchange(slot, with: &candidate)
        shard.unlock()
        let cause: EvictionCause = isOver ? .expired : .replaced
        departures.append(candidate.key, candidate.value, cause)
        core.pointee.departures[cause] &+= 1
        if isOver { core.pointee.insertions &+= 1 }
        makeRoom(for: 0, sparing: slot, now: now, into: &departures)
        sweepAStep(now: now, into: &departures)
        return isOver ? .inserted : .replaced
    }

    /// Inserts a value whose key is not there; the core's lock is held.
    @inlinable
    func insert(_ candidate: consuming Candidate, now: UInt64, into departures: inout Departures<Key, Value>) {
        let isMain = core.pointee.admit(candidate.hash)
        sweepAStep(now: now, into: &departures)
        makeRoom(for: candidate.weight, sparing: .none, now: now, into: &departures)
        let slot = takeSlot(candidate, now: now, into: &departures)
        head(slot).initialize(to: SlotHead(hash: candidate.hash))
        entry(slot).initialize(to: Entry(key: candidate.key, value: candidate.value))
        core.pointee.index(slot, candidate.hash, isMain: isMain)
    }

    @inlinable
    func takeSlot(
        _ candidate: Candidate,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> UInt32 {
        while true {
            let slot = core.pointee.takeSlot(
                weight: UInt32(candidate.weight),
                deadline: candidate.deadline,
                limit: candidate.limit
            )
            if slot != .none { return slot }
            evictOne(sparing: .none, now: now, into: &departures)
        }
    }

    /// Puts a value in the place of another, which it gives back in the candidate; the shard's lock is held for
    /// writing.
    @inlinable
    func exchange(_ slot: UInt32, with candidate: inout Candidate) {
        swap(&entry(slot).pointee.value, &candidate.value)
        setLife(of: slot, candidate)
    }

    /// The shard's lock is held for writing.
    @inlinable
    func setLife(of slot: UInt32, _ candidate: Candidate) {
        if time.pointee.hasDeadlines {
            storage.setDeadline(slot, candidate.deadline)
            storage.limit(slot)?.pointee = candidate.limit
        }
        time.pointee.note(head(slot).pointee.uses)
    }
}
