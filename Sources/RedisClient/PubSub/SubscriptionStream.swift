import NIOCore
import RESP

/// One connection for subscriptions.
///
/// In RESP2 everything comes as arrays; in RESP3 messages and confirmations are pushes and only the answer to `PING`
/// and errors are replies. Every command sent here is answered once, in order.
final class SubscriptionStream: ConnectionReceiver {
    private enum Sent {
        case subscribe(SubscriptionTarget)
        case unsubscribe(SubscriptionTarget)
        case ping
    }

    private let hub: SubscriptionHub
    private let connection: ConnectionHandler
    private let eventLoop: any EventLoop
    private var sent = CircularBuffer<Sent>()
    /// How often each target is subscribed to in what was sent.
    private var awaited: [SubscriptionTarget: Int] = [:]
    private var liveness: Liveness
    private var timer: Scheduled<Void>?
    private var hasAnswered = false
    private var isOver = false

    init(
        hub: SubscriptionHub,
        connection: ConnectionHandler,
        eventLoop: any EventLoop,
        configuration: RedisClient.Configuration
    ) {
        self.hub = hub
        self.connection = connection
        self.eventLoop = eventLoop
        liveness = Liveness(
            interval: configuration.longestSilence,
            patience: configuration.patience,
            now: .now()
        )
    }

    func start() {
        let stream = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(deadline: liveness.nextCheck) { stream.value.timerFired() }
    }

    func subscribe(to targets: [SubscriptionTarget]) {
        for target in targets {
            sent.append(.subscribe(target))
            awaited[target, default: 0] += 1
        }
        connection.send(targets.map(\.subscribe))
    }

    func unsubscribe(from targets: [SubscriptionTarget]) {
        for target in targets { sent.append(.unsubscribe(target)) }
        connection.send(targets.map(\.unsubscribe))
    }

    func close() {
        connection.close(.clientClosed)
    }

    /// Closes the connection; there will be another.
    func leave(because reason: String) {
        connection.close(RedisClientError(.connectionLost, reason))
    }

    private func timerFired() {
        switch liveness.check(at: .now(), hasOverdue: false) {
        case .alive:
            break
        case .probe:
            sent.append(.ping)
            connection.send([RESPCommand("PING")])
        case .dead:
            return connection.close(RedisClientError(.connectionLost, "The server stopped answering."))
        }
        if !isOver { start() }
    }

    // MARK: ConnectionReceiver

    func readStarted() {
        liveness.received()
    }

    func received(_ values: inout [RESPValue]) {
        for value in values where !isOver { received(value) }
    }

    private func received(_ value: RESPValue) {
        let parts: [RESPValue]
        switch value {
        case .push(let elements), .array(let elements):
            parts = elements
        case .error(let error):
            return refused(error)
        default:
            if case .ping = sent.first, !value.isAnswerToPing {
                return close("The server answered PING with something else.")
            }
            return answered()
        }
        switch parts.first?.string {
        case "message" where parts.count == 3:
            guard let channel = parts[1].string, let payload = parts[2].bytes else { return }
            hub.deliver(RedisMessage(channel: channel, pattern: nil, payload: payload), to: .channel(channel))
        case "pmessage" where parts.count == 4:
            guard let pattern = parts[1].string, let channel = parts[2].bytes, let payload = parts[3].bytes else {
                return
            }
            let message = RedisMessage(channel: String(buffer: channel), pattern: pattern, payload: payload)
            hub.deliver(message, to: .pattern(pattern))
        case "subscribe", "psubscribe", "unsubscribe", "punsubscribe", "pong":
            answered()
        default:
            break
        }
    }

    private func answered() {
        hasAnswered = true
        switch sent.popFirst() {
        case .subscribe(let target):
            // If it was left and subscribed to again since, the later answer counts.
            if isLast(target) { hub.confirmed(target) }
        case .ping:
            liveness.probeAnswered()
        case .unsubscribe:
            break
        case nil:
            close("The server sent a reply to no command.")
        }
    }

    private func close(_ violation: String) {
        connection.close(RedisClientError(.protocolViolation, violation))
    }

    private func refused(_ error: RESPError) {
        switch sent.popFirst() {
        case .subscribe(let target):
            isLast(target)
            hub.refused(target, error)
        case .ping:
            // A user who may not ask hears from the server nevertheless.
            hasAnswered = true
            liveness.probeAnswered()
        case .unsubscribe(let target):
            // Any other error is a lasting one.
            if error.code == .busy { hub.unsubscriptionRefused(target) }
        case nil:
            break
        }
    }

    /// Counts the answer to a subscription down.
    ///
    /// - Returns: whether no other for the target is to be answered.
    @discardableResult
    private func isLast(_ target: SubscriptionTarget) -> Bool {
        awaited[target, default: 1] -= 1
        guard awaited[target] == 0 else { return false }
        awaited[target] = nil
        return true
    }

    func readCompleted() {}

    func becameWritable() {}

    func closed(_ error: RedisClientError) {
        isOver = true
        timer?.cancel()
        hub.connectionLost(error, hasAnswered: hasAnswered)
    }
}
