import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Keeps what is known of the servers up to date: one look at a time, whoever asks for it; at intervals; and again and
/// again while something is wrong.
final class TopologyRefresher: Sendable {
    private struct State {
        var isRunning = false
        var isWantedAgain = false
        /// Whether the pause after a look that found something wrong is over.
        var isHurried = false
        var isClosed = false
        var rounds = 0
        var timer: RepeatedTask?
        /// Looks once; says whether all is well.
        var look: (@Sendable () async -> Bool)?
    }

    /// Between looks, so that many redirections at once do not make many.
    private static let spacing = TimeAmount.milliseconds(20)
    private let pauses: ClosedRange<Duration>

    private let eventLoop: any EventLoop
    private let interval: TimeAmount
    private let state = NIOLockedValueBox(State())
    private let looked: WaitList
    private let wanted: WaitList

    /// - Parameter pauses: between looks that find something wrong.
    init(
        eventLoop: any EventLoop,
        interval: Duration,
        pauses: ClosedRange<Duration> = .milliseconds(50)...Duration.milliseconds(500)
    ) {
        self.eventLoop = eventLoop
        self.interval = TimeAmount(clamping: interval)
        self.pauses = pauses
        looked = WaitList(eventLoop: eventLoop)
        wanted = WaitList(eventLoop: eventLoop)
    }

    /// - Parameter look: looks once; says whether all is well.
    func use(_ look: @escaping @Sendable () async -> Bool) {
        state.withLockedValue { $0.look = look }
    }

    /// Asks for a look soon.
    ///
    /// - Parameter isNews: whether a server told of a change, for which no pause is kept. Looks themselves make
    ///   connections, and what becomes of those must not bring on the next look: servers that are all away would be
    ///   tried without end.
    func request(isNews: Bool = false) {
        let starts = state.withLockedValue { state in
            guard !state.isClosed else { return false }
            if state.isRunning {
                state.isWantedAgain = true
                state.isHurried = state.isHurried || isNews
                return false
            }
            state.isRunning = true
            if state.timer == nil { state.timer = startTimer() }
            return true
        }
        if starts { Task.detached { await self.run() } } else if isNews { wanted.resumeAll() }
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

    private func startTimer() -> RepeatedTask {
        eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in self?.request() }
    }

    private func run() async {
        var backoff = Backoff(pauses)
        while true {
            let isWell = await state.withLockedValue({ $0.look })?() ?? true
            let goesOn = state.withLockedValue { state in
                state.rounds += 1
                state.isRunning = !state.isClosed && (!isWell || state.isWantedAgain)
                return state.isRunning
            }
            looked.resumeAll()
            guard goesOn else { return }
            await eventLoop.pause(Self.spacing)
            if isWell {
                backoff.succeeded()
            } else {
                await wanted.wait(until: .now() + backoff.next()) { self.isHurried }
            }
            state.withLockedValue { ($0.isWantedAgain, $0.isHurried) = (false, false) }
        }
    }

    /// Whether there was news since the last look began.
    private var isHurried: Bool { state.withLockedValue { $0.isHurried || $0.isClosed } }
}
