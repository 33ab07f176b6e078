/// The token by which a database with replicas lets a reader see what was written before.
///
/// It is taken when a request is sent. Tokens cannot be compared: of requests that were under way at the same time, one
/// that may have written tells a newer one than one that only read, for a replica may have answered that; of two
/// alike it is the one that was sent later, although the service may have run them the other way round.
struct SyncToken {
    private struct Known {
        let value: String
        let number: UInt64
        let isOfWrite: Bool
        /// Requests up to this one were sent before the token was known.
        let sentBefore: UInt64
    }

    private var known: Known?
    private var lastSent: UInt64 = 0

    /// Numbers a request, and tells the token it is to carry.
    mutating func send() -> (number: UInt64, token: String?) {
        lastSent += 1
        return (lastSent, known?.value)
    }

    mutating func receive(_ value: String, by number: UInt64, isWrite: Bool) {
        if let known, number <= known.sentBefore {
            let isNewer = isWrite == known.isOfWrite ? number > known.number : isWrite
            guard isNewer else { return }
        }
        known = Known(value: value, number: number, isOfWrite: isWrite, sentBefore: lastSent)
    }
}
