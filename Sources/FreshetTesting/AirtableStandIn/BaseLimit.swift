import Freshet

/// The limit of one base: so many requests within any second, and a lock for those who do not keep to it.
struct BaseLimit: Sendable {
    var lockedUntil: MonotonicInstant?
    private var accepted: [MonotonicInstant] = []

    /// Counts a request. A request while the base is locked keeps it locked.
    mutating func refuses(at now: MonotonicInstant, _ configuration: AirtableStandIn.Configuration) -> Bool {
        accepted.removeAll { now - $0 >= .seconds(1) }
        let isLocked = lockedUntil.map { now < $0 } ?? false
        guard isLocked || accepted.count >= configuration.requestsPerSecond else {
            accepted.append(now)
            return false
        }
        lockedUntil = now + configuration.lockout
        return true
    }
}
