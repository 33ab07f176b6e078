/// Slots of a schedule, and the last read.
extension MemoryStoreRecord {
    /// Notes the last read, and that the slot was asked for.
    ///
    /// - Parameter time: the same as `now`, since 1970.
    /// - Returns: whether the slot has begun, for a field that is not idle.
    mutating func note(_ slot: ScheduledSlot, at now: MonotonicInstant, _ time: Duration, nonce: String) -> Bool {
        if companion == nil { move(to: nonce, at: now) }
        let known = companion?.schedule
        var schedule = known ?? Schedule(lastRead: now, until: now)
        let told = slot.lastRead.map { now + (.zero - max($0, .zero)) } ?? .distantPast
        if told > schedule.lastRead + slot.idleMargin { schedule.lastRead = told }
        let isIdle = slot.idleAfter > .zero && now >= max(schedule.lastRead, told) + slot.idleAfter
        let until = now + slot.keepFor
        if known == nil || schedule.until + slot.idleMargin < until { schedule.until = until }
        companion?.schedule = schedule
        keep(at: now)
        return !isIdle && slot.start <= time
    }

    /// Whether the slot needs no load any more. Only where nobody loads.
    func hasHad(_ slot: ScheduledSlot, at now: MonotonicInstant, _ time: Duration) -> Bool {
        // A slot that is yet to come says nothing: the clock has been set back since.
        if let last = companion?.schedule, let had = last.slot, had >= slot.start, had <= time + .seconds(1),
            companion?.lease?.token != last.token
        {
            return true
        }
        guard isFresh(at: now), let created = companion?.known?.created else { return false }
        return created >= now + (slot.start - time)
    }

    /// The load of a lease has come to nothing: its slot is for another.
    mutating func giveBackSlot(of token: String) {
        guard companion?.schedule?.token == token else { return }
        companion?.schedule?.slot = nil
        companion?.schedule?.token = nil
    }
}
