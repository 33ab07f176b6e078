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
