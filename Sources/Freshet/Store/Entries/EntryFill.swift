public import NIOCore

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
    /// How long after that it may be served as stale. An absence has no stale window.
    public var staleFor: Duration
    /// nil with `unchanged` keeps the one there is.
    public var etag: String?
    /// The source's own time to live, for whoever finds later that the value still holds. nil as with `etag`.
    public var ttl: Duration?
    /// Time from the grant of the lease to the end of the load, at the least: what the fill took on its way counts to
    /// the value's age. nil where the load ended just now.
    public var loadedAfter: Duration?

    public init(
        content: Content,
        freshFor: Duration,
        staleFor: Duration = .zero,
        etag: String? = nil,
        ttl: Duration? = nil,
        loadedAfter: Duration? = nil
    ) {
        self.content = content
        self.freshFor = freshFor
        self.staleFor = staleFor
        self.etag = etag
        self.ttl = ttl
        self.loadedAfter = loadedAfter
    }
}
