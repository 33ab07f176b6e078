/// How a key is invalidated.
public enum Invalidation: Sendable, Hashable {
    /// Softly: the value is stale from now on, and gone when it would have been: at the end of the freshness and
    /// stale window it was filled with. What nobody has filled or adopted – an absence, or another program's write that
    /// nobody has read yet – is gone at once. Failures stay remembered.
    case expire
    /// Hard: nothing is left but the generation, not even the memory of failures.
    case remove
}
