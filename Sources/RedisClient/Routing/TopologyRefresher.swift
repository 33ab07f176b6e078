import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Keeps what is known of the servers up to date: one look at a time, whoever asks for it; at intervals; and again and
/// again while something is wrong.
final class TopologyRefresher: Sendable {
    private struct State {
        /// Whether a look is under way or planned.
        var isRunning = false
        var isWantedAgain = false
        /// Whether there was news since the last look began.
        var hasNews = false
        /// Whether news brought on the last look before it was due.
        var wasHurried = false
        var isClosed = false
        var rounds = 0
        /// When the next look may begin, and may for news.
        var due = NIODeadline.uptimeNanoseconds(0)
        var dueForNews = NIODeadline.uptimeNanoseconds(0)
        var backoff: Backoff
        var timer: RepeatedTask?
        /// Looks once; says whether all is well.
        var look: (@Sendable () async -> Bool)?

        /// Whether the pause is over. News ends one, but not the next as well.
        var mayLook: Bool { isClosed || (hasNews && !wasHurried) || NIODeadline.now() >= due }
    }

    /// Before a look for news.
    private static let spacing = TimeAmount.milliseconds(20)
    /// Nothing was asked for so long after a pause: the next pause is short again.
    private let quiet: TimeAmount

    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private let state: NIOLockedValueBox<State>
    private let looked: WaitList
    private let wanted: WaitList

    /// - Parameters:
    ///   - interval: zero for no looks by the clock.
    ///   - pauses: after looks, growing as long as one follows the other.
    init(
        eventLoop: any EventLoop,
        interval: Duration,
        pauses: ClosedRange<Duration> = .milliseconds(50)...Duration.milliseconds(500)
    ) {
        self.eventLoop = eventLoop
        self.interval = TimeAmount(clamping: interval)
        quiet = TimeAmount(clamping: pauses.upperBound)
        state = NIOLockedValueBox(State(backoff: Backoff(pauses)))
        looked = WaitList(eventLoop: eventLoop)
        wanted = WaitList(eventLoop: eventLoop)
    }

    /// - Parameter look: looks once; says whether all is well.
    func use(_ look: @escaping @Sendable () async -> Bool) {
        state.withLockedValue { $0.look = look }
    }

    /// Asks for a look soon.
    ///
    /// - Parameter isNews: whether a server told of a change, so that the look need not wait for the end of the pause.
    ///   Looks themselves make connections, and what becomes of those must not bring on the next look: servers that are
    ///   all away would be tried without end.
    func request(isNews: Bool = false) {
        let (starts, hurries) = state.withLockedValue { state in
            guard !state.isClosed else { return (false, false) }
            state.hasNews = state.hasNews || isNews
            if state.isRunning {
                state.isWantedAgain = true
                return (false, isNews && state.mayLook)
            }
            state.isRunning = true
            if NIODeadline.now() >= state.due + quiet { state.backoff.succeeded() }
            if state.timer == nil { state.timer = startTimer() }
            return (true, false)
        }
        if starts { Task.detached { await self.run() } } else if hurries { wanted.resumeAll() }
    }

    /// Asks for a look and returns when one has ended, or at the deadline.
    ///
    /// - Parameter isEnough: whether there is something to see already; asked after ``announce()`` too.
    func look(until deadline: NIODeadline, unless isEnough: @Sendable () -> Bool) async {
        let before = rounds
        request()
        await looked.wait(until: deadline) { self.rounds != before || isEnough() }
    }

    /// Looks until something is known, or a look failed for a reason other than that it took too long.
    func find(
        until deadline: NIODeadline,
        isKnown: @Sendable () -> Bool,
        failure: () -> RedisClientError?
    ) async {
        while !isKnown(), NIODeadline.now() < deadline, !Task.isCancelled, !isClosed {
            await look(until: deadline, unless: isKnown)
            if let failure = failure(), !failure.isTimeout { return }
        }
    }

    /// Returns when a look has ended, or something is known.
    ///
    /// - Throws: `RedisClientError` where waiting is of no use; at the deadline, with a message.
    func discover(
        until deadline: NIODeadline,
        orThrow message: String,
        _ knowledge: @Sendable () -> (isKnown: Bool, isClosed: Bool, failure: RedisClientError?)
    ) async throws(RedisClientError) {
        await look(until: deadline) { knowledge().isKnown }
        let (isKnown, isClosed, failure) = knowledge()
        if isKnown { return }
        if isClosed { throw RedisClientError.clientClosed }
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
        if let failure, failure.isLasting { throw failure }
        if NIODeadline.now() >= deadline { throw RedisClientError(.timedOut, message, underlying: failure) }
    }

    private var isClosed: Bool { state.withLockedValue { $0.isClosed } }

    private var rounds: Int { state.withLockedValue { $0.rounds } }

    /// Lets those go on who wait for a look: there is something to see already.
    func announce() {
        looked.resumeAll()
    }

    /// Ends the looks and lets everyone go who waits for one.
    func close() {
        let timer = state.withLockedValue { state in
            state.isClosed = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.cancel()
        looked.open()
        wanted.open()
    }

    private func startTimer() -> RepeatedTask? {
        if interval == .zero { return nil }
        // An event loop on which something is always due comes to nothing else.
        let interval = max(interval, .milliseconds(1))
        return eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.request()
        }
    }

    private func run() async {
        while true {
            await pauseIsOver()
            if isClosed { return }
            let isWell = await state.withLockedValue({ $0.look })?() ?? true
            let goesOn = state.withLockedValue { state in
                state.rounds += 1
                state.due = .now() + state.backoff.next()
                state.dueForNews = .now() + Self.spacing
                state.isRunning = !state.isClosed && (!isWell || state.isWantedAgain)
                return state.isRunning
            }
            looked.resumeAll()
            guard goesOn else { return }
        }
    }

    private func pauseIsOver() async {
        let (due, earliest) = state.withLockedValue { ($0.due, min($0.due, $0.dueForNews)) }
        while !isClosed, NIODeadline.now() < earliest { await wanted.wait(until: earliest) { self.isClosed } }
        while !mayLook { await wanted.wait(until: due) { self.mayLook } }
        state.withLockedValue { state in
            state.wasHurried = NIODeadline.now() < state.due
            (state.isWantedAgain, state.hasNews) = (false, false)
        }
    }

    private var mayLook: Bool { state.withLockedValue { $0.mayLook } }
}
