import NIOCore

extension MemoryStoreRecord {
    /// What another program did to the plain value since the companion last knew it.
    enum ForeignChange {
        case written
        case deleted
    }

    /// Whether ``settle(at:freshFor:staleFor:nonce:)`` has nothing to do.
    func isSettled(at now: MonotonicInstant) throws -> Bool {
        let expectedUntil = companion?.known?.plainUntil
        guard try string() != nil else {
            return now >= expectedUntil ?? now
        }
        return plain?.digest != nil && now < expectedUntil ?? now
    }

    /// - Throws: `storeRejected` where the plain value is no string.
    mutating func foreignChange(at now: MonotonicInstant) throws -> ForeignChange? {
        let bytes = try string()
        guard let known = companion?.known, let plainUntil = known.plainUntil else {
            return bytes == nil ? nil : .written
        }
        guard let bytes else { return now < plainUntil ? .deleted : nil }
        // Ours would have ended by now: somebody else wrote this.
        guard now < plainUntil else { return .written }
        if plain?.digest == nil {
            guard bytes.sha1 == known.digest else { return .written }
            plain?.digest = known.digest
            // One storage for both.
            if known.staleCopy != nil { companion?.known?.staleCopy = bytes }
        }
        return nil
    }

    /// Adopts what another program wrote, and drops what another program deleted.
    mutating func settle(at now: MonotonicInstant, freshFor: Duration, staleFor: Duration, nonce: String) throws {
        switch try foreignChange(at: now) {
        case nil: return
        case .deleted:
            move(to: nonce, at: now)
            companion?.known = nil
        case .written:
            let bytes = try string()
            let digest = bytes?.sha1
            let plainUntil = plain?.deadline ?? .distantFuture
            let freshUntil = min(plainUntil, now + max(freshFor, .zero))
            let staleUntil = freshUntil + max(staleFor, .zero)
            // As old as its rest shows if it was written for the field's ttl.
            let age = max(.zero, freshFor - (plainUntil - now))
            move(to: nonce, at: now)
            plain?.digest = digest
            companion?.known = Known(
                digest: digest,
                created: now + (.zero - age),
                freshUntil: freshUntil,
                staleUntil: staleUntil,
                plainUntil: plainUntil,
                // One that ends later is there as long as it is served, or another program has deleted it.
                staleCopy: plainUntil < staleUntil ? bytes : nil
            )
        }
        keep(at: now)
    }

    /// Makes all that was leased before worthless.
    mutating func move(to generation: String, at now: MonotonicInstant) {
        if companion == nil { companion = Companion(generation: Generation(generation), end: now) }
        companion?.generation = Generation(generation)
        companion?.lease = nil
        companion?.forced = nil
    }

    /// Lets the companion live as long as anything in it matters, and a minute at least.
    mutating func keep(at now: MonotonicInstant) {
        guard let companion else { return }
        self.companion?.end = [
            now + .seconds(60),
            companion.known?.staleUntil,
            companion.known?.plainUntil,
            companion.lease?.until,
            companion.forced?.until,
            companion.schedule?.until,
            companion.failure.map { $0.until + .seconds(60) },
        ].reduce(now) { max($0, $1 ?? $0) }
    }

    func isFresh(at now: MonotonicInstant) -> Bool {
        guard let known = companion?.known else { return false }
        return now < known.freshUntil && (known.digest == nil || known.plainUntil != nil)
    }

    func holds(_ lease: Lease) -> Bool {
        companion?.generation == lease.generation && companion?.lease?.token == lease.token
    }

    /// - Parameters:
    ///   - time: the same as `now`, since 1970.
    ///   - held: what the reader has already.
    func snapshot(at now: MonotonicInstant, _ time: Duration, held: EntryRead.Known? = nil) -> EntrySnapshot {
        var snapshot = EntrySnapshot(content: .gone, time: time)
        guard let companion else { return snapshot }
        snapshot.lastRead = companion.schedule.map { now - $0.lastRead }
        snapshot.lastForced = companion.forced.map { now - $0.start }
        snapshot.generation = companion.generation
        snapshot.failure = companion.failure.map {
            EntryFailure(count: $0.count, code: $0.code, message: $0.message, retryAfter: $0.until - now)
        }
        if let lease = companion.lease, now < lease.until {
            (snapshot.leaseFor, snapshot.leaseHolder) = (lease.until - now, lease.holder)
        }
        guard let known = companion.known, now < known.staleUntil else { return snapshot }
        if let digest = known.digest {
            guard case .string(let bytes)? = plain?.content ?? known.staleCopy.map({ .string($0) }) else {
                return snapshot
            }
            let isHeld = held.map { $0.generation == companion.generation && $0.digest == digest } ?? false
            snapshot.content = isHeld ? .unchanged : .value(bytes)
            snapshot.digest = digest
        } else {
            snapshot.content = .absent
        }
        (snapshot.etag, snapshot.ttl) = (known.etag, known.ttl)
        snapshot.age = now - known.created
        snapshot.freshFor = known.freshUntil - now
        snapshot.staleFor = known.staleUntil - now
        return snapshot
    }
}
