import BoundedCache

/// The invalidations a store has not yet been told of, one a key: a later one replaces an earlier one, but nothing
/// softens a removal.
struct PendingInvalidations {
    /// One invalidation as it was when it was sent.
    struct Ticket {
        let key: String
        let invalidation: Invalidation
        /// Of the load that a removal is for: what is newer stays. If another load has had the key since, everything does.
        let lease: Lease?
        /// Whether the store has taken it before.
        let isRepeated: Bool
        /// That a repeated one has led to, where it is known: a store that has it need not be told.
        let generation: Generation?
        /// Whether only other processes have sent it: they repeat it, too, but for those that have ended since.
        let isOthers: Bool
        let number: UInt64

        /// Whether the store may show that it need not be told.
        var isComparable: Bool { isRepeated && (isOthers || generation != nil) }

        /// Whether a store need not be told that shows this of the key. Where it shows no value, what only others have sent
        /// it need not be told.
        func isKept(by known: EntryRead.Known?) -> Bool {
            known.map { $0.generation == generation } ?? isOthers
        }
    }

    private var tickets: [ExactKey: Ticket] = [:]
    private var lastNumber: UInt64 = 0

    mutating func add(_ invalidation: Invalidation, of key: String, under lease: Lease? = nil) {
        let last = tickets[key]
        tickets[key] = Ticket(
            key: key,
            invalidation: last?.invalidation == .remove ? .remove : invalidation,
            lease: last == nil ? lease : nil,
            isRepeated: false,
            generation: nil,
            isOthers: false,
            number: nextNumber()
        )
    }

    /// Adds one that the store has taken before, unless what is to come does the same. A removal for a load's sake does not:
    /// a store that has lost the one may have lost that load's lease.
    ///
    /// - Parameter isOthers: whether another process has sent it. What one process hears is in the store's order, so that the
    ///   last generation of it tells of all.
    mutating func addAgain(
        _ invalidation: Invalidation,
        of key: String,
        _ generation: Generation?,
        isOthers: Bool = false
    ) {
        let last = tickets[key]
        let isSofter = last?.invalidation == .remove && invalidation == .expire
        let isNew = last?.isRepeated == false
        if isNew, last?.lease == nil, isSofter || last?.invalidation == invalidation { return }
        tickets[key] = Ticket(
            key: key,
            invalidation: isSofter ? .remove : invalidation,
            lease: nil,
            isRepeated: !isNew,
            generation: isNew || (isOthers ? last?.isOthers == false : isSofter) ? nil : generation,
            isOthers: isOthers && last?.isOthers ?? true,
            number: nextNumber()
        )
    }

    private mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    func ticket(for key: String) -> Ticket? { tickets[key] }

    /// Forgets what has been sent, unless a newer one has come since.
    mutating func settle(_ ticket: Ticket) {
        if tickets[ticket.key]?.number == ticket.number { tickets[ticket.key] = nil }
    }

    /// Those of which the store may show that it need not be told.
    var comparable: [Ticket] { tickets.values.filter(\.isComparable) }

    mutating func dropRepeated() { tickets = tickets.filter { !$0.value.isRepeated } }

    var isEmpty: Bool { tickets.isEmpty }

    /// Those that the store has never taken.
    var newCount: Int { tickets.values.count { !$0.isRepeated } }

    /// - Parameter isRepeated: of those that the store has taken before, or of those that it never has.
    func keys(isRepeated: Bool) -> [String] {
        tickets.values.compactMap { $0.isRepeated == isRepeated ? $0.key : nil }
    }
}
