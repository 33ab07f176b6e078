import Logging
import NIOCore
import RESP

/// Keeps the connection for subscriptions and passes on what comes over it. Lives on one event loop.
final class SubscriptionHub {
    private enum Phase {
        case idle, connecting, waitingToReconnect, closed
        case ready(SubscriptionStream)
    }

    /// So long the connection is kept for whoever listens next.
    private static let idleLimit = TimeAmount.seconds(1)

    private let configuration: RedisClient.Configuration
    private let place: SubscriptionPlace
    /// The server of the connection, or of the attempt at it.
    private var address: RedisClient.Configuration.Address?
    private let eventLoop: any EventLoop
    private let logger: Logger
    private var phase = Phase.idle
    /// Names the attempt under way or planned after it; what belongs to an older one is ignored.
    private var attemptNumber = 0
    private var attemptBegan: NIODeadline?
    /// When the connection was lost that is to be followed by another.
    private var lost: NIODeadline?
    /// Told of each connection as soon as it is there.
    var onConnect: (ServerDoubt.Reason) -> Void = { _ in }
    /// What the attempt under way is to make a connection of.
    private var attempted: ConnectionHandler?
    /// Whether the server was said to be the wrong one while the connection to it was made.
    private var isDoubtful = false
    private var reports = OutageReports()
    private var backoff: Backoff
    private var lastFailure: RedisClientError?
    private var table = SubscriptionTable()
    private var listeners: [UInt64: SubscriptionWriter] = [:]
    /// Listeners that there were so far.
    private var listenerCount = 0
    /// Callers that wait for the server to confirm.
    private var waiting: [UInt64: UnsafeContinuation<Void, any Error>] = [:]

    init(
        configuration: RedisClient.Configuration,
        place: SubscriptionPlace,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.place = place
        backoff = Backoff(configuration.reconnectBackoff)
    }

    // MARK: Callers

    func add(
        _ id: UInt64,
        _ targets: Set<SubscriptionTarget>,
        _ listener: SubscriptionWriter,
        _ continuation: UnsafeContinuation<Void, any Error>
    ) {
        if case .closed = phase {
            return continuation.resume(throwing: RedisClientError.clientClosed)
        }
        listeners[id] = listener
        listenerCount += 1
        let (new, isComplete) = table.add(id, targets)
        if isComplete { return continuation.resume() }
        waiting[id] = continuation
        switch phase {
        case .ready(let stream): stream.subscribe(to: new)
        case .idle: attempt()
        case .connecting, .waitingToReconnect, .closed: break
        }
        let hub = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: TimeAmount(clamping: configuration.connectTimeout)) {
            let cause = hub.value.lastFailure
            hub.value.giveUp(id, RedisClientError(.timedOut, "No subscription was made in time.", underlying: cause))
        }
    }

    /// Ends the wait of a caller whose subscription is not confirmed.
    func giveUp(_ id: UInt64, _ error: any Error) {
        guard let continuation = waiting.removeValue(forKey: id) else { return }
        remove(id)
        continuation.resume(throwing: error)
    }

    func remove(_ id: UInt64) {
        listeners[id] = nil
        let unwanted = table.remove(id)
        if case .ready(let stream) = phase { stream.unsubscribe(from: unwanted) }
        if listeners.isEmpty { restLater() }
    }

    /// Ends the connection if nobody comes who listens.
    private func restLater() {
        let before = listenerCount
        let hub = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.idleLimit) {
            guard hub.value.listenerCount == before else { return }
            if case .closed = hub.value.phase { return }
            hub.value.disconnect(.idle)
        }
    }

    /// Ends the connection, or the attempt at it; none follows by itself.
    private func disconnect(_ next: Phase) {
        let stream: SubscriptionStream? = if case .ready(let stream) = phase { stream } else { nil }
        // First, so that the end of the connection is no interruption to tell of.
        phase = next
        attemptNumber += 1
        stream?.close()
        attempted?.close(.clientClosed)
        attempted = nil
    }

    func close() {
        disconnect(.closed)
        for id in Array(waiting.keys) { giveUp(id, RedisClientError.clientClosed) }
        for listener in listeners.values { listener.finish() }
        listeners = [:]
    }

    // MARK: The connection

    private func attempt() {
        phase = .connecting
        attemptNumber += 1
        attemptBegan = .now()
        let number = attemptNumber
        attempted = nil
        isDoubtful = false
        guard let connector = place.connector() else {
            return attemptFailed(RedisClientError(.connectFailed, "It is not known yet which server to connect to."))
        }
        address = connector.configuration.address
        let outcome = connector.connect(on: eventLoop) { attempted = $0.value }
        outcome.assumeIsolated().whenComplete { result in
            guard number == self.attemptNumber else {
                if case .success(let late) = result { late.value.close(.clientClosed) }
                return
            }
            self.attempted = nil
            switch result {
            case .success(let connection): self.connected(connection.value)
            case .failure(let error): self.attemptFailed(error)
            }
        }
    }

    private func connected(_ connection: ConnectionHandler) {
        guard case .connecting = phase else {
            return connection.close(.clientClosed)
        }
        let stream = SubscriptionStream(
            hub: self,
            connection: connection,
            eventLoop: eventLoop,
            configuration: configuration
        )
        connection.report(to: stream)
        phase = .ready(stream)
        lastFailure = nil
        stream.start()
        stream.subscribe(to: table.targets)
        if let lost = lost.take() {
            onConnect(.loss(lost))
        } else if let attemptBegan {
            onConnect(.start(attemptBegan))
        }
        recheckPlace(isGap: isDoubtful)
    }

    /// - Parameter isGap: whether the server itself may be another by now.
    func recheckPlace(isGap: Bool) {
        let isWrong = address.map { !place.isRight($0) } ?? true
        switch phase {
        case .ready(let stream) where isGap || isWrong:
            stream.leave(because: "The subscriptions may belong on another server now.")
            // Which is no loss.
            lost = nil
        case .connecting where isWrong, .waitingToReconnect where isWrong:
            backoff.succeeded()
            let former = attempted
            attempt()
            former?.close(RedisClientError(.connectFailed, "The subscriptions belong on another server now."))
        case .connecting:
            isDoubtful = isDoubtful || isGap
        default: break
        }
    }

    func recheckPlace(before time: NIODeadline) {
        if let attemptBegan, attemptBegan < time { recheckPlace(isGap: true) }
    }

    private func attemptFailed(_ error: any Error) {
        guard case .connecting = phase else { return }
        let failure =
            error as? RedisClientError
            ?? RedisClientError(.connectFailed, "The server cannot be reached.", underlying: error)
        lastFailure = failure
        report(failure, "No connection for subscriptions.")
        if failure.isLasting {
            for id in Array(waiting.keys) { giveUp(id, failure) }
        }
        reconnectLater()
    }

    private func reconnectLater() {
        phase = .waitingToReconnect
        let number = attemptNumber
        let hub = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: backoff.next()) {
            guard number == hub.value.attemptNumber, case .waitingToReconnect = hub.value.phase else { return }
            hub.value.attempt()
        }
    }

    /// - Parameter hasAnswered: whether the server was of use.
    func connectionLost(_ error: RedisClientError, hasAnswered: Bool) {
        guard case .ready = phase else { return }
        if hasAnswered { backoff.succeeded() }
        for id in table.disconnect() { listeners[id]?.tell(.disconnected) }
        lost = .now()
        if hasAnswered { reports.end() }
        report(error, "The connection for subscriptions was lost.")
        reconnectLater()
    }

    private func report(_ error: RedisClientError, _ message: Logger.Message) {
        logger.report(message, error, of: configuration, isNews: reports.take(error))
    }

    // MARK: What comes over it

    func confirmed(_ target: SubscriptionTarget) {
        for completion in table.confirm(target) {
            switch completion {
            case .subscribed(let id): waiting.removeValue(forKey: id)?.resume()
            case .resubscribed(let id): listeners[id]?.tell(.resubscribed)
            }
        }
    }

    func refused(_ target: SubscriptionTarget, _ error: RESPError) {
        let failure = RedisClientError(.connectFailed, "The server refused it.", underlying: error)
        report(failure, "There is no subscription.")
        let ids = table.listeners(of: target)
        let established = ids.filter { waiting[$0] == nil }
        for id in ids.subtracting(established) { giveUp(id, error) }
        if established.isEmpty { return }
        if error.code == .busy || error.code == .loading, case .ready(let stream) = phase {
            return stream.leave(because: "The server takes no subscriptions at the moment.")
        }
        for id in established {
            listeners[id]?.finish(throwing: error)
            remove(id)
        }
    }

    /// The server goes on sending to a target that was left.
    func unsubscriptionRefused(_ target: SubscriptionTarget) {
        let hub = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.idleLimit) {
            guard case .ready(let stream) = hub.value.phase, hub.value.table.listeners(of: target).isEmpty else {
                return
            }
            stream.unsubscribe(from: [target])
        }
    }

    func deliver(_ message: RedisMessage, to target: SubscriptionTarget) {
        for id in table.listeners(of: target) where table.isComplete(id) {
            listeners[id]?.deliver(message)
        }
    }
}
