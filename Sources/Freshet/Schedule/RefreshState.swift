/// What came of asking for a slot's load.
enum SlotAnswer: Sendable, Hashable {
    /// This process has loaded.
    case loaded
    /// The slot has had its load, or has not begun yet by the store's clock.
    case notDue
    /// Nobody has read the field for long.
    case idle
    /// Another load goes on, for so long at most.
    case held(for: Duration)
    /// The source failed, here or elsewhere, and is left alone for so long.
    case failed(pause: Duration)
    /// The store did not answer, or an invalidation has overtaken the load.
    case unavailable
}

enum RefreshAction: Sendable, Hashable {
    /// Ask for the slot's load, and hand the answer to ``RefreshState/answered(_:at:)``.
    case ask(ScheduledSlot)
    /// Call ``RefreshState/wake(at:)`` then, and at no time that was set before.
    case sleep(until: Duration)
    /// Say that the schedule pauses, or that it goes on.
    case tell(isPaused: Bool)
}

/// When a process asks for the scheduled loads of a field. Pure: no task, no clock; times are since 1970 by the store's
/// clock.
///
/// ```
///         start             answered
///  ● ──────────────▶ asking ────────▶ waiting ◀──┐ wake, nothing due
///                      ▲                 │ └─────┘
///                      └─────────────────┘ wake: a slot has begun, a pause is over, reads are to be told; read while
///                      paused
/// ```
/// One load at a time: slots that begin while it goes on are left out. A slot that passed while no process ran is made
/// up for at the start.
struct RefreshState: Sendable {
    private enum Phase: Sendable {
        case stopped
        case asking(slot: Duration)
        /// `until` may come before `due`, to look whether there were reads.
        case waiting(until: Duration, due: Duration)
    }

    /// Between attempts, at least; and what the store is given to come back.
    private static let shortestPause = Duration.seconds(1)
    private static let storePause = Duration.seconds(5)

    private let grid: SlotGrid
    private let idleAfter: Duration
    private var phase = Phase.stopped
    private var lastRead: Duration?
    /// The last read that the store was told of.
    private var toldRead: Duration?
    /// Whether it pauses because nobody reads.
    private(set) var isPaused = false

    init(_ grid: SlotGrid, idleAfter: Duration) {
        self.grid = grid
        self.idleAfter = idleAfter
    }

    mutating func start(at now: Duration) -> [RefreshAction] { ask(at: now) }

    mutating func wake(at now: Duration) -> [RefreshAction] {
        guard case .waiting(let until, let due) = phase else { return [] }
        if now < until { return [.sleep(until: until)] }
        return now >= due || hasMuchToTell ? ask(at: now) : rest(until: due, at: now)
    }

    /// Somebody has read here.
    mutating func read(at now: Duration) -> [RefreshAction] {
        lastRead = now
        guard isPaused, case .waiting = phase else { return [] }
        return ask(at: now)
    }

    mutating func answered(_ answer: SlotAnswer, at now: Duration) -> [RefreshAction] {
        let next = grid.next(after: now)
        switch answer {
        case .idle where lastRead != toldRead:
            return ask(at: now)
        case .idle:
            return setPaused(true) + rest(until: next, at: now)
        case .notDue where hasNewSlot(at: now):
            return setPaused(false) + ask(at: now)
        case .loaded, .notDue:
            return setPaused(false) + rest(until: next, at: now)
        case .held(let time):
            // Whoever loads may die of it.
            return setPaused(false) + rest(until: min(next, now + max(time, .milliseconds(1))), at: now)
        case .failed(let time):
            return setPaused(false) + rest(until: now + max(time, Self.shortestPause), at: now)
        case .unavailable:
            return rest(until: min(max(next, now + Self.shortestPause), now + Self.storePause), at: now)
        }
    }

    /// When the field is refreshed next; nil while it pauses.
    func next(at now: Duration) -> Duration? {
        switch phase {
        case .waiting where isPaused: nil
        case .waiting(_, let due): max(due, now)
        case .asking, .stopped: now
        }
    }

    private mutating func ask(at now: Duration) -> [RefreshAction] {
        let start = grid.slot(at: now)
        phase = .asking(slot: start)
        toldRead = lastRead
        let slot = ScheduledSlot(
            start: start,
            lastRead: lastRead.map { max(.zero, now - $0) },
            idleAfter: idleAfter,
            keepFor: grid.next(after: now) - now + idleAfter + .seconds(60)
        )
        return [.ask(slot)]
    }

    private mutating func rest(until due: Duration, at now: Duration) -> [RefreshAction] {
        // While it pauses, every read is noted at once.
        let look = idleAfter > .zero && !isPaused ? now + max(idleAfter / 8, Self.shortestPause) : due
        let until = min(due, look)
        phase = .waiting(until: until, due: due)
        return [.sleep(until: until)]
    }

    private mutating func setPaused(_ isPaused: Bool) -> [RefreshAction] {
        guard isPaused != self.isPaused else { return [] }
        self.isPaused = isPaused
        return [.tell(isPaused: isPaused)]
    }

    /// Whether a slot has begun since the one that was asked for, as it may once the store's clock is known.
    private func hasNewSlot(at now: Duration) -> Bool {
        if case .asking(let slot) = phase { grid.slot(at: now) > slot } else { false }
    }

    /// Whether the store knows of no read that is nearly as late as the last one.
    private var hasMuchToTell: Bool {
        guard let lastRead else { return false }
        return toldRead.map { lastRead > $0 + idleAfter / 8 } ?? true
    }
}
