import Logging
import Metrics

/// What the store said or a load brought, as L1 holds it.
extension FlightRunner {
    /// What readers may have although the load failed; where the key has been invalidated since, what that has left.
    func kept(_ entry: Entry?) -> Entry? {
        guard let known = entry,
            let entry = desk.mayKeep(id, of: known.generation, checkedAt: known.checkedAt)
                ? known : tools.l1.entry(field.key)
        else { return nil }
        let freshness = entry.freshness(at: tools.spawner.now(), under: field.policy)
        return freshness.action(on: .loadFailed) == .answer ? entry : nil
    }

    /// Takes over what the store remembers of a failure, and where it holds nothing else, unless somebody has changed the
    /// key since it was asked, does without asking again for a while.
    func note(_ snapshot: EntrySnapshot, askedAt: MonotonicInstant) {
        tools.note(snapshot, of: field)
        guard snapshot.failure != nil, snapshot.content == .gone else { return }
        desk.keepAnswer(id, field.key, of: snapshot.generation) { _, isContested in
            if !isContested { tools.believeFailure(of: field.key, seenAt: askedAt) }
        }
    }

    /// What a snapshot says; nil where its bytes are no value of the field, which counts as a miss, once a flight, and
    /// nothing goes on in their place.
    func decoded(_ snapshot: EntrySnapshot, held: Entry?, askedAt: MonotonicInstant) -> Decoded? {
        do {
            return Decoded(entry: try Entry.from(snapshot, of: field, held: held, askedAt: askedAt))
        } catch {
            if desk.meetsBadBytes(id) { noteBadBytes(error) }
            return own(held, in: snapshot.generation, askedAt: askedAt).map { Decoded(entry: $0, tier: .l1) }
        }
    }

    private func noteBadBytes(_ error: any Error) {
        tools.undecodable.increment()
        tools.journal.record(FieldEvent(.undecodable, at: tools.spawner.now()), of: field.key)
        tools.logger.debug(
            "a stored value does not decode",
            metadata: ["field.name": "\(field.name)", "error": "\(error)"]
        )
    }

    /// What was held goes on to its end where the store has another type's value of the same generation: two versions of a
    /// program would load against each other, and nothing has been invalidated.
    private func own(_ held: Entry?, in generation: Generation?, askedAt: MonotonicInstant) -> Entry? {
        guard let held, held.generation != nil, held.generation == generation, held.staleUntil > tools.spawner.now()
        else { return nil }
        return held.checked(at: askedAt)
    }

    struct Decoded {
        /// nil where nothing is stored.
        var entry: Entry?
        var tier = FieldReading.Tier.l2
    }

    /// What the store holds, or what this process does where the store was merely not given it.
    func latest(
        _ stored: Decoded,
        _ held: Entry?,
        in generation: Generation?,
        askedAt: MonotonicInstant
    ) -> (Entry?, FieldReading.Tier) {
        let later = held?.ifLater(than: stored.entry, in: generation, askedAt: askedAt, now: tools.spawner.now())
        return later.map { ($0, .l1) } ?? (stored.entry, stored.tier)
    }

    /// What there is beside a load: the store's value, or a later one that this process has.
    func known(in snapshot: EntrySnapshot, held: Entry?, askedAt: MonotonicInstant) -> Entry? {
        guard let stored = decoded(snapshot, held: held, askedAt: askedAt)?.entry else { return nil }
        let now = tools.spawner.now()
        return held?.successor(of: stored, in: snapshot.generation, askedAt: askedAt, now: now) ?? stored
    }

    func tier(of known: Entry?, in snapshot: EntrySnapshot) -> FieldReading.Tier {
        known?.payload?.digest == snapshot.digest ? .l2 : .l1
    }

    /// Puts into L1 what the store said, unless an invalidation or something newer came between.
    private func hold(_ entry: Entry?, in generation: Generation?) -> Bool {
        var isLatest = true
        let isKept = desk.keepAnswer(id, field.key, of: generation) { l1, isContested in
            guard let entry, entry.staleUntil > tools.spawner.now() else { return l1.drop(field.key) }
            isLatest = l1.peek(field.key).map { !$0.replaces(entry) } ?? true
            guard isLatest else { return }
            // Of no generation it is believed as shortly as if nobody told of changes.
            l1.hold(isContested ? entry.unverified(at: entry.checkedAt) : entry, of: field.key)
            tools.journal.hold(entry, of: field.key)
        }
        return isKept && isLatest
    }

    /// Holds what the store said, and tells whether to answer with it. Where another process has changed the key since,
    /// it may be what was invalidated, and the store is to be asked again; not for ever.
    ///
    /// - Parameter generation: that the key had then.
    func believes(_ entry: Entry?, in generation: Generation?, _ attempts: inout Int) -> Bool {
        attempts += 1
        return hold(entry, in: generation) || !desk.isCurrent(id) || attempts == 3
    }

    /// The answer to those whom a value out of a cache will do.
    func cached(_ entry: Entry, in tier: FieldReading.Tier) -> FlightAnswer {
        let isKept = entry.freshness(at: tools.spawner.now(), under: field.policy) == .kept
        return FlightAnswer(
            entry: entry,
            origin: .cached(tier),
            sourceFailed: isKept && tools.failure(of: field) != nil
        )
    }

    /// What a load has brought.
    ///
    /// - Parameters:
    ///   - leaseMark: of the lease under which the store has taken it.
    ///   - basis: what the store, which has not taken it, showed when the load began, if it was there.
    ///   - begunAt: when that was; nil where the store has taken it.
    func entry(
        _ payload: Payload?,
        _ fill: EntryFill? = nil,
        _ generation: Generation? = nil,
        leaseMark: String? = nil,
        basis: LoadBasis? = nil,
        begunAt: MonotonicInstant? = nil,
        at instant: MonotonicInstant
    ) -> Entry {
        let freshUntil = instant + (fill?.freshFor ?? .zero)
        return Entry(
            payload: payload,
            generation: generation,
            sourceETag: fill?.etag,
            sourceTTL: fill?.ttl,
            loadedAt: instant,
            freshUntil: freshUntil,
            staleUntil: freshUntil + (fill?.staleFor ?? .zero),
            checkedAt: begunAt ?? instant,
            leaseMark: leaseMark,
            basis: basis,
            begunAt: begunAt
        )
    }
}
