/// What may be wrong with a field's policy.
package enum FieldAdvice: Sendable, Hashable {
    /// The source changes far more seldom than it is asked: this ttl would serve as well.
    case longerTTL(loads: Int, changes: Int, ttl: Duration)
    /// As seldom as that, the schedule could ask it.
    case longerInterval(loads: Int, changes: Int, interval: Duration)
    /// The value is gone before the next reader comes: with this ttl he would find it.
    case expiresUnread(count: Int, gap: Duration, ttl: Duration)
    /// The value holds links that die before it does.
    case dyingLinks(lifetime: Duration, served: Duration)
}

/// Judges a policy by what has happened: pure.
enum Adviser {
    /// Fewer loads than this say nothing.
    private static let leastLoads = 12

    static func advice(on history: FieldHistory, _ policy: FieldPolicy, at now: MonotonicInstant) -> [FieldAdvice] {
        [askedTooOften(history, policy, at: now), expiresUnread(history, policy), dyingLinks(history, policy)]
            .compactMap(\.self)
    }

    /// Half the mean time between changes, if four of five loads bring nothing new and that is twice the ttl, or the
    /// schedule's interval, or more.
    private static func askedTooOften(
        _ history: FieldHistory,
        _ policy: FieldPolicy,
        at now: MonotonicInstant
    ) -> FieldAdvice? {
        guard let since = history.since, history.loads >= leastLoads, history.changes * 5 <= history.loads
        else { return nil }
        var time = (now - since) / (2 * max(history.changes, 1))
        if history.hasDyingLinks { time = min(time, ContentDigest.linkLifetime - policy.staleWindow) }
        let interval = policy.refreshEvery?.interval ?? policy.ttl
        guard let longer = round(time), longer >= min(policy.ttl, interval) * 2 else { return nil }
        return interval < policy.ttl
            ? .longerInterval(loads: history.loads, changes: history.changes, interval: longer)
            : .longerTTL(loads: history.loads, changes: history.changes, ttl: longer)
    }

    /// If four of five loads that had to be came long after the value's end: there is a reader, but too late.
    private static func expiresUnread(_ history: FieldHistory, _ policy: FieldPolicy) -> FieldAdvice? {
        guard history.lateLoads >= leastLoads, history.lateLoads * 5 >= history.dueLoads * 4 else { return nil }
        let gap = history.lateGaps / history.lateLoads
        guard let ttl = round(gap * 2), ttl > gap, ttl > policy.ttl else { return nil }
        return .expiresUnread(count: history.lateLoads, gap: gap, ttl: ttl)
    }

    private static func dyingLinks(_ history: FieldHistory, _ policy: FieldPolicy) -> FieldAdvice? {
        let served = policy.ttl + policy.staleWindow
        guard history.hasDyingLinks, served > ContentDigest.linkLifetime else { return nil }
        return .dyingLinks(lifetime: ContentDigest.linkLifetime, served: served)
    }

    /// The longest time a person would write that is no longer than this.
    private static func round(_ time: Duration) -> Duration? {
        let seconds = [1, 2, 5, 10, 15, 20, 30, 45]
        let hours = [1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 168]
        let times = seconds + seconds.map { $0 * 60 } + hours.map { $0 * 3600 }
        return times.last { .seconds($0) <= time }.map { .seconds($0) }
    }
}
