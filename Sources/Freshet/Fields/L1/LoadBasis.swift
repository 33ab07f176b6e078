/// What the store showed of a key when a load began.
struct LoadBasis: Sendable {
    /// For how long the store remembers an invalidation at least, with a margin.
    private static let memory = Duration.seconds(50)

    /// nil where the key had none.
    let generation: Generation?
    let seenAt: MonotonicInstant
    /// Digest of the value that the store held, fresh or stale.
    let digest: String?
    /// Whether it gave leave to load, and then did not take what was loaded.
    var isLeased = false

    init(_ snapshot: EntrySnapshot, seenAt: MonotonicInstant) {
        generation = snapshot.generation
        digest = snapshot.digest
        self.seenAt = seenAt
    }

    /// Whether nothing has been invalidated since, so far as the generation tells that the key has now.
    func holds(in generation: Generation?, at now: MonotonicInstant) -> Bool {
        guard generation == self.generation else { return false }
        return generation != nil || now < seenAt + Self.memory
    }
}
