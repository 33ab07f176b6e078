import NIOCore
import RESP

/// The commands on one connection: what was sent and waits for its reply, its deadlines, and whether the server is
/// still there.
///
/// Lives on the connection's event loop. One timer serves all of it.
final class CommandStream: ConnectionReceiver {
    private let node: RedisNode
    private let connection: ConnectionHandler
    private let eventLoop: any EventLoop
    private var replies = ReplyQueue()
    private var liveness: Liveness
    private var probePath = ProbePath()
    private var timer: (scheduled: Scheduled<Void>, at: NIODeadline)?
    /// Why it closes as soon as it can.
    private var ending: RedisClientError?
    /// Whether the server has answered anything that was asked after the handshake.
    private var hasAnswered = false
    private var isOver = false

    // Kept for their capacity.
    private var taken: [Waiter] = []
    private var bytes: [ByteBuffer] = []

    init(node: RedisNode, connection: ConnectionHandler, eventLoop: any EventLoop) {
        self.node = node
        self.connection = connection
        self.eventLoop = eventLoop
        liveness = Liveness(
            interval: node.configuration.longestSilence,
            patience: node.configuration.patience,
            now: .now()
        )
    }

    // MARK: Sending

    /// Takes over what callers submitted and writes it in one go.
    func drain() {
        // While the socket is full, bytes gather where they are counted, and leave as one write later.
        guard node.take(withBytes: connection.isWritable, into: &taken, bytes: &bytes) else { return }
        var earliest = NIODeadline.distantFuture
        for waiter in taken {
            earliest = min(earliest, waiter.deadline)
            replies.append(waiter)
        }
        if earliest < .distantFuture { wakeUp(by: earliest) }
        taken.removeAll(keepingCapacity: true)
        guard !bytes.isEmpty else { return }
        for segment in bytes {
            probePath.wrote(segment.readableBytes)
            connection.write(segment)
        }
        bytes.removeAll(keepingCapacity: true)
        connection.flush()
    }

    /// Lets one waiter go on without its reply.
    func detach(token: UInt64, throwing error: RedisClientError) {
        drain()
        replies.detach(token: token, throwing: error)
    }

    // MARK: Receiving

    func readStarted() {
        // Those who are answered now often send their next command at once; it is taken when this read is done.
        node.holdWakes()
        liveness.received()
    }

    func received(_ values: inout [RESPValue]) {
        let invalidations = node.invalidations
        let receipt = replies.receive(&values, counter: node.replies) { invalidations.receive(push: $0) }
        if receipt.hasAnswer { hasAnswered = true }
        if receipt.hasProbe { liveness.probeAnswered() }
        if receipt.isUnexpected {
            close(.protocolViolation, "The server sent a reply that belongs to no command.")
        } else if receipt.isStuck {
            // It would only queue what others send.
            close(.connectionLost, "The server refused to end a transaction.")
        }
    }

    private func close(_ code: RedisClientError.Code, _ message: String) {
        connection.close(RedisClientError(code, message, mayHaveExecuted: true))
    }

    func readCompleted() {
        drain()
        closeIfDone()
    }

    func becameWritable() {
        drain()
    }

    // MARK: Time

    /// Makes sure that the timer fires no later than at the time given.
    private func wakeUp(by deadline: NIODeadline) {
        if isOver { return }
        if let timer {
            guard deadline < timer.at else { return }
            timer.scheduled.cancel()
        }
        let stream = NIOLoopBound(self, eventLoop: eventLoop)
        timer = (eventLoop.scheduleTask(deadline: deadline) { stream.value.timerFired(deadline) }, deadline)
    }

    private func timerFired(_ deadline: NIODeadline) {
        // One that is due fires though it was cancelled just before.
        guard timer?.at == deadline else { return }
        timer = nil
        let now = NIODeadline.now()
        let earliest = replies.detachOverdue(
            at: now,
            throwing: RedisClientError(.timedOut, "No reply came in time.", mayHaveExecuted: true)
        )
        // A server that blocks answers no `PING` either; TCP's own probes tell whether it is there.
        if replies.isBlocked { liveness.rested(at: now) }
        if liveness.isAsking, probePath.advance(unsent: connection.unsentByteCount) { liveness.probeAdvanced(at: now) }
        let isOverdue = replies.isOverdue(at: now, isRoutine: liveness.isAskingByRoutine)
        switch liveness.check(at: now, hasOverdue: isOverdue) {
        case .alive: break
        case .probe: probe()
        case .dead:
            let error = RedisClientError(.connectionLost, "The server stopped answering.", mayHaveExecuted: true)
            replies.forgetRefusal()
            return connection.close(error)
        }
        let next = min(earliest ?? .distantFuture, liveness.nextCheck)
        // Deadlines a few milliseconds apart share one wake-up.
        wakeUp(by: max(next, now + .milliseconds(2)))
    }

    private func probe() {
        // Through the same buffer as all commands, some of which may wait there for the socket.
        guard let waiting = node.submitProbe() else {
            // Time passes for whoever waits; TCP's own probes go on.
            liveness.received()
            return liveness.probeAnswered()
        }
        probePath.begin(waiting: waiting, unsent: connection.unsentByteCount)
        drain()
    }

    /// Starts watching; called once.
    func start() {
        wakeUp(by: liveness.nextCheck)
        drain()
    }

    // MARK: End

    /// Closes as soon as the last reply has come, or when the time for it is over.
    func close(within limit: TimeAmount, because reason: RedisClientError) {
        ending = reason.with(mayHaveExecuted: true)
        drain()
        let stream = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: limit) { stream.value.closeNow() }
        closeIfDone()
    }

    private func closeIfDone() {
        if replies.isEmpty { closeNow() }
    }

    private func closeNow() {
        guard let ending else { return }
        replies.forgetRefusal()
        connection.close(ending)
    }

    func closed(_ error: RedisClientError) {
        isOver = true
        timer?.scheduled.cancel()
        timer = nil
        // First the node, so that whoever tries again at once does not meet this connection.
        let unwritten = node.connectionLost(error, hasAnswered: hasAnswered)
        replies.failAll(error)
        for waiter in unwritten {
            waiter.fail(error.with(mayHaveExecuted: false))
        }
    }
}
