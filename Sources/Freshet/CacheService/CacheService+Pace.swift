extension CacheService {
    /// What all processes on the store ask metered sources by; nil where the store is this process' own, or keeps none.
    ///
    /// A call to it takes no longer than any to the store, and none while the store is away.
    public var pace: (any SharedPace)? { store.pace }
}
