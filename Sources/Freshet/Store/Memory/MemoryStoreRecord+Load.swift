import NIOCore

/// Leases and what becomes of them. ``lease(_:at:_:nonce:)`` wants a settled record.
extension MemoryStoreRecord {
    /// Whether a forced load began so lately that it answers for another; not if its lease ran out without a result.
    private func isCoolingDown(at now: MonotonicInstant, _ cooldown: Duration) -> Bool {
        guard let forced = companion?.forced, now < forced.start + cooldown else { return false }
        return companion?.lease.map { now < $0.until || $0.token != forced.token } ?? true
    }

    /// For those whom the last forced load answers: an absence that it found holds for them though it is over.
    private func forcedSnapshot(at now: MonotonicInstant, _ time: Duration) -> EntrySnapshot {
        var snapshot = snapshot(at: now, time)
        guard let known = companion?.known, known.digest == nil, let forced = companion?.forced,
            known.created >= forced.start
        else { return snapshot }
        snapshot.content = .absent
        snapshot.age = now - known.created
        snapshot.freshFor = known.freshUntil - now
        snapshot.staleFor = known.staleUntil - now
        return snapshot
    }

    /// - Parameters:
    ///   - time: the same as `now`, since 1970.
    ///   - nonce: the new generation, if there is to be one.
    mutating func lease(
        _ request: LeaseRequest,
        at now: MonotonicInstant,
        _ time: Duration,
        nonce: String
    ) throws -> LeaseOutcome {
        let token = request.token
        let isHeld = companion?.lease.map { now < $0.until } ?? false
        var forced: ForcedLoad?
        switch request.purpose {
        case .read:
            if isFresh(at: now) { return .fresh(snapshot(at: now, time)) }
            if isHeld { return .held(snapshot(at: now, time)) }
            if let failure = companion?.failure, now < failure.until { return .failing(snapshot(at: now, time)) }
        case .renew:
            if isHeld { return .held(snapshot(at: now, time)) }
        case .force(let invalidation, let cooldown):
            if isCoolingDown(at: now, cooldown) { return .coolingDown(forcedSnapshot(at: now, time)) }
            try invalidate(invalidation, at: now, nonce: nonce)
            forced = ForcedLoad(token: token, start: now, until: now + cooldown)
        case .scheduled(let slot):
            let isDue = note(slot, at: now, time, nonce: nonce)
            if !isDue { return .notDue(snapshot(at: now, time)) }
            if isHeld { return .held(snapshot(at: now, time)) }
            if hasHad(slot, at: now, time) { return .notDue(snapshot(at: now, time)) }
            if let failure = companion?.failure, now < failure.until { return .failing(snapshot(at: now, time)) }
            companion?.schedule?.slot = slot.start
            companion?.schedule?.token = token
        }
        if companion == nil { move(to: nonce, at: now) }
        if let lost = companion?.lease { giveBackSlot(of: lost.token) }
        companion?.lease = nil
        dropWhatIsGone(at: now)
        let snapshot = snapshot(at: now, time)
        if let forced { companion?.forced = forced }
        companion?.lease = HeldLease(token: token, start: now, until: now + request.holdFor)
        keep(at: now)
        let generation = companion?.generation ?? Generation(nonce)
        return .granted(Lease(token: token, generation: generation, digest: plain?.digest ?? ""), snapshot)
    }

    /// So that the load cannot be answered with "unchanged" for a value that its lease did not see.
    private mutating func dropWhatIsGone(at now: MonotonicInstant) {
        guard let known = companion?.known, now >= known.staleUntil else { return }
        if plain == nil {
            companion?.known = nil
        } else {
            companion?.known?.staleUntil = .distantPast
            companion?.known?.staleCopy = nil
        }
    }

    mutating func fill(_ lease: Lease, with fill: EntryFill, at now: MonotonicInstant) throws -> FillOutcome {
        let change = try foreignChange(at: now)
        guard let companion else { return .refused(.leaseLost) }
        guard companion.generation == lease.generation else { return .refused(.invalidated) }
        guard let held = companion.lease, held.token == lease.token else { return .refused(.leaseLost) }
        self.companion?.lease = nil
        defer { keep(at: now) }
        guard change == nil, isAsLeased(lease, at: now) else { return .refused(.foreignWrite) }

        let created = fill.loadedAfter.map { min(now, held.start + max($0, .zero)) } ?? now
        let freshUntil = created + max(fill.freshFor, .milliseconds(1))
        var known = Known(created: created, freshUntil: freshUntil, staleUntil: freshUntil)
        let bytes: ByteBuffer
        switch fill.content {
        case .absent:
            plain = nil
            self.companion?.known = known
            self.companion?.failure = nil
            return .stored(lease.generation)
        case .value(let value, let digest):
            bytes = value.compact
            known.digest = digest
            known.etag = fill.etag
            known.ttl = fill.ttl
        case .unchanged:
            guard let old = companion.known, let digest = old.digest, old.staleUntil != .distantPast,
                let kept = try string() ?? old.staleCopy
            else { return .refused(.invalidated) }
            bytes = kept
            known.digest = digest
            known.etag = fill.etag ?? old.etag
            known.ttl = fill.ttl ?? old.ttl
        }
        known.staleUntil = freshUntil + max(fill.staleFor, .zero)
        known.staleCopy = fill.staleFor > .zero ? bytes : nil
        // A fill may come so late that the value is stale.
        let isFresh = now < freshUntil
        known.plainUntil = isFresh ? freshUntil : nil
        plain = isFresh ? Plain(content: .string(bytes), deadline: freshUntil, digest: known.digest) : nil
        self.companion?.known = known
        self.companion?.failure = nil
        return .stored(lease.generation)
    }

    /// Whether the plain value is what it was when the lease was granted, or has ended since as it was bound to.
    private func isAsLeased(_ lease: Lease, at now: MonotonicInstant) -> Bool {
        let digest = plain?.digest ?? ""
        if digest == lease.digest { return true }
        guard digest.isEmpty, let plainUntil = companion?.known?.plainUntil else { return false }
        return now >= plainUntil
    }

    /// - Returns: whether the lease still held, and no other program has written since.
    mutating func drop(_ lease: Lease, at now: MonotonicInstant, nonce: String) throws -> Bool {
        let change = try foreignChange(at: now)
        guard holds(lease) else { return false }
        guard change != .written else {
            companion?.lease = nil
            keep(at: now)
            return false
        }
        try invalidate(.remove, at: now, nonce: nonce)
        return true
    }

    /// - Returns: whether the lease still held.
    mutating func fail(_ lease: Lease, with failure: EntryFailure, at now: MonotonicInstant) -> Bool {
        guard holds(lease) else { return false }
        companion?.lease = nil
        giveBackSlot(of: lease.token)
        companion?.failure = Failure(
            count: failure.count,
            code: failure.code,
            message: failure.message,
            until: now + max(failure.retryAfter, .zero)
        )
        keep(at: now)
        return true
    }

    mutating func release(_ token: String, at now: MonotonicInstant) {
        guard companion?.lease?.token == token else { return }
        companion?.lease = nil
        if companion?.forced?.token == token { companion?.forced = nil }
        giveBackSlot(of: token)
        keep(at: now)
    }

    mutating func invalidate(_ invalidation: Invalidation, at now: MonotonicInstant, nonce: String) throws {
        let isForeign = try foreignChange(at: now) != nil
        let bytes = try string()
        move(to: nonce, at: now)
        plain = nil
        switch invalidation {
        case .remove:
            companion?.known = nil
            companion?.failure = nil
        case .expire:
            if !isForeign, var known = companion?.known, known.digest != nil, now < known.staleUntil,
                let copy = known.staleCopy ?? bytes
            {
                known.staleCopy = copy
                known.freshUntil = min(known.freshUntil, now)
                known.plainUntil = nil
                companion?.known = known
            } else {
                companion?.known = nil
            }
        }
        keep(at: now)
    }
}
