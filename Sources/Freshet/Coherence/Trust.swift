import Synchronization

/// How far this process believes what it holds of the store.
///
/// Without a live backplane an entry is believed for a while after it was checked with the store. With one, ten times
/// as long, since not every server tells what other programs write – if it was compared since the backplane became live:
/// a change of what was held before may have been missed.
final class Trust: Sendable {
    private static let notLive = Int64.max

    /// In nanoseconds.
    private let recheck: Int64
    private let recheckIfTold: Int64
    /// In nanoseconds of the monotonic clock. Read on every hit, hence no lock.
    private let liveSince = Atomic<Int64>(Trust.notLive)
    /// When anything may have been written last; in the same nanoseconds.
    private let writtenAt = Atomic<Int64>(Int64.min)

    /// How long an entry is believed where nobody tells of changes.
    let window: Duration
    /// How long where somebody does.
    let windowIfTold: Duration

    init(recheck: Duration) {
        window = min(max(.zero, recheck), FieldPolicy.longestTime)
        windowIfTold = window * 10
        self.recheck = window.clampedNanoseconds
        recheckIfTold = windowIfTold.clampedNanoseconds
    }

    func becameLive(at now: MonotonicInstant) { liveSince.store(now.nanoseconds, ordering: .releasing) }

    func wasLost() { liveSince.store(Self.notLive, ordering: .releasing) }

    /// Whatever was checked before has to be checked again.
    func everythingWasWritten(at now: MonotonicInstant) { writtenAt.store(now.nanoseconds, ordering: .releasing) }

    /// Whether an entry may be served without asking the store.
    func covers(_ entry: Entry, at now: MonotonicInstant) -> Bool {
        let live = liveSince.load(ordering: .acquiring)
        if live != Self.notLive, entry.comparedAt.nanoseconds <= live { return false }
        if entry.checkedAt.nanoseconds <= writtenAt.load(ordering: .acquiring) { return false }
        let isTold = live != Self.notLive && entry.generation != nil
        return entry.checkedAt.nanoseconds > now.nanoseconds - (isTold ? recheckIfTold : recheck)
    }

    /// Whether what the store said at an instant of a key that is not held may be repeated without asking it: for a while,
    /// where somebody tells of changes.
    func covers(wordOf instant: MonotonicInstant, at now: MonotonicInstant) -> Bool {
        let live = liveSince.load(ordering: .acquiring)
        guard live != Self.notLive else { return false }
        let since = max(live, writtenAt.load(ordering: .acquiring))
        return instant.nanoseconds > max(since, now.nanoseconds - recheck)
    }

    /// Whether an entry will be believed for a while yet if the store has not changed it.
    func wouldCover(_ entry: Entry, at now: MonotonicInstant) -> Bool {
        entry.known != nil && entry.checkedAt.nanoseconds > now.nanoseconds - recheckIfTold
    }
}
