/// Why a flight was opened.
enum FlightPurpose: Sendable, Hashable {
    /// Somebody reads.
    case read
    /// Somebody forces a refresh.
    case force(Invalidation)

    var isForced: Bool { self != .read }
}

/// What somebody wants of a flight.
enum FlightWant: Sendable, Hashable {
    /// Any answer the policy allows.
    case read
    /// Something fresh, loaded at the instant or later.
    case younger(MonotonicInstant)
    /// A load that begins now, unless a forced one began since the instant.
    case force(Invalidation, unlessBegunSince: MonotonicInstant)

    var isForced: Bool { forcedSince != nil }

    /// When a forced load must have begun that will do.
    var forcedSince: MonotonicInstant? { if case .force(_, let since) = self { since } else { nil } }

    /// Whether a value out of a cache will do.
    func accepts(loadedAt instant: MonotonicInstant, isFresh: Bool) -> Bool {
        switch self {
        case .read: true
        case .younger(let limit): isFresh && instant >= limit
        case .force: false
        }
    }

    func accepts(_ entry: Entry, at now: MonotonicInstant) -> Bool {
        accepts(loadedAt: entry.loadedAt, isFresh: now < entry.freshUntil)
    }
}
