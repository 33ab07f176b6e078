/// Something that happened to a field on this node, for ``FieldJournal`` and those who watch it.
///
/// Holds no value, no validator, no token: it may be shown and sent.
package struct FieldEvent: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// A read that L1 did not answer with a fresh value.
        case read(L1Finding, ReadEnd)
        /// The store was asked for leave to load.
        case lease(LeaseEnd)
        /// The fetcher was run.
        case load(LoadEnd)
        case invalidated(Invalidation, InvalidationOrigin)
        /// What the store holds is no value of the field.
        case undecodable
        /// A forced refresh was checked once more; nil where the check got no answer.
        case settled(hasChanged: Bool?)
    }

    package var kind: Kind
    package var at: MonotonicInstant
    /// The value's.
    package var age: Duration?
    /// The value's; negative once it is stale.
    package var timeToLive: Duration?
    package var took: Duration?
    /// How long somebody else's lease, a pause after a failure or the cooldown may last.
    package var wait: Duration?
    /// Who has the lease, where that is somebody else with a name.
    package var holder: String? { didSet { holder = holder?.brief } }
    /// How many loads in a row have failed.
    package var failures: Int?
    package var message: String? { didSet { message = message?.brief } }
    /// How many like it there were in a row; what is told is of the last one.
    package var count = 1

    package init(_ kind: Kind, at instant: MonotonicInstant) {
        self.kind = kind
        at = instant
    }
}

extension FieldEvent {
    /// Why L1 did not answer.
    package enum L1Finding: Sendable, Hashable {
        case nothing
        /// Held, but not believed: it was checked with the store too long ago, or has been changed since, as somebody told.
        case untrusted
        case stale
        /// Older than the reader wants.
        case tooOld
        /// Known not to be there.
        case absent
        /// The last value was not to be kept, so that readers load each for themselves.
        case uncacheable
        /// Was not asked: the refresh is forced.
        case skipped
        /// It came meanwhile.
        case fresh
    }

    package enum ReadEnd: Sendable, Hashable {
        case hit(FieldReading.Tier)
        case stale(FieldReading.Tier, sourceFailed: Bool)
        case loaded(isStored: Bool)
        case refreshed(isCooldown: Bool)
        case absent
        case failed(CacheError.Code)
        case cancelled
    }

    package enum LeaseEnd: Sendable, Hashable {
        case granted
        /// Another process has it.
        case held
        /// None is needed.
        case fresh
        /// A failure is remembered.
        case failing
        /// A forced load has begun shortly before.
        case coolingDown
        /// The store gave no leave, being away or refusing; the load goes on without.
        case storeAway(CacheError.Code)
    }

    package enum LoadEnd: Sendable, Hashable {
        case changed
        /// The source gave what it gave last, but for links that sign themselves anew.
        case unchanged
        case absent
        /// Handed to those who waited, and not to be kept.
        case uncacheable
        case failed(CacheError.Code, Refusal?)
        case refused(FillRefusal)
        /// No place among the loads that run at once came free in time: the source was not asked.
        case notBegun
        case cancelled
    }

    /// Why what was loaded was not kept.
    package enum FillRefusal: Sendable, Hashable {
        case byStore(FillOutcome.RefusalReason)
        /// An invalidation on this node came first.
        case overtaken
    }

    package enum InvalidationOrigin: Sendable, Hashable {
        case here
        /// Here; the store does not take it now, and is told later.
        case queued
        /// Told over the backplane, which repeats this node's own.
        case backplane
    }
}
