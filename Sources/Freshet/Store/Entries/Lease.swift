/// Leave to load, valid while its token, generation and digest are the companion's.
public struct Lease: Sendable, Hashable {
    public let token: String
    public let generation: Generation
    /// Digest of the plain value when the lease was granted; empty where there was none.
    public let digest: String

    public init(token: String, generation: Generation, digest: String) {
        self.token = token
        self.generation = generation
        self.digest = digest
    }
}
