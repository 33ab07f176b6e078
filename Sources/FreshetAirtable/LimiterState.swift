import Freshet

/// Decides who may ask which base of an endpoint when. Pure: it reads no clock and wakes nobody.
///
/// A base that is open lets one through per interval, first come first served; a token one per tenth of it, whatever the
/// bases. The base whose turn came first goes first then, so that none waits behind the queue of another. A closed base
/// refuses everybody at once, those who wait too, since a wait longer than the closure helps nobody and a probe would
/// keep the base locked.
///
/// A refusal does not say whose limit it was, the base's or that of the token's user. Where another base is refused
/// while the first one is closed, and no page came with the token in between, the token is closed, too: of ten bases,
/// asked one after the other, each would prolong the lock of all.
struct LimiterState: Sendable {
    typealias ID = UInt64

    /// Why nobody may ask a base.
    enum Closure: Hashable {
        case rateLimit
        /// As `rateLimit`, of all bases that are asked with the token.
        case rateLimitOfToken
        /// The month's calls are spent.
        case quota
    }

    private struct Base {
        var nextSlot = MonotonicInstant.distantPast
        var closedUntil = MonotonicInstant.distantPast
        /// Why it was closed last.
        var closure = Closure.rateLimit
        var queue: [(id: ID, token: String, since: MonotonicInstant, holds: Bool)] = []
        /// Whether whoever had the last turn has yet to ask.
        var isHeld = false
    }

    private struct Token {
        var nextSlot = MonotonicInstant.distantPast
        var closedUntil = MonotonicInstant.distantPast
        /// The base that was refused last, and until when it is closed; nil once a page has come since.
        var refused: (base: String, until: MonotonicInstant)?
    }

    /// Of the first one who waits for a base.
    private struct Turn {
        let base: String
        let id: ID
        let token: String
        let holds: Bool
        /// When it may ask as far as the base goes, and as far as all goes.
        let due, instant: MonotonicInstant
    }

    let interval: Duration
    private var bases: [String: Base] = [:]
    private var tokens: [String: Token] = [:]
    /// The only timer that counts.
    private var timer: MonotonicInstant?

    init(interval: Duration) { self.interval = interval }

    /// How many wait.
    var waiting: Int { bases.values.reduce(0) { $0 + $1.queue.count } }

    enum Entry: Hashable {
        /// Ask now.
        case go
        /// Wait; and set the timer, if it is not set already.
        case wait(timer: MonotonicInstant?)
        /// Closed for so long.
        case closed(Duration, Closure)
    }

    /// - Parameter holds: whether the turn begins before the slot is there, and nobody else has one before ``release``.
    mutating func enter(
        _ id: ID,
        base name: String,
        token: String,
        holds: Bool = false,
        at now: MonotonicInstant
    ) -> Entry {
        if let (time, closure) = closure(of: name, token: token, at: now) { return .closed(time, closure) }
        bases[name, default: Base()].queue.append((id, token, now, holds))
        if let next, next.id == id, next.instant <= now {
            take(next, at: now)
            return .go
        }
        return .wait(timer: setTimer())
    }

    /// A timer that was set for an instant rang: who may ask now, and when another one should ring.
    mutating func timerRang(
        for instant: MonotonicInstant,
        at now: MonotonicInstant
    ) -> (granted: ID?, timer: MonotonicInstant?) {
        // An earlier one has taken its place.
        guard instant == timer else { return (nil, nil) }
        timer = nil
        guard let next, next.instant <= now else { return (nil, setTimer()) }
        take(next, at: now)
        return (next.id, setTimer())
    }

    /// - Returns: whether it was waiting.
    mutating func leave(_ id: ID, base: String) -> Bool {
        guard let index = bases[base]?.queue.firstIndex(where: { $0.id == id }) else { return false }
        bases[base]?.queue.remove(at: index)
        return true
    }

    /// Whoever holds a base is about to ask it.
    ///
    /// - Returns: nil if that may be now; else how long to wait, and then to try again.
    mutating func useSlot(_ name: String, token: String, at now: MonotonicInstant) -> Duration? {
        let slot = max(bases[name]?.nextSlot ?? .distantPast, tokens[token]?.nextSlot ?? .distantPast)
        guard slot <= now else { return slot - now }
        takeSlot(name, token: token, at: now)
        return nil
    }

    /// Whoever holds a base has asked it, or will not.
    ///
    /// - Returns: when another timer should ring.
    mutating func release(_ name: String) -> MonotonicInstant? {
        bases[name]?.isHeld = false
        return setTimer()
    }

    /// One who waits no longer.
    struct Refused: Hashable {
        let id: ID
        let base: String
        /// How long the base stays closed to it.
        let time: Duration
        let closure: Closure
    }

    /// Closes a base, for those who wait for it too, and the token with which it was asked if that seems to be the cause.
    /// A closure never ends earlier than the one before.
    ///
    /// - Parameter token: nil where another process was refused: that is no cause to close the token in this one.
    mutating func close(
        _ name: String,
        token: String?,
        until instant: MonotonicInstant,
        because closure: Closure,
        at now: MonotonicInstant
    ) -> [Refused] {
        var base = bases[name] ?? Base()
        if instant >= base.closedUntil { (base.closedUntil, base.closure) = (instant, closure) }
        bases[name] = base
        if closure == .rateLimit, let token {
            var asked = tokens[token] ?? Token()
            if let before = asked.refused, before.base != name, now < before.until {
                asked.closedUntil = max(asked.closedUntil, before.until, instant)
            }
            asked.refused = (name, instant)
            tokens[token] = asked
        }
        var refused: [Refused] = []
        for (other, base) in bases {
            for waiter in base.queue where other == name || waiter.token == token {
                guard let (time, closure) = self.closure(of: other, token: waiter.token, at: now) else { continue }
                refused.append(Refused(id: waiter.id, base: other, time: time, closure: closure))
            }
        }
        for waiter in refused { _ = leave(waiter.id, base: waiter.base) }
        return refused
    }

    /// For how long nobody may ask a base with a token, and why; `nil` if they may.
    func closure(
        of name: String,
        token: String,
        at now: MonotonicInstant
    ) -> (time: Duration, closure: Closure)? {
        let base = bases[name] ?? Base()
        let ofToken = tokens[token]?.closedUntil ?? .distantPast
        let last = max(base.closedUntil, ofToken)
        guard now < last else { return nil }
        return (last - now, base.closedUntil < ofToken ? .rateLimitOfToken : base.closure)
    }

    /// A page came: the user's limit is not exceeded.
    mutating func answered(token: String) { tokens[token]?.refused = nil }

    /// Whose turn comes first.
    private var next: Turn? {
        bases.lazy.filter { !$1.isHeld }.compactMap { name, base in
            base.queue.first.map { head in
                let due = head.holds ? head.since : max(base.nextSlot, head.since)
                let instant = head.holds ? due : max(due, tokens[head.token]?.nextSlot ?? .distantPast)
                return Turn(base: name, id: head.id, token: head.token, holds: head.holds, due: due, instant: instant)
            }
        }.min { ($0.instant, $0.due, $0.id) < ($1.instant, $1.due, $1.id) }
    }

    private mutating func take(_ turn: Turn, at now: MonotonicInstant) {
        bases[turn.base]?.queue.removeFirst()
        if turn.holds { bases[turn.base]?.isHeld = true } else { takeSlot(turn.base, token: turn.token, at: now) }
    }

    private mutating func takeSlot(_ name: String, token: String, at now: MonotonicInstant) {
        bases[name]?.nextSlot = now + interval
        tokens = tokens.filter { now < max($0.value.nextSlot, $0.value.closedUntil, $0.value.refused?.until ?? now) }
        tokens[token, default: Token()].nextSlot = now + interval / 10
    }

    private mutating func setTimer() -> MonotonicInstant? {
        guard let instant = next?.instant, instant < timer ?? .distantFuture else { return nil }
        timer = instant
        return instant
    }
}
