public import NIOCore

/// The entries of fields: a plain value that any other program can read, and its companion, which knows how old it is,
/// who loads it, and which loads an invalidation has made worthless. Each operation is atomic.
///
/// The life of a key: ``readEntry(_:_:)`` finds nothing fresh, ``leaseEntry(_:_:)`` grants one process the load,
/// ``fillEntry(_:_:with:)`` commits it – unless the generation has moved since, because of an
/// ``invalidateEntry(_:_:)`` or because another program wrote or deleted the plain value.
///
/// Operations throw as those of ``KeyValueStore`` do: a plain value that is a hash is `storeRejected`. A key of which
/// no
/// ``CompanionKey`` can be made is `invalidArgument`. A companion of another format, or with garbage in it, counts as
/// none at all, and the plain value beside it as another program's.
public protocol EntryStore: Sendable {
    /// Reads value, generation and times at once.
    ///
    /// A plain value that another program wrote (its digest is not the companion's) is adopted: it gets a new
    /// generation and is fresh for the smaller of its own time to live and `request.freshFor`, and then gone. A plain
    /// value that another program deleted while it was fresh takes the stale copy with it and moves the generation.
    /// Either ends the lease there may be, for its load began before.
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

    /// Ends a lease whose load failed and remembers the failure, for every process. Does nothing if the lease is lost.
    func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws

    /// Ends the lease with that token without a result, even if its holder never heard that it was granted; a forced
    /// one ends its cooldown, too. Does nothing if there is no such lease.
    func releaseEntry(_ key: String, token: String) async throws

    /// Makes every load that began before it worthless, ends the cooldown of forced loads, and tells the other
    /// processes.
    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws
}

/// Moves whenever a key is invalidated. Opaque; never equal for different states of a key.
public struct Generation: Sendable, Hashable {
    public let value: String
    public init(_ value: String) { self.value = value }
}

/// How a key is invalidated.
public enum Invalidation: Sendable, Hashable {
    /// Softly: the value is stale from now on, and gone when it would have been: at the end of the freshness and
    /// stale window it was filled with. What nobody has filled or adopted – an absence, or another program's write that
    /// nobody has read yet – is gone at once. Failures stay remembered.
    case expire
    /// Hard: nothing is left but the generation, not even the memory of failures.
    case remove
}

public struct EntryRead: Sendable, Hashable {
    /// The field's ttl: how long an adopted value is fresh at most.
    public var freshFor: Duration
    /// What the reader holds already; spares it the bytes if they are still the same.
    public var known: Known?

    public struct Known: Sendable, Hashable {
        public var generation: Generation
        public var digest: String

        public init(generation: Generation, digest: String) {
            self.generation = generation
            self.digest = digest
        }
    }

    public init(freshFor: Duration, known: Known? = nil) {
        self.freshFor = freshFor
        self.known = known
    }
}

/// What the store knew of a key at one moment. All times count from that moment, by the store's clock.
public struct EntrySnapshot: Sendable, Hashable {
    public enum Content: Sendable, Hashable {
        /// Nothing, fresh or stale.
        case gone
        case value(ByteBuffer)
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
    /// Time since the value was loaded, found unchanged or adopted. This and the next two are zero where it is gone.
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

/// A load's failure that readers get until it is time to ask the source again.
public struct EntryFailure: Sendable, Hashable {
    /// How many loads in a row have failed.
    public var count: Int
    /// Its `CacheError.Code`, by name.
    public var code: String
    public var message: String
    /// Time until the source may be asked again; zero or negative where it may.
    public var retryAfter: Duration

    public init(count: Int, code: String, message: String, retryAfter: Duration) {
        self.count = count
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }
}

public struct LeaseRequest: Sendable, Hashable {
    public enum Purpose: Sendable, Hashable {
        /// Load if the key is not fresh, nobody loads it and no failure forbids it.
        case read
        /// Load unless another node does, fresh or not, failing or not: a refresh ahead of time.
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
    /// What the lease is to be known by. Chosen by the caller, who can so give up a lease whose grant got lost on the
    /// way. What stands before the last `/` in it, if there is one, names the holder to others; the rest is told to
    /// nobody.
    public var token: String

    /// - Parameter token: must be unique and not to be guessed; random unless given.
    public init(
        purpose: Purpose,
        holdFor: Duration,
        freshFor: Duration,
        token: String = String(SystemSpawner().random(), radix: 16)
    ) {
        self.purpose = purpose
        self.holdFor = holdFor
        self.freshFor = freshFor
        self.token = token
    }
}

/// The time from one tick of a field's schedule to the next, for which one process loads.
public struct ScheduledSlot: Sendable, Hashable {
    /// When it begins, since 1970 by the store's clock, to the millisecond. The same in all processes.
    public var start: Duration
    /// Time since the last read that the asking process knows of.
    public var lastRead: Duration?
    /// After how long without a read, anywhere, the slot is left out; zero never leaves it out. Counts from the first
    /// slot that was asked for.
    public var idleAfter: Duration
    /// How long the store is to remember the slot and the last read.
    public var keepFor: Duration

    public init(start: Duration, lastRead: Duration? = nil, idleAfter: Duration, keepFor: Duration) {
        self.start = start
        self.lastRead = lastRead
        self.idleAfter = idleAfter
        self.keepFor = keepFor
    }

    /// By how much the last read may be later than the store knows, so that it is not written at every read.
    package var idleMargin: Duration { idleAfter / 8 }
}

/// Leave to load, valid while its token, generation and digest are the companion's.
public struct Lease: Sendable, Hashable {
    public let token: String
    public let generation: Generation
    /// Digest of the plain value when the lease was granted; empty where there was none.
    public let digest: String

    public init(token: String, generation: Generation, digest: String) {
        self.token = token
        self.generation = generation
        self.digest = digest
    }
}

/// The answer to a ``LeaseRequest``, each with what the store knew at that moment.
public enum LeaseOutcome: Sendable, Hashable {
    /// Load. The snapshot holds what a conditional request and a stale answer need.
    case granted(Lease, EntrySnapshot)
    /// Another process loads; the snapshot's `leaseFor` says for how long at most.
    case held(EntrySnapshot)
    /// The key is fresh, nothing is to be loaded.
    case fresh(EntrySnapshot)
    /// A failure is remembered; the snapshot's `failure` says which and for how long.
    case failing(EntrySnapshot)
    /// A forced load began within the cooldown, as the snapshot's `lastForced` says; it is under way if `leaseFor` is
    /// set. Where it found that there is no value, the content is `absent` though readers may not be told that any more.
    case coolingDown(EntrySnapshot)
    /// Nothing is to be loaded on schedule: the slot has not begun by the store's clock, nobody has read for
    /// `idleAfter`, or the slot has had its load, be it of a reader.
    case notDue(EntrySnapshot)
}

extension LeaseOutcome {
    package var snapshot: EntrySnapshot {
        get {
            switch self {
            case .granted(_, let snapshot), .held(let snapshot), .fresh(let snapshot), .failing(let snapshot),
                .coolingDown(let snapshot), .notDue(let snapshot):
                snapshot
            }
        }
        set {
            switch self {
            case .granted(let lease, _): self = .granted(lease, newValue)
            case .held: self = .held(newValue)
            case .fresh: self = .fresh(newValue)
            case .failing: self = .failing(newValue)
            case .coolingDown: self = .coolingDown(newValue)
            case .notDue: self = .notDue(newValue)
            }
        }
    }
}

/// What a load brings.
public struct EntryFill: Sendable, Hashable {
    public enum Content: Sendable, Hashable {
        /// - Parameter digest: SHA-1 of the value in hexadecimal.
        case value(ByteBuffer, digest: String)
        case absent
        /// The source says that the value the lease saw, fresh or stale, still holds. Refused as `invalidated` if
        /// the lease saw none.
        case unchanged
    }

    public var content: Content
    /// How long it is fresh; at least one millisecond.
    public var freshFor: Duration
    /// How long after that it may be served as stale.
    /// An absence has no stale window.
    public var staleFor: Duration
    /// nil with `unchanged` keeps the one there is.
    public var etag: String?
    /// The source's own time to live, for whoever finds later that the value still holds. nil as with `etag`.
    public var ttl: Duration?

    public init(
        content: Content,
        freshFor: Duration,
        staleFor: Duration = .zero,
        etag: String? = nil,
        ttl: Duration? = nil
    ) {
        self.content = content
        self.freshFor = freshFor
        self.staleFor = staleFor
        self.etag = etag
        self.ttl = ttl
    }
}

public enum FillOutcome: Sendable, Hashable {
    /// Stored, under the generation named.
    case stored(Generation)
    /// Worthless: the key was invalidated, another load took the lease, or another program wrote the plain value.
    case refused(RefusalReason)

    /// Of several reasons the first is given.
    public enum RefusalReason: String, Sendable, Hashable {
        /// The generation has moved: by an invalidation, or because a read has found another program's write.
        case invalidated
        /// Another load took the lease, or the store has forgotten it.
        case leaseLost
        /// Another program wrote or deleted the plain value, and nobody has read it since.
        case foreignWrite
    }
}
