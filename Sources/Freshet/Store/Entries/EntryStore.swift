/// The entries of fields: a plain value that any other program can read, and its companion, which knows how old it is,
/// who loads it, and which loads an invalidation has made worthless. Each operation is atomic.
///
/// The life of a key: ``readEntry(_:_:)`` finds nothing fresh, ``leaseEntry(_:_:)`` grants one process the load,
/// ``fillEntry(_:_:with:)`` commits it – unless the generation has moved since, because of an
/// ``invalidateEntry(_:_:)`` or because another program wrote or deleted the plain value.
///
/// Operations throw as those of ``KeyValueStore`` do: a plain value that is a hash is `storeRejected`. A key of which
/// no ``CompanionKey`` can be made is `invalidArgument`. A companion of another format, or with garbage in it, counts as
/// none at all, and the plain value beside it as another program's.
public protocol EntryStore: Sendable {
    /// Reads value, generation and times at once.
    ///
    /// A plain value that another program wrote (its digest is not the companion's) is adopted: it gets a new
    /// generation and is fresh for the smaller of its own time to live and `request.freshFor`, and stale for
    /// `request.staleFor` after that. It is as old as its time to live is short of `request.freshFor`; without one, or with a
    /// longer one, its age counts from the adoption. A plain value that another program deleted while it was fresh takes
    /// the stale copy with it and moves the generation. Either ends the lease there may be, for its load began before.
    func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot

    /// What a reader of each key would know of its value, in the order of the keys: nil where there is none. For
    /// whoever holds many copies and may have missed messages; far cheaper than reading them.
    ///
    /// The plain values are not looked at: what another program has written since the last read stays unseen.
    func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?]

    /// Asks for leave to load. Adopts as ``readEntry(_:_:)`` does.
    func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome

    /// Commits a load, ends its lease and forgets the failures before it. The generation stays as it was.
    ///
    /// A lease whose time is over still fills if nobody has taken the load since.
    func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome

    /// Ends a lease whose load brought what is not to be kept, and makes what is stored obsolete: it goes as an
    /// ``invalidateEntry(_:_:)`` has it removed, unless another program has written it since.
    ///
    /// - Returns: whether it went; if the lease did not hold any more, nothing is done. A store that does not implement
    ///   this removes in any case, be it a newer value, and does not pass `StoreContract`.
    @discardableResult
    func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool

    /// Ends a lease whose load failed and remembers the failure, for every process.
    ///
    /// - Returns: whether it still held; if not, nothing is done.
    @discardableResult
    func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool

    /// Ends the lease with that token without a result, even if its holder never heard that it was granted; a forced
    /// one ends its cooldown, too. Does nothing if there is no such lease.
    func releaseEntry(_ key: String, token: String) async throws

    /// Makes every load that began before it worthless, ends the cooldown of forced loads, and tells the other
    /// processes.
    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws
}

extension EntryStore {
    @discardableResult
    public func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool {
        try await invalidateEntry(key, .remove)
        return true
    }
}
