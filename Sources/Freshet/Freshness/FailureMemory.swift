/// The failures of a process's own loads, so that a sick source is not asked on every read.
///
/// Fleet-wide memory is the store's; this one bridges the time between two looks into the store, and its absence.
///
/// What makes it forget returns what it forgets: errors have destructors, which must not run under a lock.
struct FailureMemory {
    struct Failure {
        let error: CacheError
        let count: Int
        let until: MonotonicInstant
        /// When the last of this process's own loads failed.
        var failedAt: MonotonicInstant?
        /// Whether the store remembers it too, which then decides when it is forgotten.
        var isShared = false
        /// When the store was asked that held it and no value; nil where nobody has looked, or somebody has changed the key
        /// since.
        var seenAt: MonotonicInstant?
    }

    /// A field that is read less often than that begins to count anew.
    private static let memory = Duration.seconds(24 * 3600)

    private var failures = KeyMemory<Failure>()

    /// The failure that is still to be answered with.
    func failure(of key: String, at now: MonotonicInstant) -> CacheError? {
        guard let failure = failures.value(of: key, at: now), now < failure.until else { return nil }
        var error = failure.error
        error.retryAfter = failure.until - now
        return error
    }

    /// When the store was last seen to hold no value but the failure that is still to be answered with.
    func seenAt(of key: String, at now: MonotonicInstant) -> MonotonicInstant? {
        failures.value(of: key, at: now).flatMap { now < $0.until ? $0.seenAt : nil }
    }

    /// The last failure, even if the source may be asked again by now.
    func lastFailure(of key: String, at now: MonotonicInstant) -> CacheError? {
        failures.value(of: key, at: now)?.error
    }

    /// That of this process's own load which failed no sooner than an instant.
    func lastFailure(of key: String, since instant: MonotonicInstant, at now: MonotonicInstant) -> CacheError? {
        failures.value(of: key, at: now).flatMap { failure in
            failure.failedAt.flatMap { $0 >= instant ? failure.error : nil }
        }
    }

    /// How many loads of the key have failed in a row with one that began at an instant. Loads that went on at the same
    /// time, and found the source in the same state, are one.
    ///
    /// - Parameter stored: how many there were before, as the store remembers it.
    func count(of key: String, withLoadSince begunAt: MonotonicInstant, stored: Int, at now: MonotonicInstant) -> Int {
        let last = failures.value(of: key, at: now)
        let isSame = last?.failedAt.map { begunAt < $0 } ?? false
        return max(stored + 1, (last?.count ?? 0) + (isSame ? 0 : 1))
    }

    mutating func remember(_ failure: Failure, of key: String, at now: MonotonicInstant) -> [Failure] {
        var failure = failure
        failure.failedAt = failure.failedAt ?? failures.value(of: key, at: now)?.failedAt
        return failures.remember(failure, of: key, until: max(now, failure.until) + Self.memory, at: now)
    }

    /// The store remembers the failure too.
    mutating func share(_ key: String) { failures.change(key) { $0.isShared = true } }

    mutating func believe(_ key: String, seenAt instant: MonotonicInstant) {
        failures.change(key) { $0.seenAt = instant }
    }

    /// Somebody has changed what is stored under the key: the store is to be asked whether it still remembers the failure.
    mutating func suspect(_ key: String) { failures.change(key) { $0.seenAt = nil } }

    /// The store remembers no failure of the key. If it should, somebody has removed it since; if its time is over, the
    /// store has only let go of it, and it still counts.
    mutating func forgetShared(_ key: String, at now: MonotonicInstant) -> [Failure] {
        guard let failure = failures.value(of: key, at: now), failure.isShared, now < failure.until else { return [] }
        return failures.forget(key)
    }

    mutating func forget(_ key: String) -> [Failure] { failures.forget(key) }
}

extension FieldPolicy {
    /// What a source may ask for at most.
    static let longestHint = Duration.seconds(600)

    /// How long the source is left alone after a failure.
    ///
    /// - Parameters:
    ///   - count: how many loads have failed in a row, this one included.
    ///   - hasStale: whether readers get something meanwhile.
    ///   - hint: what the source asked for.
    func pause(afterFailures count: Int, hasStale: Bool, hint: Duration?) -> Duration {
        let backoff = errorBackoff * (1 << min(max(count - 1, 0), 16))
        let pause = hasStale ? staleIfErrorThrottle : min(backoff, max(errorBackoff, .seconds(60)))
        return max(pause, min(hint ?? .zero, Self.longestHint))
    }
}
