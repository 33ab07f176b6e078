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
        case .everything(let reason) where reason.isEndOfWatch:
            // What was told before is still to be read.
            if everything?.isEndOfWatch ?? true { everything = reason }
        case .everything(let reason):
            everything = reason
            keys = []
        case .keys(let new) where keys.count + new.count <= limit:
            keys += new
        case .keys:
            add(.everything(.overflowed))
        }
    }

    mutating func take() -> RedisInvalidation? {
        if let reason = everything {
            everything = nil
            // Where everything has changed, what came after it is part of it.
            if !reason.isEndOfWatch { keys = [] }
            return .everything(reason)
        }
        guard !keys.isEmpty else { return nil }
        defer { keys = [] }
        return .keys(keys)
    }
}

extension RedisInvalidation.Reason {
    /// Whether nobody watches any more what was read, which need not have changed.
    fileprivate var isEndOfWatch: Bool { self == .disconnected || self == .moved }
}

/// Where a reader of invalidations finds them.
typealias InvalidationMailbox = Mailbox<UnreadInvalidations, Never>

extension Mailbox<UnreadInvalidations, Never> {
    /// - Parameter limit: keys that are kept; if more change, everything has.
    convenience init(limit: Int) {
        self.init(UnreadInvalidations(limit: limit))
    }

    func put(_ invalidation: RedisInvalidation) {
        change { $0.add(invalidation) }
    }
}
