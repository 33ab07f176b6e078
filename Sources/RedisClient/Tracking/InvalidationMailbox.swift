import RESP

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
