/// What became of a load that was to be stored.
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
