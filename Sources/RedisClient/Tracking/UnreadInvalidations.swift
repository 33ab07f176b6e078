import RESP

/// Invalidations that nobody has taken, put together so that they never need more than so much room.
struct UnreadInvalidations: MailboxContents {
    private let limit: Int
    private var keys: [String] = []
    private var everything: RedisInvalidation.Reason?

    /// - Parameter limit: keys that are kept; if more change, everything has.
    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ invalidation: RedisInvalidation) {
        switch invalidation {
        case .everything(let reason):
            everything = reason
            keys = []
        case .keys(let new) where keys.count + new.count <= limit:
            keys += new
        case .keys:
            everything = everything ?? .overflowed
            keys = []
        }
    }

    mutating func take() -> RedisInvalidation? {
        if let reason = everything {
            // What came after it is part of it.
            (everything, keys) = (nil, [])
            return .everything(reason)
        }
        guard !keys.isEmpty else { return nil }
        defer { keys = [] }
        return .keys(keys)
    }
}
