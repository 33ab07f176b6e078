/// A question for leave to load.
public struct LeaseRequest: Sendable, Hashable {
    /// Why there is to be a load, and so what stands against it.
    public enum Purpose: Sendable, Hashable {
        /// Load if the key is not fresh, nobody loads it and no failure forbids it.
        case read
        /// Load unless another node does, fresh or not, failing or not: what is there will not do.
        case renew
        /// Invalidate, then load whatever is there and whoever loads it – unless a forced load began less than
        /// `cooldown` ago, which answers this one too. A load that was invalidated since, released, or did not end in
        /// its time answers nobody.
        case force(Invalidation, cooldown: Duration)
        /// Load, fresh or not, unless it is ``LeaseOutcome/notDue(_:)``, another node loads or a failure forbids it.
        /// A load that fails, is released or does not end in its time leaves the slot to the next who asks.
        case scheduled(ScheduledSlot)
    }

    public var purpose: Purpose
    /// How long the lease holds: the load's hard deadline and a margin.
    public var holdFor: Duration
    /// The field's ttl, as in ``EntryRead/freshFor``.
    public var freshFor: Duration
    /// The field's stale window, as in ``EntryRead/staleFor``.
    public var staleFor: Duration
    /// What the lease is to be known by. Chosen by the caller, who can so give up a lease whose grant got lost on the
    /// way. What stands before the last `/` in it, if there is one, names the holder to others; the rest is told to
    /// nobody, but for ``Lease/mark`` once the lease has ended.
    public var token: String

    /// - Parameter token: must be unique and not to be guessed; random unless given.
    public init(
        purpose: Purpose,
        holdFor: Duration,
        freshFor: Duration,
        staleFor: Duration = .zero,
        token: String = String(SystemSpawner().random(), radix: 16)
    ) {
        self.purpose = purpose
        self.holdFor = holdFor
        self.freshFor = freshFor
        self.staleFor = staleFor
        self.token = token
    }
}
