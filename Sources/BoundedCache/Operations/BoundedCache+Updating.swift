extension BoundedCache {
    /// Reads and changes the entry under `key` as one step: no other write of the key comes between.
    ///
    /// The closure runs exactly once, under no lock, on the calling thread. Meanwhile
    /// - reads of the key, in the closure too, give the old value and never wait;
    /// - updates and removals of the key by other threads wait;
    /// - a value set by another thread takes effect as if set right after the update: it stays.
    ///
    /// Leave the draft's value `nil` to remove the entry. If the closure throws, nothing is changed.
    ///
    /// A closure that changes the value in place – `$0.value?.append(1)` – has it for itself from then on: the value is
    /// out of the cache, so that no copy of a copy-on-write value is made. Reads of the key by other threads wait for
    /// the end of the update; in the closure, or in any other update, where waiting could go round in a circle, they
    /// give `nil`. If such an update fails, the entry is dropped, for the old value is no more. (Values without
    /// references, such as numbers, are copied, and none of this applies.)
    ///
    /// - Throws: what the closure throws; ``BoundedCacheError`` with `reentrantUpdate` if called inside an update of
    ///   this cache, if it would have to wait for another update inside one of another cache, or if the closure itself
    ///   set or removed its key; with `oversized` if the new value is heavier than the whole cache.
    public func update<Result>(
        _ key: Key,
        _ body: (inout CacheDraft<Value>) throws -> Result
    ) throws -> Result {
        let update = RunningUpdate(self, key, hasher.hash(key))
        var old = try begin(update)
        var draft = CacheDraft(
            value: old?.value,
            timeToLive: old == nil ? defaultTimeToLive : old?.timeToLive,
            original: update
        )
        old?.value = nil
        let result: Result
        var candidate: Candidate?
        let now: UInt64
        UpdatingThread.enter()
        do {
            defer { UpdatingThread.leave() }
            result = try body(&draft)
            candidate = self.candidate(key, &draft, old)
            now = clock.now
        } catch {
            let now = clock.now
            end(update) { dropTaken(update, draft.value, update.rivalCause ?? .removed, now: now, into: &$0) }
            throw error
        }
        var fits = true
        end(update) { fits = commit(update, &candidate, isUntouched: draft.isUntouched, now: now, into: &$0) }
        guard !update.isReentrant else {
            throw BoundedCacheError(.reentrantUpdate, "The update's closure wrote its own key.")
        }
        guard fits else {
            throw BoundedCacheError(.oversized, "The updated value is heavier than the cache.")
        }
        return result
    }

    /// Puts what an update has made in the place of its entry, if the cache can hold it; the core's lock is held.
    private func commit(
        _ update: RunningUpdate<Key, Value>,
        _ candidate: inout Candidate?,
        isUntouched: Bool,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> Bool {
        if let cause = update.rivalCause {
            dropTaken(update, candidate?.value, cause, now: now, into: &departures)
            return true
        }
        guard let stored = candidate, stored.deadline > now else {
            dropTaken(update, candidate?.value, .removed, now: now, into: &departures)
            removeUpdated(update, now: now, into: &departures)
            return true
        }
        guard fits(stored) else {
            core.pointee.refusals &+= 1
            dropTaken(update, stored.value, .removed, now: now, into: &departures)
            return false
        }
        // Once the lock is free only the cache has the value, so that the next update need not copy it.
        candidate = nil
        if update.taken != .none {
            putBack(update, stored, now: now, into: &departures)
        } else if !isUntouched || !renew(update, stored, now: now, into: &departures) {
            _ = store(stored, now: now, into: &departures)
            // It was evicted meanwhile: what comes back never left, unless it is another value.
            if let cause = update.lost {
                if let value = update.overwritten {
                    departures.append(update.key, value, cause)
                    core.pointee.departures[cause] &+= 1
                } else {
                    core.pointee.insertions &-= 1
                }
            }
        }
        return true
    }

    private var defaultTimeToLive: Duration? {
        defaultLife == .max ? nil : .nanoseconds(Int64(defaultLife))
    }

    private struct Original {
        var value: Value?
        let timeToLive: Duration?
        let limit: UInt64
    }

    private func candidate(_ key: Key, _ draft: inout CacheDraft<Value>, _ old: Original?) -> Candidate? {
        guard let value = draft.takeValue() else { return nil }
        let life = draft.isTimeToLiveSet ? draft.timeToLive?.cacheNanoseconds ?? .max : nil
        let fresh = self.candidate(
            key,
            value,
            life: life ?? (old == nil ? defaultLife : .max),
            now: clock.now
        )
        guard life == nil, let old else { return fresh }
        return Candidate(
            key: key,
            value: value,
            hash: fresh.hash,
            weight: fresh.weight,
            limit: old.limit,
            deadline: min(old.limit, fresh.deadline)
        )
    }

    private func begin(_ update: RunningUpdate<Key, Value>) throws -> Original? {
        var now: UInt64
        var turn: Turn<Key>?
        while true {
            now = clock.now
            coreLock.pointee.lock()
            if updates.contains(where: { $0.thread == update.thread }) {
                coreLock.pointee.unlock()
                throw BoundedCacheError(
                    .reentrantUpdate,
                    "The thread is in an update of this cache already."
                )
            }
            guard mustWait(turn, update.key, update.hash) else { break }
            guard !UpdatingThread.isInside else {
                coreLock.pointee.unlock()
                throw BoundedCacheError(
                    .reentrantUpdate,
                    "Another thread updates the key, and this one, inside an update of another cache, must not wait."
                )
            }
            unlockCoreAndWait(&turn, update.key, update.hash)
        }
        defer { coreLock.pointee.unlock() }
        // It is nobody else's turn now.
        turns.removeAll { $0 === turn }
        updates.append(update)
        core.pointee.updates = updates.count
        core.pointee.moveTicksBack()
        let shard = shards[hash: update.hash]
        shard.lock()
        defer { shard.unlock() }
        shard.countUpdates(1)
        let slot = find(update.key, update.hash, in: shard.table)
        guard slot != .none, let entry = liveEntry(slot, now: now) else { return nil }
        time.pointee.note(head(slot).pointee.uses)
        let deadline = storage.deadline(slot)
        let limit = storage.limit(slot)?.pointee ?? deadline
        let left: Duration? = limit == .max ? nil : .nanoseconds(Int64(limit - min(now, limit)))
        return Original(value: entry.value, timeToLive: left, limit: limit)
    }

    /// Ends an update under the core's lock, after `commit`.
    private func end(
        _ update: RunningUpdate<Key, Value>,
        _ commit: (inout Departures<Key, Value>) -> Void
    ) {
        var departures = Departures<Key, Value>()
        coreLock.pointee.lock()
        updates.removeAll { $0 === update }
        commit(&departures)
        core.pointee.updates = updates.count
        let shard = shards[hash: update.hash]
        shard.lock()
        shard.countUpdates(-1)
        shard.unlock()
        let isAwaited = core.pointee.waiters > 0
        coreLock.pointee.unlock()
        if isAwaited { waitingRoom.callEveryone() }
        departures.tell(listener)
    }

    /// Gives an entry whose value an update has left alone the life it wants; the core's lock is held. False where the
    /// entry is gone.
    private func renew(
        _ update: RunningUpdate<Key, Value>,
        _ candidate: Candidate,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) -> Bool {
        let shard = shards[hash: candidate.hash]
        let slot = find(candidate.key, candidate.hash, in: shard.table)
        guard slot != .none else { return false }
        if candidate.deadline != .max { time.pointee.noteDeadline() }
        shard.lock()
        core.pointee.changeWeight(of: slot, to: UInt32(candidate.weight))
        // It is the one that was weighed.
        var key = candidate.key
        swap(&entry(slot).pointee.key, &key)
        update.keyOfEntry = key
        setLife(of: slot, candidate)
        shard.unlock()
        makeRoom(for: 0, sparing: slot, now: now, into: &departures)
        sweepAStep(now: now, into: &departures)
        return true
    }

    private func removeUpdated(
        _ update: RunningUpdate<Key, Value>,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) {
        let shard = shards[hash: update.hash]
        let slot = find(update.key, update.hash, in: shard.table)
        guard slot != .none else { return }
        shard.lock()
        detach(slot, .removed, now: now, into: &departures)
        shard.unlock()
    }

    /// Tells updates of `key` that it was written, and what became of its value; the core's lock is held.
    @usableFromInline
    func supersedeUpdates(of key: Key, _ hash: UInt32, _ cause: EvictionCause) {
        for update in updates where update.hash == hash && update.key == key { supersede(update, cause) }
    }

    /// A value was stored beside the one that an update has taken out of its slot: of the two one stays.
    @usableFromInline
    func noteSuccessor(of key: Key, _ hash: UInt32) {
        for update in updates where update.taken != .none && !update.hasSuccessor {
            guard update.hash == hash, update.key == key, update.rivalCause == .replaced else { continue }
            update.hasSuccessor = true
            core.pointee.insertions &-= 1
        }
    }

    func supersedeAllUpdates() {
        for update in updates { supersede(update, .removed) }
    }

    private func supersede(_ update: RunningUpdate<Key, Value>, _ cause: EvictionCause) {
        if update.thread == currentThread() { update.isReentrant = true }
        update.rivalCause = update.rivalCause ?? cause
    }
}
