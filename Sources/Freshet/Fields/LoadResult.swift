/// What a fetcher brings from the source.
public enum LoadResult<Value: Sendable>: Sendable {
    case value(Value, LoadDetails = LoadDetails())
    /// The value the cache holds, whose validator was in ``LoadContext/etag``, still holds. What the details leave out
    /// stays as the value brought it.
    case notModified(LoadDetails)
    /// The source has no such value.
    case absent
}

extension LoadResult {
    /// The value the cache holds still holds, and so does what came with it.
    public static var notModified: LoadResult { .notModified(LoadDetails()) }
}

/// What the source says of a value besides the value.
public struct LoadDetails: Sendable, Hashable {
    /// The source's validator, handed to the next load as ``LoadContext/etag``.
    public var etag: String?
    /// Overrides the field's time to live, and goes on to do so where a later load brings `notModified` without one.
    /// Less than a millisecond counts as one.
    public var ttl: Duration?
    /// False: answer those who wait with it, and keep nothing.
    public var isCacheable: Bool

    public init(etag: String? = nil, ttl: Duration? = nil, isCacheable: Bool = true) {
        self.etag = etag
        self.ttl = ttl
        self.isCacheable = isCacheable
    }
}

/// What a fetcher is told of the load it runs.
public struct LoadContext: Sendable {
    /// The validator of the value the cache holds. A fetcher that gets one may answer ``LoadResult/notModified``.
    public var etag: String?
    /// Whether somebody forced a refresh, and so wants data newer than any cached along the way. A reader's `maxAge`
    /// alone is about this cache, and does not set it.
    public var isForced: Bool

    public init(etag: String? = nil, isForced: Bool = false) {
        self.etag = etag
        self.isForced = isForced
    }
}

/// A source of JSON that is described by configuration rather than code.
public protocol FieldSource: Sendable {
    /// - Throws: ``CacheError`` with `sourceFailed`, `sourceTimedOut` or `overloaded`; any other error becomes `sourceFailed`.
    func load(_ context: LoadContext) async throws -> LoadResult<JSONValue>
}
