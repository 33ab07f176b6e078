internal import NIOCore

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

    /// Names the lease to those who need not know its token: the first 15 digits of the token's SHA-1.
    public var mark: String { String(ByteBuffer(string: token).sha1.prefix(15)) }
}
