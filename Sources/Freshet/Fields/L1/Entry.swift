import NIOCore
import Synchronization

/// What L1 holds of a key. Immutable: a change of its times is a new entry around the same payload.
final class Entry: Sendable {
    /// nil: the source has no value.
    let payload: Payload?
    /// That the key had when this was last held against the store; nil where the store has not been given it.
    let generation: Generation?
    /// The mark of the lease under which this process loaded and stored it.
    let leaseMark: String?
    /// Where the store does not hold it: what it showed when the load began, unless it was away.
    let basis: LoadBasis?
    /// Where the store was not given it: when the load began.
    private let begunAt: MonotonicInstant?
    /// The source's validator.
    let sourceETag: String?
    /// The source's own time to live, where it gave one.
    let sourceTTL: Duration?
    let loadedAt: MonotonicInstant
    let freshUntil: MonotonicInstant
    let staleUntil: MonotonicInstant
    /// When the store was asked, and said that this is what it holds.
    let checkedAt: MonotonicInstant
    /// Whether it has answered a read since the field's schedule last looked.
    private let isRead = Atomic(false)
    /// When the store was asked for the generation, and said that it is still this one; `checkedAt` or later.
    let comparedAt: MonotonicInstant

    init(
        payload: Payload?,
        generation: Generation?,
        sourceETag: String?,
        sourceTTL: Duration? = nil,
        loadedAt: MonotonicInstant,
        freshUntil: MonotonicInstant,
        staleUntil: MonotonicInstant,
        checkedAt: MonotonicInstant,
        comparedAt: MonotonicInstant = .distantPast,
        leaseMark: String? = nil,
        basis: LoadBasis? = nil,
        begunAt: MonotonicInstant? = nil
    ) {
        self.payload = payload
        self.generation = generation
        self.leaseMark = leaseMark
        self.basis = basis
        self.begunAt = begunAt
        self.sourceETag = sourceETag
        self.sourceTTL = sourceTTL
        self.loadedAt = loadedAt
        self.freshUntil = freshUntil
        self.staleUntil = max(freshUntil, staleUntil)
        self.checkedAt = checkedAt
        self.comparedAt = max(checkedAt, comparedAt)
    }

    /// It answers a read: a load and a branch on nearly every hit.
    ///
    /// - Returns: whether that is the first since ``forgetRead()``; of two at the same time both may be.
    func noteRead() -> Bool {
        if isRead.load(ordering: .relaxed) { return false }
        isRead.store(true, ordering: .relaxed)
        return true
    }

    func forgetRead() { isRead.store(false, ordering: .relaxed) }

    /// What a read of the store is told is held already.
    var known: EntryRead.Known? {
        guard let generation, let payload else { return nil }
        return EntryRead.Known(generation: generation, digest: payload.digest)
    }

    /// Whether the store has held it.
    var wasStored: Bool { begunAt == nil }

    func age(at now: MonotonicInstant) -> Duration { now - loadedAt }

    /// Its place in the table of ``Freshness``.
    ///
    /// - Parameter revalidateFor: the policy's stale-while-revalidate window, which tells `stale` from `kept`.
    func freshness(at now: MonotonicInstant, revalidateFor window: Duration = .zero) -> Freshness {
        if now < freshUntil { return payload == nil ? .absent : .fresh }
        guard now < staleUntil, payload != nil else { return .gone }
        return now < freshUntil + window ? .stale : .kept
    }

    func freshness(at now: MonotonicInstant, under policy: FieldPolicy) -> Freshness {
        freshness(at: now, revalidateFor: policy.staleWhileRevalidate)
    }

    /// The same value, stale from now on, to be checked with the store before it is served.
    ///
    /// - Parameter generation: that the key has since, where that is known.
    func expired(at now: MonotonicInstant, of generation: Generation? = nil) -> Entry {
        with(generation: generation ?? self.generation, freshUntil: min(freshUntil, now), checkedAt: .distantPast)
    }

    /// What an invalidation leaves of it, as ``expired(at:of:)``.
    func invalidated(_ invalidation: Invalidation, at now: MonotonicInstant, of generation: Generation?) -> Entry? {
        let action = freshness(at: now).action(on: invalidation == .expire ? .expired : .removed)
        return action == .makeStale ? expired(at: now, of: generation) : nil
    }

    /// The same, to be checked with the store before it is served.
    var suspected: Entry { with(freshUntil: freshUntil, checkedAt: .distantPast) }

    /// The same, checked with the store at that instant.
    func checked(at instant: MonotonicInstant) -> Entry { with(freshUntil: freshUntil, checkedAt: instant) }

    /// The same for what somebody is said to have written; nil within the second after its freshness ended: what the server
    /// tells of then is most likely that end, and no reason to ask it.
    func suspectedAsWritten(at now: MonotonicInstant) -> Entry? {
        now < freshUntil || now >= freshUntil + .seconds(1) ? suspected : nil
    }

    /// The same, believed for a while though the store did not answer. Of no generation, since nobody knows that now.
    func unverified(at instant: MonotonicInstant) -> Entry {
        with(generation: nil, freshUntil: freshUntil, checkedAt: instant)
    }

    /// The same, which the store has not changed, so far as its generation tells.
    func compared(at instant: MonotonicInstant) -> Entry {
        with(generation: generation, freshUntil: freshUntil, checkedAt: checkedAt, comparedAt: instant)
    }

    private func with(freshUntil: MonotonicInstant, checkedAt: MonotonicInstant) -> Entry {
        with(generation: generation, freshUntil: freshUntil, checkedAt: checkedAt)
    }

    private func with(
        generation: Generation?,
        freshUntil: MonotonicInstant,
        checkedAt: MonotonicInstant,
        comparedAt: MonotonicInstant = .distantPast
    ) -> Entry {
        Entry(
            payload: payload,
            generation: generation,
            sourceETag: sourceETag,
            sourceTTL: sourceTTL,
            loadedAt: loadedAt,
            freshUntil: freshUntil,
            staleUntil: staleUntil,
            checkedAt: checkedAt,
            comparedAt: comparedAt,
            leaseMark: leaseMark,
            basis: basis,
            begunAt: begunAt
        )
    }
}

extension Entry {
    /// What a snapshot of the store says, its times counted from when it was asked for.
    ///
    /// - Parameter held: what the snapshot calls `unchanged`.
    /// - Returns: nil where the store holds nothing, or does not give it.
    /// - Throws: ``CacheError`` with `invalidValue` where the bytes are no value of the field.
    static func from(
        _ snapshot: EntrySnapshot,
        of field: AnyField,
        held: Entry?,
        askedAt: MonotonicInstant
    ) throws -> Entry? {
        let payload: Payload?
        switch snapshot.content {
        case .gone, .omitted: return nil
        case .absent: payload = nil
        case .unchanged:
            guard let held else { return nil }
            payload = held.payload
        case .value(let bytes):
            if let known = held?.payload, known.digest == snapshot.digest {
                payload = known
            } else {
                payload = try field.decode(bytes, snapshot.digest ?? bytes.sha1)
            }
        }
        return Entry(snapshot.limited(by: field.policy), payload, askedAt: askedAt)
    }

    /// What a snapshot of the store says, but for the bytes of the value.
    static func outline(of snapshot: EntrySnapshot, under policy: FieldPolicy, askedAt: MonotonicInstant) -> Entry? {
        let snapshot = snapshot.limited(by: policy)
        return switch snapshot.content {
        case .gone: nil
        case .absent: Entry(snapshot, nil, askedAt: askedAt)
        case .value, .omitted, .unchanged:
            Entry(snapshot, Payload(bytes: ByteBuffer(), digest: snapshot.digest ?? ""), askedAt: askedAt)
        }
    }

    private convenience init(_ snapshot: EntrySnapshot, _ payload: Payload?, askedAt: MonotonicInstant) {
        self.init(
            payload: payload,
            generation: snapshot.generation,
            sourceETag: snapshot.etag,
            sourceTTL: snapshot.ttl,
            loadedAt: askedAt + (.zero - snapshot.age),
            freshUntil: askedAt + snapshot.freshFor,
            staleUntil: askedAt + snapshot.staleFor,
            checkedAt: askedAt
        )
    }
}

extension Entry {
    /// This, as it stands, if it is later than what the store holds; nil if it is not.
    ///
    /// - Parameters:
    ///   - stored: what the store holds.
    ///   - generation: that the key has there.
    func ifLater(
        than stored: Entry?,
        in generation: Generation?,
        askedAt: MonotonicInstant,
        now: MonotonicInstant
    ) -> Entry? {
        if outlasts(stored, in: generation, at: now) { return checked(at: askedAt) }
        return stored.flatMap { successor(of: $0, in: generation, askedAt: askedAt, now: now) }
    }

    /// Whether this, which the store does not hold, is still the latest of its key.
    private func outlasts(_ stored: Entry?, in generation: Generation?, at now: MonotonicInstant) -> Bool {
        guard self.generation == nil, let basis, basis.holds(in: generation, at: now) else { return false }
        return stored.map { $0.loadedAt <= loadedAt } ?? true
    }

    /// This, stale: the store was not given it, and has a stale value from before the load that brought it. No removal can
    /// have come since, it would have taken that value away. Nil where it is not so.
    func successor(
        of stored: Entry,
        in generation: Generation?,
        askedAt: MonotonicInstant,
        now: MonotonicInstant
    ) -> Entry? {
        // By the time that the answer took, the other may be younger than it seems.
        guard let begunAt, let payload, let other = stored.payload, payload.digest != other.digest,
            stored.freshUntil <= now, now < staleUntil, stored.loadedAt + (now - askedAt) < begunAt
        else { return nil }
        return with(generation: generation, freshUntil: min(freshUntil, askedAt), checkedAt: askedAt)
    }

    /// Whether the other one is an earlier value of the same generation.
    func replaces(_ other: Entry) -> Bool {
        guard let generation, generation == other.generation, other.loadedAt < loadedAt else { return false }
        return payload?.digest != other.payload?.digest
    }
}
