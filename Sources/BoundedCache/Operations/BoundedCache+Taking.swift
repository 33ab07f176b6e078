/// Values that an update's closure changes in place are out of their slots meanwhile. Such an entry is in the queues,
/// and counts, but is not in the table.
extension BoundedCache {
    /// Gives up the slot's hold on the value, of which the draft has another.
    func takeOut(_ update: RunningUpdate<Key, Value>) {
        coreLock.pointee.lock()
        guard update.rivalCause == nil, update.taken == .none else { return coreLock.pointee.unlock() }
        let shard = shards[hash: update.hash]
        let slot = find(update.key, update.hash, in: shard.table)
        guard slot != .none else { return coreLock.pointee.unlock() }
        shard.lock()
        shards.remove(update.hash, slot)
        shard.countTaken(1)
        let value = valuePointer(slot).move()
        shard.unlock()
        update.taken = slot
        coreLock.pointee.unlock()
        _ = consume value
    }

    /// Puts the changed value into the slot the old one came from; the core's lock is held.
    func putBack(
        _ update: RunningUpdate<Key, Value>,
        _ candidate: Candidate,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) {
        let slot = update.taken
        update.taken = .none
        if let value = update.overwritten {
            let isOver = storage.deadline(slot) <= now
            let cause: EvictionCause = isOver ? .expired : .replaced
            departures.append(update.key, value, cause)
            core.pointee.departures[cause] &+= 1
            if isOver { core.pointee.insertions &+= 1 }
        }
        if candidate.deadline != .max { time.pointee.noteDeadline() }
        let shard = shards[hash: update.hash]
        valuePointer(slot).initialize(to: candidate.value)
        // It is the one that was weighed.
        update.keyOfEntry = keyPointer(slot).move()
        keyPointer(slot).initialize(to: candidate.key)
        storage.setDeadline(slot, candidate.deadline)
        storage.limit(slot)?.pointee = candidate.limit
        time.pointee.note(head(slot).pointee.uses)
        core.pointee.changeWeight(of: slot, to: UInt32(candidate.weight))
        core.pointee.reindex(slot, update.hash)
        // Only now: who finds neither the entry nor that it is taken believes that there is none.
        shard.lock()
        shard.countTaken(-1)
        shard.unlock()
        makeRoom(for: 0, sparing: slot, now: now, into: &departures)
        sweepAStep(now: now, into: &departures)
    }

    /// Lets the entry go whose value is with an update that ends without it; the core's lock is held.
    func dropTaken(
        _ update: RunningUpdate<Key, Value>,
        _ value: Value?,
        _ cause: EvictionCause,
        now: UInt64,
        into departures: inout Departures<Key, Value>
    ) {
        if update.taken != .none {
            let cause = storage.deadline(update.taken) <= now ? .expired : cause
            let shard = shards[hash: update.hash]
            shard.lock()
            release(update, cause)
            shard.unlock()
        }
        guard let cause = update.lost else { return }
        core.pointee.departures[cause] &+= 1
        // What took its place has taken that of another entry, then.
        if update.hasSuccessor, cause != .replaced { core.pointee.insertions &+= 1 }
        if let value = update.overwritten ?? value { departures.append(update.key, value, cause) }
    }

    /// Lets the entry in `slot` go if its value is with an update; the core's lock and the shard's are held.
    @usableFromInline
    func giveUpTaken(_ slot: UInt32, _ cause: EvictionCause) -> Bool {
        guard let update = updates.first(where: { $0.taken == slot }) else { return false }
        release(update, cause)
        return true
    }

    private func release(_ update: RunningUpdate<Key, Value>, _ cause: EvictionCause) {
        let slot = update.taken
        update.taken = .none
        update.lost = cause
        shards[hash: update.hash].countTaken(-1)
        core.pointee.release(slot)
        update.keyOfEntry = keyPointer(slot).move()
    }

    /// Whether the value of the entry in `slot` is with an update; the core's lock is held.
    func isTaken(_ slot: UInt32) -> Bool { updates.contains { $0.taken == slot } }

    /// Waits while another thread's update has the value of `key`, and reads before the next one begins. A thread in an
    /// update does not wait: for it there is no value.
    ///
    /// - Parameter isUse: whether it counts, as use and in the statistics.
    @usableFromInline
    func readWhenBack(_ key: Key, _ hash: UInt32, isUse: Bool) -> CacheEntry<Key, Value>? {
        var now: UInt64
        var turn: Turn<Key>?
        while true {
            now = clock.now
            coreLock.pointee.lock()
            let isTaken = updates.contains { $0.taken != .none && $0.hash == hash && $0.key == key }
            guard isTaken, !UpdatingThread.isInside else { break }
            unlockCoreAndWait(&turn, key, hash, isReader: true)
        }
        let slot = find(key, hash, in: shards[hash: hash].table)
        let stripe = shards.stripe(for: hash)
        stripe.lock.pointee.lock()
        let entry = slot == .none ? nil : liveEntry(slot, now: now)
        if isUse {
            if entry == nil {
                stripe.state.pointee.misses &+= 1
            } else {
                stripe.state.pointee.hits &+= 1
                time.pointee.note(head(slot).pointee.uses)
                if idleLife != .max { putOff(slot, reported: now) }
            }
        }
        stripe.lock.pointee.unlock()
        leave(turn)
        coreLock.pointee.unlock()
        return entry
    }

    private func keyPointer(_ slot: UInt32) -> UnsafeMutablePointer<Key> {
        withUnsafeMutablePointer(to: &entry(slot).pointee.key) { $0 }
    }

    private func valuePointer(_ slot: UInt32) -> UnsafeMutablePointer<Value> {
        withUnsafeMutablePointer(to: &entry(slot).pointee.value) { $0 }
    }
}
