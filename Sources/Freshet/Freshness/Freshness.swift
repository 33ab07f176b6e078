/// Where a value is in its life, by its own times alone.
///
/// ```
/// loaded ──ttl──▶ fresh ends ──staleWhileRevalidate──▶ stale ends
///                            ──staleIfError─────────────────────▶ kept ends
/// ```
/// It is gone after the later of the two ends.
/// A soft invalidation ends the freshness at once and leaves the end as it was.
enum Freshness: Sendable, Hashable, CaseIterable {
    /// There is nothing to serve.
    case gone
    case fresh
    /// Served while it is loaded again.
    case stale
    /// Served only if the source fails.
    case kept
    /// It is known that the source has no value.
    case absent
}

/// What happens to a key.
enum FreshnessEvent: Sendable, Hashable, CaseIterable {
    /// Somebody reads.
    case read
    /// Somebody reads who wants something younger than this is.
    case readYounger
    /// Somebody reads while a failure of the source is remembered.
    case readWhileFailing
    /// Somebody wants something younger while a failure of the source is remembered.
    case readYoungerWhileFailing
    /// The source gave a value not to be kept.
    case loadedUncacheable
    /// The source says that what is held still holds.
    case loadedUnmodified
    /// The load failed.
    case loadFailed
    case expired
    case removed
}

/// What is to be done about it.
enum FreshnessAction: Sendable, Hashable {
    /// Answer with what there is.
    case answer
    /// Answer with what there is, and load in the background.
    case answerAndLoad
    /// Load, and answer with the result.
    case load
    /// Answer with the remembered failure.
    case fail
    /// Hand what was loaded to those who wait, and keep nothing new.
    case pass
    /// Give what is held a new life.
    case renew
    /// What is held is stale from now on.
    case makeStale
    /// Drop what is held.
    case drop
    case nothing
}

extension Freshness {
    /// The whole policy of a field, as one table of states and events.
    ///
    /// | event                   | gone    | fresh     | stale         | kept      | absent  |
    /// |-------------------------|---------|-----------|---------------|-----------|---------|
    /// | read                    | load    | answer    | answerAndLoad | load      | answer  |
    /// | readYounger             | load    | load      | load          | load      | load    |
    /// | readWhileFailing        | fail    | answer    | answer        | answer    | answer  |
    /// | readYoungerWhileFailing | fail    | fail      | fail          | fail      | fail    |
    /// | loadedUncacheable       | pass    | drop      | drop          | drop      | drop    |
    /// | loadedUnmodified        | fail    | renew     | renew         | renew     | fail    |
    /// | loadFailed              | fail    | answer    | answer        | answer    | fail    |
    /// | expired                 | nothing | makeStale | makeStale     | makeStale | drop    |
    /// | removed                 | nothing | drop      | drop          | drop      | drop    |
    ///
    /// A value to be kept and the news that there is none replace whatever there was. `loadFailed` speaks of those who
    /// only read: who forced the load, or wanted something younger, gets the failure.
    func action(on event: FreshnessEvent) -> FreshnessAction {
        switch (event, self) {
        case (.read, .fresh), (.read, .absent): .answer
        case (.read, .stale): .answerAndLoad
        case (.read, .gone), (.read, .kept): .load
        case (.readYounger, _): .load
        case (.readWhileFailing, .gone): .fail
        case (.readWhileFailing, _): .answer
        case (.readYoungerWhileFailing, _): .fail
        case (.loadedUncacheable, .gone): .pass
        case (.loadedUncacheable, _): .drop
        case (.loadedUnmodified, .gone), (.loadedUnmodified, .absent): .fail
        case (.loadedUnmodified, _): .renew
        case (.loadFailed, .gone), (.loadFailed, .absent): .fail
        case (.loadFailed, _): .answer
        case (.expired, .gone), (.removed, .gone): .nothing
        case (.expired, .absent): .drop
        case (.expired, _): .makeStale
        case (.removed, _): .drop
        }
    }
}
