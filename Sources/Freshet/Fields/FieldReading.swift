public import NIOCore

/// The answer to a read: the value's bytes, and how they were come by.
public struct FieldReading: Sendable {
    public enum Status: Sendable, Hashable {
        /// Fresh, out of a cache.
        case hit
        /// Past its freshness, out of a cache.
        case stale
        /// Loaded for this reader and those who waited with it.
        case loaded
        /// A forced refresh.
        case refreshed
    }

    public enum Tier: Sendable, Hashable {
        /// This process.
        case l1
        /// The store.
        case l2
        case source
    }

    public enum Detail: Sendable, Hashable {
        /// A forced load that had begun shortly before answered this forced refresh.
        case cooldown
        /// The source failed; this is what there was.
        case sourceFailed
    }

    public let status: Status
    public let tier: Tier
    /// Whether a loaded value was kept: not if an invalidation overtook the load, or the fetcher said so.
    public let isStored: Bool
    public let detail: Detail?
    @usableFromInline
    let payload: Payload
    private let loadedAt: MonotonicInstant
    private let freshUntil: MonotonicInstant
    private let instant: MonotonicInstant

    init(
        _ entry: Entry,
        _ payload: Payload,
        at instant: MonotonicInstant,
        status: Status,
        tier: Tier,
        isStored: Bool = true,
        detail: Detail? = nil
    ) {
        self.payload = payload
        loadedAt = entry.loadedAt
        freshUntil = entry.freshUntil
        self.instant = instant
        self.status = status
        self.tier = tier
        self.isStored = isStored
        self.detail = detail
    }

    /// The value as JSON, encoded once however often it is read.
    public var bytes: ByteBuffer { payload.bytes }

    /// An opaque validator of the bytes, without quotes; the same on every node.
    public var etag: String { payload.digest }

    /// Time since the value was loaded.
    public var age: Duration { max(.zero, instant - loadedAt) }

    /// What is left of its freshness; negative once it is stale.
    public var timeToLive: Duration { freshUntil - instant }
}

/// The answer to a read of a typed field: ``value`` and everything of ``FieldReading``.
@dynamicMemberLookup
public struct FieldRead<Value: Sendable>: Sendable {
    public let value: Value
    public let reading: FieldReading

    @usableFromInline
    init(value: Value, reading: FieldReading) {
        self.value = value
        self.reading = reading
    }

    public subscript<Member>(dynamicMember path: KeyPath<FieldReading, Member>) -> Member { reading[keyPath: path] }
}

/// What is known of a field without asking its source.
public struct FieldState: Sendable, Hashable {
    public enum Freshness: String, Sendable, Hashable {
        case fresh
        case stale
        /// It is remembered that the source has no value.
        case absent
        case gone
        /// The store is away and this process holds nothing.
        case unknown
    }

    public var freshness: Freshness
    public var age: Duration?
    /// Negative once it is stale.
    public var timeToLive: Duration?
    /// What the last load failed with, while that is remembered.
    public var failure: String?
    public var isLoading: Bool
    /// Size of the value.
    public var bytes: Int?
    /// Time until the field's next scheduled refresh; nil where it has no schedule, or that pauses.
    public var nextRefresh: Duration?
    /// Whether scheduled refresh pauses, because nobody reads the field.
    public var isIdle = false
}

/// Whether an invalidation has reached the store.
public enum InvalidationOutcome: Sendable, Hashable {
    case done
    /// The store is away: the invalidation holds in this process, and is sent before the store is read again.
    case queued
}
