/// What is known of a field without asking its source.
public struct FieldState: Sendable, Hashable {
    /// Where the value is in its life.
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
    /// Time since the value, or its absence, was loaded; nil with `gone` and `unknown`.
    public var age: Duration?
    /// What is left of its freshness; negative once it is stale.
    public var timeToLive: Duration?
    /// What the last load failed with, while that is remembered.
    public var failure: String?
    /// Whether this process loads it.
    public var isLoading: Bool
    /// Size of the value as JSON.
    public var bytes: Int?
    /// Time until the field's next scheduled refresh; nil where it has no schedule, or that pauses.
    public var nextRefresh: Duration?
    /// Whether scheduled refresh pauses, because nobody reads the field.
    public var isIdle = false
}
