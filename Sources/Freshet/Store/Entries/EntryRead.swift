/// What a reader of an entry tells the store.
public struct EntryRead: Sendable, Hashable {
    /// The field's ttl: how long an adopted value is fresh at most.
    public var freshFor: Duration
    /// The field's stale window: for how long after that an adopted value may be served.
    public var staleFor: Duration
    /// What the reader holds already; spares it the bytes if they are still the same.
    public var known: Known?
    /// Whether the size will do in place of the bytes; a store may give them all the same. It need not hold a long value
    /// against its digest then: what another program has written over it stays unseen until the next whole read.
    public var omitsValue: Bool

    /// A value by what tells it from others of its key.
    public struct Known: Sendable, Hashable {
        public var generation: Generation
        public var digest: String

        public init(generation: Generation, digest: String) {
            self.generation = generation
            self.digest = digest
        }
    }

    public init(
        freshFor: Duration,
        staleFor: Duration = .zero,
        known: Known? = nil,
        omitsValue: Bool = false
    ) {
        self.freshFor = freshFor
        self.staleFor = staleFor
        self.known = known
        self.omitsValue = omitsValue
    }

    init(under policy: FieldPolicy, known: Known? = nil, omitsValue: Bool = false) {
        self.init(freshFor: policy.ttl, staleFor: policy.staleWindow, known: known, omitsValue: omitsValue)
    }
}
