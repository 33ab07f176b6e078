import NIOCore

/// What a ``MemoryStore`` keeps under one key: the plain value that every program sees, and the companion of a field.
struct MemoryStoreRecord: Sendable {
    struct Plain: Sendable {
        enum Content: Sendable {
            case string(ByteBuffer)
            case hash(MemoryStoreHash)
        }

        var content: Content
        /// nil where it does not expire.
        var deadline: MonotonicInstant?
        /// SHA-1 of a string that is the companion's; nil where that has not been looked at since it was written.
        var digest: String?
    }

    struct Companion: Sendable {
        var generation: Generation
        /// The value or absence it knows.
        var known: Known?
        var lease: HeldLease?
        var forced: ForcedLoad?
        var failure: Failure?
        var schedule: Schedule?
        /// When all of it may be forgotten.
        var end: MonotonicInstant
    }

    struct Known: Sendable {
        /// nil for an absence.
        var digest: String?
        var etag: String?
        var ttl: Duration?
        var created: MonotonicInstant
        var freshUntil: MonotonicInstant
        /// The distant past once a lease has found it gone.
        var staleUntil: MonotonicInstant
        /// When the plain value ends that holds this; nil where none should.
        var plainUntil: MonotonicInstant?
        /// What is served once the plain value is gone.
        var staleCopy: ByteBuffer?
    }

    struct HeldLease: Sendable {
        let token: String
        let start: MonotonicInstant
        let until: MonotonicInstant

        var holder: String? { token.lastIndex(of: "/").map { String(token[..<$0]) } }
    }

    struct ForcedLoad: Sendable {
        let token: String
        let start: MonotonicInstant
        /// How long it was said to be remembered.
        let until: MonotonicInstant
    }

    struct Schedule: Sendable {
        /// The last slot that has had its load or is having it, since 1970; nil if that load came to nothing.
        var slot: Duration?
        /// Token of that load's lease.
        var token: String?
        var lastRead: MonotonicInstant
        var until: MonotonicInstant
    }

    struct Failure: Sendable {
        let count: Int
        let code: String
        let message: String
        let until: MonotonicInstant
    }

    var plain: Plain?
    var companion: Companion?

    var isEmpty: Bool { plain == nil && companion == nil }

    /// When there is nothing left of it; nil if never.
    var end: MonotonicInstant? {
        let plainEnd = plain.map { $0.deadline ?? .distantFuture } ?? companion?.end ?? .distantFuture
        let end = max(plainEnd, companion?.end ?? plainEnd)
        return end == .distantFuture ? nil : end
    }

    /// Drops what is over.
    mutating func forget(at now: MonotonicInstant) {
        if let deadline = plain?.deadline, deadline <= now { plain = nil }
        if let end = companion?.end, end <= now { companion = nil }
    }

    /// The plain value's bytes.
    ///
    /// - Throws: `storeRejected` where it is no string.
    func string() throws -> ByteBuffer? {
        switch plain?.content {
        case nil: return nil
        case .string(let bytes): return bytes
        case .hash: throw Self.wrongType
        }
    }

    /// The plain value's fields.
    ///
    /// - Throws: `storeRejected` where it is no hash.
    func hash() throws -> MemoryStoreHash? {
        switch plain?.content {
        case nil: return nil
        case .hash(let hash): return hash
        case .string: throw Self.wrongType
        }
    }

    /// Changes the plain value's fields where they are, so that a large hash is not copied. Only where ``hash()`` does
    /// not throw.
    mutating func changeHash(_ change: (inout MemoryStoreHash) -> Int) -> Int {
        var hash = MemoryStoreHash()
        if case .hash(let held) = plain?.content { hash = held }
        plain?.content = .hash(MemoryStoreHash())
        let count = change(&hash)
        plain = hash.fields.isEmpty ? nil : Plain(content: .hash(hash), deadline: plain?.deadline)
        return count
    }

    private static var wrongType: CacheError {
        CacheError(.storeRejected, "WRONGTYPE the key holds a value of another type").ofKey(true)
    }
}

extension MemoryStoreRecord {
    /// What an empty one takes in the cache: itself, its key, links and places in tables.
    private static let ownWeight = MemoryLayout<Self>.stride + 80

    /// Bytes, about.
    var weight: Int {
        var weight = Self.ownWeight
        switch plain?.content {
        case nil: break
        case .string(let bytes): weight += bytes.readableBytes
        case .hash(let hash): weight += hash.weight
        }
        guard let companion else { return weight }
        weight += 64 + (companion.failure?.message.utf8.count ?? 0) + (companion.known?.etag?.utf8.count ?? 0)
        // The stale copy shares the storage of the plain value it is the copy of.
        if plain?.digest == nil { weight += companion.known?.staleCopy?.readableBytes ?? 0 }
        return weight
    }
}

extension ByteBuffer {
    /// The same bytes in storage that is no part of a much larger buffer.
    var compact: ByteBuffer {
        storageCapacity > 2 * readableBytes + 256 ? ByteBuffer(bytes: readableBytesView) : self
    }
}
