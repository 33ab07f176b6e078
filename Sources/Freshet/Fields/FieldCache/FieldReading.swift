public import NIOCore

/// The answer to a read: the value's bytes, and how they were come by.
public struct FieldReading: Sendable {
    /// What the reader got.
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

    /// Where the value came from.
    public enum Tier: Sendable, Hashable {
        /// This process.
        case l1
        /// The store.
        case l2
        case source
    }

    /// Why it is this answer and no other.
    public enum Detail: Sendable, Hashable {
        /// A forced load that had begun shortly before answered this forced refresh.
        case cooldown
        /// The store has yet to be told of this forced refresh: other processes may serve what they had until it is.
        case queued
        /// The source failed; this is what there was.
        case sourceFailed
    }

    public let status: Status
    public let tier: Tier
    /// Whether a loaded value was kept: not if an invalidation overtook the load, the fetcher said so, or it is too large
    /// for this process and the store has not taken it.
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
