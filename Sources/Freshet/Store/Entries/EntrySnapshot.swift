public import NIOCore

/// What the store knew of a key at one moment. All times count from that moment, by the store's clock.
public struct EntrySnapshot: Sendable, Hashable {
    public enum Content: Sendable, Hashable {
        /// Nothing, fresh or stale.
        case gone
        case value(ByteBuffer)
        /// A value of so many bytes, to a reader who wants no more; see ``EntryRead/omitsValue``.
        case omitted(size: Int)
        /// The source has no value, and that is remembered.
        case absent
        /// What the reader holds already, as its ``EntryRead/known`` said.
        case unchanged
    }

    public var content: Content
    /// nil where the key has no companion. A fill does not move it: what is held is told by generation and digest.
    public var generation: Generation?
    /// SHA-1 of the value in hexadecimal; nil where there is none.
    public var digest: String?
    /// The source's validator for conditional requests.
    public var etag: String?
    /// The source's own time to live, where it gave one.
    public var ttl: Duration?
    /// Time since the value was loaded or found unchanged; of an adopted one see ``EntryStore/readEntry(_:_:)``. This and
    /// the next two are zero where it is gone.
    public var age: Duration
    /// What is left of its freshness; zero or negative once it is stale.
    public var freshFor: Duration
    /// What is left until it is gone.
    public var staleFor: Duration
    /// The last load's failure. It is told beyond its `retryAfter`, which then is zero or negative, so that the next
    /// failure knows how many came before; a fill or a removal forgets it.
    public var failure: EntryFailure?
    /// How long another load's lease still holds.
    public var leaseFor: Duration?
    /// Who has that lease, where its holder gave a name; see ``LeaseRequest/token``.
    public var leaseHolder: String?
    /// Time since the last read that a ``ScheduledSlot`` told of; nil where no schedule has asked yet.
    public var lastRead: Duration?
    /// Time since the last forced load began; nil where none has since the key was invalidated, or it was released.
    public var lastForced: Duration?
    /// What the store's clock shows, since 1970.
    public var time: Duration

    public init(
        content: Content,
        generation: Generation? = nil,
        digest: String? = nil,
        etag: String? = nil,
        ttl: Duration? = nil,
        age: Duration = .zero,
        freshFor: Duration = .zero,
        staleFor: Duration = .zero,
        failure: EntryFailure? = nil,
        leaseFor: Duration? = nil,
        leaseHolder: String? = nil,
        lastRead: Duration? = nil,
        lastForced: Duration? = nil,
        time: Duration = .zero
    ) {
        self.content = content
        self.generation = generation
        self.digest = digest
        self.etag = etag
        self.ttl = ttl
        self.age = age
        self.freshFor = freshFor
        self.staleFor = staleFor
        self.failure = failure
        self.leaseFor = leaseFor
        self.leaseHolder = leaseHolder
        self.lastRead = lastRead
        self.lastForced = lastForced
        self.time = time
    }
}

extension EntrySnapshot {
    /// The same, no longer fresh or stale than a policy allows: another version of the program may have stored it under
    /// another one.
    func limited(by policy: FieldPolicy) -> EntrySnapshot {
        let isAbsent = content == .absent
        let rest = (ttl ?? (isAbsent ? policy.absentFor : policy.ttl)) - age
        var limited = self
        limited.freshFor = min(freshFor, rest)
        limited.staleFor = min(staleFor, isAbsent ? rest : rest + policy.staleWindow)
        return limited
    }
}
