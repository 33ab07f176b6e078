import Freshet

/// How late the last turns of a shared pace came, and what that asks of the next one. Pure: it reads no clock.
///
/// A turn is told as a time from now on. Where the answer is slow, or the process is held up, its request is late, and the
/// next ones, which others send on time, are closer to it than the turns were. So what a turn may be late is kept free behind
/// it, and one that is later is let go. What is kept free is what makes requests come soonest: a little where all turns are
/// somewhat late, nothing where a few are very late.
///
/// None of that is for a process that is alone, whose requests keep their distance by themselves. Others are there while they
/// are seen: a turn that is to be waited for, long after the one before, comes after one that somebody else took.
struct TurnDelays: Sendable {
    /// Enough to outlast some slow seconds, and few enough to learn soon that all has become slower.
    private static let most = 64
    /// How many turns in a row are let go before one is taken as it is.
    private static let patience = 5

    private let interval: Duration
    /// The last ones, as they came.
    private var delays: [Duration] = []
    /// How many turns were let go since one was taken.
    private var lost = 0
    /// When the next turn comes, unless somebody else takes one first.
    private var next = MonotonicInstant.distantFuture
    /// When others were seen for the last time, and for the last but one.
    private var seen = (last: MonotonicInstant.distantPast, before: MonotonicInstant.distantPast)

    init(interval: Duration) { self.interval = interval }

    /// What a turn may be late without more. Five intervals of 215 ms are 75 ms longer than the second in which Airtable counts;
    /// the way to Airtable needs some of that.
    private var tolerance: Duration { interval / 4 }

    /// What to keep free behind the next turn: more as long as little is known, and nothing for a process that is alone.
    func allowance(at now: MonotonicInstant) -> Duration {
        hasOthers(at: now) ? max(cheapest, interval / (2 << min(delays.count, 10))) : .zero
    }

    /// Whether others were seen twice in the last 30 s, at 215 ms an interval. Once may have been a turn of this process that it
    /// never heard of.
    private func hasOthers(at now: MonotonicInstant) -> Bool { now - seen.before < interval * 140 }

    /// That for which the time of a turn is shortest, those that are let go included.
    private var cheapest: Duration {
        let sorted = delays.sorted()
        let choices = sorted.enumerated().map { index, delay in
            let allowance = max(.zero, delay - sorted[0] - tolerance)
            return (allowance, cost: (interval + allowance) / (index + 1))
        }
        return choices.lazy.filter { [interval] in $0.0 <= interval * 2 }.min { $0.cost < $1.cost }?.0 ?? .zero
    }

    /// A turn may have been given that was not taken: when the next one comes tells nothing of others.
    mutating func miss() { next = .distantFuture }

    /// A turn came.
    ///
    /// - Parameters:
    ///   - delay: from when it was asked for to now, without what it was told to wait.
    ///   - wait: what it was told to wait.
    ///   - allowance: what was kept free behind it.
    /// - Returns: whether to let it go, since it is too late.
    mutating func note(_ delay: Duration, after wait: Duration, allowance: Duration, at now: MonotonicInstant) -> Bool {
        if delays.count == Self.most { delays.removeFirst() }
        delays.append(delay)
        let lateness = delay - (delays.min() ?? delay)
        // As late as it came, it may have been the next one.
        if wait > .zero, now > next + lateness + tolerance { seen = (now, seen.last) }
        next = now + interval + allowance
        let isLate = hasOthers(at: now) && lateness > tolerance + allowance
        let isLetGo = isLate && lost < Self.patience
        // What was quickest is so no more.
        if isLate, !isLetGo { delays = [delay] }
        lost = isLetGo ? lost + 1 : 0
        return isLetGo
    }
}
