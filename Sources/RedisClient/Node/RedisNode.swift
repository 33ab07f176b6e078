import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import Synchronization

/// One server and the connection to it, which all callers share and which is made again whenever it breaks.
///
/// Callers encode their command into a common buffer under a lock and queue up for the reply. Only the first since the
/// event loop last looked wakes it; it writes all of them at once. So batches form by themselves while the loop is
/// busy, and a lone command waits for nobody.
final class RedisNode: Sendable {
    let configuration: RedisClient.Configuration
    let eventLoop: any EventLoop
    let connector: Connector
    let logger: Logger
    let observers = ConnectionObservers()
    let state: NIOLockedValueBox<SubmissionState>
    let link: NIOLockedValueBox<LinkState>
    let replies: ReplyCounter
    /// Whether a connection that breaks is made again. One that is leased is not: what it stood for is gone with it.
    let isRenewed: Bool
    /// Whether all connections are to be where the address leads by now.
    let followsAddress: Bool
    /// Where the next look at that is waited for.
    let rechecks: WaitList
    let leases: ConnectionPool
    let invalidations: InvalidationBroadcast
    /// Whether the server tracks keys, as far as it was asked.
    let tracksKeys = Atomic(true)
    /// Told, on the event loop, what becomes of the connection.
    let watch: @Sendable (LinkEvent) -> Void
    /// Commands that others would notice waiting for: a server needs milliseconds for so many.
    private static let longPipeline = 2048

    init(
        configuration: RedisClient.Configuration,
        eventLoop: any EventLoop,
        logger: Logger,
        isRenewed: Bool = true,
        followsAddress: Bool = false,
        invalidations: InvalidationBroadcast = InvalidationBroadcast(),
        watch: @escaping @Sendable (LinkEvent) -> Void = { _ in }
    ) {
        self.isRenewed = isRenewed
        self.followsAddress = followsAddress
        rechecks = WaitList(eventLoop: eventLoop)
        self.invalidations = invalidations
        leases = ConnectionPool(configuration: configuration, eventLoop: eventLoop, logger: logger)
        self.configuration = configuration
        self.watch = watch
        self.eventLoop = eventLoop
        self.logger = logger
        connector = Connector(configuration: configuration)
        let limits = SubmissionState.Limits(
            inFlight: configuration.maxInFlight,
            offline: configuration.maxQueuedOffline,
            bytes: configuration.maxBufferedBytes
        )
        let replies = ReplyCounter()
        self.replies = replies
        state = NIOLockedValueBox(
            SubmissionState(limits: limits, isLeased: !isRenewed, unaccounted: replies)
        )
        link = NIOLockedValueBox(LinkState(pauses: configuration.reconnectBackoff))
    }

    // MARK: Callers

    /// - Parameter mayMove: whether another server would do as well.
    func run(
        _ command: RESPCommand,
        deadline: NIODeadline,
        mayBlock: Bool = false,
        mayMove: Bool = false
    ) async throws -> RESPValue {
        try await wait(
            until: deadline,
            mayBlock: mayBlock,
            mayMove: mayMove,
            as: Waiter.Completion.single,
            submit: { $0.submit(command, $1) }
        )
    }

    /// - Parameters:
    ///   - mayMove: whether another server would do as well.
    ///   - isTracked: keeps even a long pipeline on the connection whose reads the server tracks.
    func run(
        _ commands: [RESPCommand],
        deadline: NIODeadline,
        mayBlock: Bool = false,
        mayMove: Bool = false,
        isTracked: Bool = false
    ) async throws -> [RESPValue] {
        if isRenewed, !isTracked, commands.count >= Self.longPipeline {
            if !isConnected {
                try await waitForConnection(with: commands, until: deadline, mayMove: mayMove)
            }
            if let replies = try await runApart(commands, deadline: deadline) { return replies }
        }
        // Encoded before the lock is taken, so that nobody waits for it.
        var encoder = RESPEncoder()
        encoder.append(contentsOf: commands)
        let encoded = encoder
        return try await wait(
            for: commands.count,
            until: deadline,
            mayBlock: mayBlock,
            mayMove: mayMove,
            as: Waiter.Completion.pipeline,
            submit: { $0.submit(commands, encoded: encoded, $1) }
        )
    }

    /// Returns when there is a connection; commands that are to be sent on another count as waiting for it.
    private func waitForConnection(
        with commands: [RESPCommand],
        until deadline: NIODeadline,
        mayMove: Bool
    ) async throws {
        let byteCount = commands.reduce(0) { $0 + $1.byteCount }
        try await wait(
            for: commands.count,
            until: deadline,
            mayMove: mayMove,
            as: Waiter.Completion.connection,
            submit: { $0.awaitConnection($1, byteCount: byteCount) }
        )
    }

    // In line, it has no frame of its own on the task's stack.
    @inline(__always)
    private func wait<Outcome: Sendable>(
        for commands: Int = 1,
        until deadline: NIODeadline,
        mayBlock: Bool = false,
        mayMove: Bool,
        as completion: (UnsafeContinuation<Outcome, any Error>) -> Waiter.Completion,
        submit: (inout SubmissionState, Waiter) -> SubmissionState.Action
    ) async throws -> Outcome {
        let token = Atomic<UInt64>(0)
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let waiter = Waiter(
                    deadline: deadline,
                    replies: commands,
                    mayBlock: mayBlock,
                    mayMove: mayMove,
                    completion: completion(continuation)
                )
                enqueue(waiter, token, submit)
            }
        } onCancel: {
            cancel(token)
        }
    }

    /// - Parameter token: given the waiter's, which is drawn where it queues up, so that queues are in the order of
    ///   tokens.
    private func enqueue(
        _ waiter: Waiter,
        _ token: borrowing Synchronization.Atomic<UInt64>,
        _ submit: (inout SubmissionState, Waiter) -> SubmissionState.Action
    ) {
        let action = state.withLockedValue { state -> SubmissionState.Action in
            guard token.load(ordering: .relaxed) != Self.markOfCancellation else {
                return .refuse(Self.cancelled(mayHaveExecuted: false))
            }
            var waiter = waiter
            waiter.token = state.drawToken()
            token.store(waiter.token, ordering: .relaxed)
            return submit(&state, waiter)
        }
        perform(action, for: waiter)
    }

    private func perform(_ action: SubmissionState.Action, for waiter: Waiter) {
        switch action {
        case .none:
            break
        case .wake:
            eventLoop.execute { self.state.withLockedValue { $0.phase.stream }?.value.drain() }
        case .connect:
            eventLoop.execute {
                self.attempt()
                self.watchOffline(until: waiter.deadline)
            }
        case .watchOffline:
            eventLoop.execute { self.watchOffline(until: waiter.deadline) }
        case .proceed:
            waiter.connected()
        case .refuse(let error):
            waiter.fail(error)
        }
    }

    static func cancelled(mayHaveExecuted: Bool) -> RedisClientError {
        RedisClientError(.cancelled, "The task was cancelled.", mayHaveExecuted: mayHaveExecuted)
    }

    /// In the place of a waiter's token.
    private static let markOfCancellation = UInt64.max

    private func cancel(_ token: borrowing Synchronization.Atomic<UInt64>) {
        // Under the lock: the waiter has either queued up, or finds the mark and does not.
        let token = state.withLockedValue { _ in
            token.compareExchange(expected: 0, desired: Self.markOfCancellation, ordering: .relaxed).original
        }
        if token == 0 { return }
        eventLoop.execute {
            let (offline, stream) = self.state.withLockedValue { ($0.offline.remove(token: token), $0.phase.stream) }
            if let offline {
                offline.fail(Self.cancelled(mayHaveExecuted: false))
            } else {
                stream?.value.detach(token: token, throwing: Self.cancelled(mayHaveExecuted: true))
            }
        }
    }

    // MARK: The event loop

    func submitProbe() -> Int? {
        state.withLockedValue { $0.submitProbe() }
    }

    func holdWakes() {
        state.withLockedValue { $0.holdWakes() }
    }

    /// - Returns: whether there was anything.
    func take(withBytes: Bool, into waiters: inout [Waiter], bytes: inout [ByteBuffer]) -> Bool {
        state.withLockedValue { $0.take(withBytes: withBytes, into: &waiters, bytes: &bytes) }
    }

    /// Watches the deadlines of commands that have no connection.
    private func watchOffline(until deadline: NIODeadline) {
        guard deadline < .distantFuture else { return }
        let isNeeded = link.withLockedValue { link in
            if let watched = link.offlineWatch, watched <= deadline { return false }
            link.offlineWatch = deadline
            return true
        }
        guard isNeeded else { return }
        eventLoop.scheduleTask(deadline: deadline) { [weak self] in self?.offlineDeadlinePassed(deadline) }
    }

    private func offlineDeadlinePassed(_ deadline: NIODeadline) {
        let isCurrent = link.withLockedValue { link in
            guard link.offlineWatch == deadline else { return false }
            link.offlineWatch = nil
            return true
        }
        guard isCurrent else { return }
        let now = NIODeadline.now()
        let (overdue, next, failure) = state.withLockedValue { state in
            let (overdue, next) = state.offline.removeOverdue(at: now)
            return (overdue, next, state.lastFailure)
        }
        for waiter in overdue {
            if let busy = failure?.busy {
                waiter.refuse(busy)
            } else {
                waiter.fail(RedisClientError(.timedOut, "There was no connection in time.", underlying: failure))
            }
        }
        if let next { watchOffline(until: max(next, now + .milliseconds(2))) }
    }
}
