import Freshet

/// The limit of a base, or of a user: so many requests within any second, and a lock for those who do not keep to it.
struct RequestLimit: Sendable {
    var lockedUntil: MonotonicInstant?
    private var accepted: [MonotonicInstant] = []

    /// Counts a request. A request while the lock lasts prolongs it.
    mutating func refuses(at now: MonotonicInstant, perSecond count: Int, lockout: Duration) -> Bool {
        accepted.removeAll { now - $0 >= .seconds(1) }
        let isLocked = lockedUntil.map { now < $0 } ?? false
        guard isLocked || accepted.count >= count else {
            accepted.append(now)
            return false
        }
        lockedUntil = now + lockout
        return true
    }
}
