import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import Synchronization

/// Making the connection, losing it, making it again.
extension RedisNode {
    var isConnected: Bool { state.withLockedValue { $0.phase.isReady } }

    var isConnecting: Bool { state.withLockedValue { $0.phase.isConnecting } }

    /// Whether the next connection is being made, or there would be one if the server had taken the credentials.
    var isSought: Bool {
        state.withLockedValue {
            switch $0.phase {
            case .connecting, .leaving: true
            case .waitingToReconnect: $0.lastFailure?.code == .authenticationFailed
            case .idle, .ready, .closing, .closed: false
            }
        }
    }

    /// Whether the client has turned from the server for good.
    var isLeft: Bool { state.withLockedValue { $0.ending }?.code == RedisClientError.serverLeft.code }

    /// Whether another connection is made as soon as this one has ended.
    var isLeaving: Bool { state.withLockedValue { $0.phase.isLeaving } }

    /// Whether the last connection was lost, the last attempt failed or this one takes too long, and there is nothing
    /// better yet.
    var isFailing: Bool {
        let isFailing: Bool? = state.withLockedValue {
            switch $0.phase {
            case .idle, .ready, .leaving: false
            case .connecting: $0.lastFailure != nil ? true : nil
            case .waitingToReconnect, .closing, .closed: true
            }
        }
        return isFailing ?? link.withLockedValue { $0.isLate }
    }

    /// Returns when there is a connection, or throws what the next attempt failed with.
    ///
    /// - Parameter deadline: when to throw if neither has come; the attempt goes on.
    func connect(until deadline: NIODeadline? = nil) async throws {
        let token = try unlessEnded { $0.drawToken() }
        let timer = deadline.map { deadline in
            eventLoop.scheduleTask(deadline: deadline) { self.connectTimedOut(token) }
        }
        defer { timer?.cancel() }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
                if Task.isCancelled { return continuation.resume(throwing: Self.cancelled(mayHaveExecuted: false)) }
                do {
                    try unlessEnded { _ in
                        eventLoop.execute {
                            self.connect(token, continuation)
                            // The timer may have come too early for it.
                            if let deadline, deadline <= .now() { self.connectTimedOut(token) }
                        }
                    }
                } catch {
                    return continuation.resume(throwing: error)
                }
                if Task.isCancelled { cancelConnect(token) }
            }
        } onCancel: {
            cancelConnect(token)
        }
    }

    /// Begins something on the event loop, which may be gone behind the end.
    ///
    /// - Throws: why it has ended.
    func unlessEnded<Result>(_ begin: (inout SubmissionState) -> Result) throws -> Result {
        try state.withLockedValue { state in
            if let ending = state.ending { throw ending }
            return begin(&state)
        }
    }

    private func connectTimedOut(_ token: UInt64) {
        let waiter = link.withLockedValue { $0.connectWaiters.removeValue(forKey: token) }
        waiter?.resume(throwing: RedisClientError(.timedOut, "There was no connection in time."))
    }

    private func cancelConnect(_ token: UInt64) {
        eventLoop.execute {
            let waiter = self.link.withLockedValue { $0.connectWaiters.removeValue(forKey: token) }
            waiter?.resume(throwing: Self.cancelled(mayHaveExecuted: false))
        }
    }

    private func connect(_ token: UInt64, _ continuation: UnsafeContinuation<Void, any Error>) {
        // Commands begin attempts too, on any thread.
        let (phase, refusal) = state.withLockedValue { state in
            defer {
                switch state.phase {
                case .idle, .waitingToReconnect: state.phase = .connecting
                case .connecting, .ready, .leaving, .closing, .closed: break
                }
            }
            return (state.phase, state.refusalWhenClosed)
        }
        switch phase {
        case .ready:
            continuation.resume()
        case .closing, .closed:
            continuation.resume(throwing: refusal)
        case .connecting, .leaving:
            link.withLockedValue { $0.connectWaiters[token] = continuation }
        case .idle, .waitingToReconnect:
            link.withLockedValue { $0.connectWaiters[token] = continuation }
            attempt()
        }
    }

    /// Tries once. On the event loop, and only by whoever changed the phase to connecting.
    func attempt() {
        // A command that began it on another thread may have been overtaken by the end.
        guard isConnecting else { return }
        link.withLockedValue { link in
            link.attempt += 1
            link.attemptBegan = .now()
        }
        let lateness = eventLoop.scheduleTask(in: LinkState.patience) {
            if self.isConnecting { self.watch(.late) }
        }
        let outcome = connector.connect(on: eventLoop) { attempted in
            link.withLockedValue { $0.attempted = attempted }
        }
        outcome.assumeIsolated().whenComplete { result in
            lateness.cancel()
            self.link.withLockedValue { $0.attempted = nil }
            switch result {
            case .success(let connection): self.connected(connection.value)
            case .failure(let error): self.attemptFailed(error)
            }
        }
    }

    private func connected(_ connection: ConnectionHandler) {
        let stream = CommandStream(node: self, connection: connection, eventLoop: eventLoop)
        let bound = NIOLoopBound(stream, eventLoop: eventLoop)
        let told = state.withLockedValue { state -> [Waiter]? in
            guard case .connecting = state.phase else { return nil }
            return state.becomeReady(bound)
        }
        guard let told else { return connection.close(.clientClosed) }
        connection.report(to: stream)
        if configuration.tracking == .preferred {
            tracksKeys.store(connection.isTracked, ordering: .relaxed)
            if !connection.isTracked { logger.info("The server does not track keys.", metadata: metadata) }
        }
        for waiter in told { waiter.connected() }
        // Who waits for a connection waits for the next.
        let isOutdated = isRenewed && connection.credentials != configuration.credentials
        if !isOutdated { for waiter in link.withLockedValue({ $0.takeConnectWaiters() }) { waiter.resume() } }
        logger.debug("Connected to the Redis server.", metadata: metadata)
        observers.notify(.connected)
        watch(.connected(after: link.withLockedValue { $0.lost.take() }))
        // Its first write may be the end of it.
        stream.start()
        if isOutdated { leave(because: "Its credentials were replaced.") }
    }

    private func attemptFailed(_ error: any Error) {
        let failure =
            error as? RedisClientError
            ?? RedisClientError(.connectFailed, "The server cannot be reached.", underlying: error)
        let busy = failure.busy
        let (isWanted, hopeless) = state.withLockedValue { state -> (Bool, [Waiter]) in
            guard case .connecting = state.phase else { return (false, []) }
            state.phase = .waitingToReconnect
            state.lastFailure = failure
            if !isRenewed { state.end(failure) }
            return (true, failure.isLasting || busy != nil || !isRenewed ? state.takeOffline() : [])
        }
        guard isWanted else { return }
        for waiter in hopeless { if let busy { waiter.refuse(busy) } else { waiter.fail(failure) } }
        for waiter in link.withLockedValue({ $0.takeConnectWaiters() }) { waiter.resume(throwing: failure) }
        let isNews = link.withLockedValue { $0.reports.take(failure) }
        logger.report("No connection to the Redis server.", failure, of: configuration, isNews: isNews)
        if isRenewed { reconnectLater() }
        watch(.failed)
    }

    private func reconnectLater() {
        let (delay, attempt) = link.withLockedValue { ($0.backoff.next(), $0.attempt) }
        eventLoop.scheduleTask(in: delay) {
            guard self.link.withLockedValue({ $0.attempt }) == attempt else { return }
            let isWanted = self.state.withLockedValue { state in
                guard case .waitingToReconnect = state.phase else { return false }
                state.phase = .connecting
                return true
            }
            if isWanted { self.attempt() }
        }
    }

    /// - Parameter hasAnswered: whether the server was of use. One that only ever shakes hands is not, and is turned to
    ///   less and less often.
    /// - Returns: those whose commands were never written.
    func connectionLost(_ error: RedisClientError, hasAnswered: Bool) -> [Waiter] {
        let (unwritten, before) = state.withLockedValue { state -> ([Waiter], SubmissionState.Phase) in
            let before = state.phase
            switch before {
            case .closing:
                state.phase = .closed
            case .leaving:
                state.phase = .connecting
            case .idle, .connecting, .ready, .waitingToReconnect, .closed:
                if isRenewed {
                    state.phase = .waitingToReconnect
                    state.lastFailure = error
                } else {
                    state.end(error)
                }
            }
            return (state.takeUnwritten(), before)
        }
        if hasAnswered { link.withLockedValue { $0.backoff.succeeded() } }
        // The next one may be to another server, and leases are to be there, too.
        switch before {
        case .ready where isRenewed:
            leases.renew()
            link.withLockedValue { $0.lost = $0.doubt.isNew ? nil : .now() }
        case .leaving:
            leases.renew()
            link.withLockedValue { if $0.lost != nil { $0.lost = .now() } }
        default:
            break
        }
        observers.notify(.disconnected)
        if configuration.clientSideCaching { invalidations.put(.everything(.disconnected)) }
        if case .closing = before {
            watch(.ended)
            observers.finish()
            for waiter in link.withLockedValue({ $0.takeCloseWaiters() }) { waiter.resume() }
            return unwritten
        }
        let isNews = link.withLockedValue { link in
            if hasAnswered { link.reports.end() }
            return link.reports.take(error)
        }
        logger.report("The connection to the Redis server was lost.", error, of: configuration, isNews: isNews)
        if case .leaving = before {
            attempt()
        } else if isRenewed {
            reconnectLater()
        }
        watch(.lost)
        return unwritten
    }

    /// Lets those go who wait for a connection, so that they may try elsewhere.
    func releaseOffline(where isReleased: @escaping @Sendable (Waiter) -> Bool) {
        eventLoop.execute {
            let error = RedisClientError(.connectionLost, "There was no connection.")
            let released = self.state.withLockedValue { $0.offline.removeAll(where: isReleased) }
            for waiter in released { waiter.fail(error) }
        }
    }

    private var metadata: Logger.Metadata {
        ["redis.server": "\(configuration)"]
    }
}
