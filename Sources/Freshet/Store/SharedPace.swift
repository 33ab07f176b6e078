/// A pace that processes keep together: under one name nobody asks a source more often than once in an interval, whichever
/// process asks.
///
/// A store that several processes share can keep it; ``CacheService/pace`` is that of its store. Whoever is told
/// nothing, since the store is away, goes on at a pace of its own: an operation must end in bounded time.
public protocol SharedPace: Sendable {
    /// Takes the next turn.
    ///
    /// - Parameters:
    ///   - name: what is asked, such as `airtable:app…`.
    ///   - interval: from this turn to the next one, whoever takes that; at least a millisecond.
    /// - Throws: ``CacheError`` as a store does: `storeUnavailable`, `storeTimedOut`, `storeRejected`. A turn may be taken
    ///   all the same.
    func turn(_ name: String, every interval: Duration) async throws -> SharedTurn

    /// Gives nobody a turn for a time from now on. A closure never ends earlier than the one before, nor than the turns
    /// that have been given.
    ///
    /// - Throws: as ``turn(_:every:)``.
    func close(_ name: String, for time: Duration) async throws
}

/// When one may ask.
public enum SharedTurn: Sendable, Hashable {
    /// After this time; the turn is taken.
    case after(Duration)
    /// Nobody may for this time, and no turn is taken.
    case closed(for: Duration)
    /// So many wait that no turn is given: ask for one again after this time.
    case full(for: Duration)
}
