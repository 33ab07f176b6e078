import Freshet

/// Decides who may ask a base when. Pure: it reads no clock and wakes nobody.
///
/// Open, it lets one through per interval, first come first served. Closed, it refuses everybody at once, those who
/// wait too, since a wait longer than the closure helps nobody and a probe would keep the base locked.
struct LimiterState: Sendable {
    typealias ID = UInt64

    let interval: Duration
    private var nextSlot = MonotonicInstant(nanoseconds: .min)
    private(set) var closedUntil = MonotonicInstant(nanoseconds: .min)
    private var queue: [ID] = []
    private var isTimerSet = false

    init(interval: Duration) { self.interval = interval }

    /// How many wait.
    var waiting: Int { queue.count }

    enum Entry: Hashable {
        /// Ask now.
        case go
        /// Wait; and set the timer, if it is not set already.
        case wait(timer: MonotonicInstant?)
        /// Closed for so long.
        case closed(Duration)
    }

    mutating func enter(_ id: ID, at now: MonotonicInstant) -> Entry {
        if now < closedUntil { return .closed(closedUntil - now) }
        if queue.isEmpty, now >= nextSlot {
            nextSlot = now + interval
            return .go
        }
        queue.append(id)
        return .wait(timer: setTimer())
    }

    /// The timer rang: who may ask now, and when it should ring next.
    mutating func timerRang(at now: MonotonicInstant) -> (granted: ID?, timer: MonotonicInstant?) {
        isTimerSet = false
        guard !queue.isEmpty else { return (nil, nil) }
        guard now >= nextSlot else { return (nil, setTimer()) }
        let id = queue.removeFirst()
        nextSlot = now + interval
        return (id, setTimer())
    }

    /// - Returns: whether it was waiting.
    mutating func leave(_ id: ID) -> Bool {
        guard let index = queue.firstIndex(of: id) else { return false }
        queue.remove(at: index)
        return true
    }

    /// Closes, for those who wait too. A closure never ends earlier than the one before.
    mutating func close(until instant: MonotonicInstant) -> [ID] {
        closedUntil = max(closedUntil, instant)
        defer { queue = [] }
        return queue
    }

    private mutating func setTimer() -> MonotonicInstant? {
        guard !isTimerSet, !queue.isEmpty else { return nil }
        isTimerSet = true
        return nextSlot
    }
}
