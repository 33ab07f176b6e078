import BoundedCache

/// The invalidations a store has not yet been told of, one a key: a later one replaces an earlier one, but nothing
/// softens a removal.
struct PendingInvalidations {
    /// One invalidation as it was when it was sent.
    struct Ticket {
        let key: String
        let invalidation: Invalidation
        let number: UInt64
    }

    private var tickets: [ExactKey: Ticket] = [:]
    private var lastNumber: UInt64 = 0

    mutating func add(_ invalidation: Invalidation, of key: String) {
        lastNumber += 1
        let isRemoved = tickets[key]?.invalidation == .remove
        tickets[key] = Ticket(key: key, invalidation: isRemoved ? .remove : invalidation, number: lastNumber)
    }

    func ticket(for key: String) -> Ticket? { tickets[key] }

    /// Forgets what has been sent, unless a newer one has come since.
    mutating func settle(_ ticket: Ticket) {
        if tickets[ticket.key]?.number == ticket.number { tickets[ticket.key] = nil }
    }

    var count: Int { tickets.count }

    var keys: [String] { tickets.keys.map(\.text) }
}
