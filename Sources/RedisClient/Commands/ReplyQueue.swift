import NIOCore
import RESP

/// The waiters of one connection, in the order in which replies come.
struct ReplyQueue {
    private var waiters = CircularBuffer<Waiter>()
    /// Replies of the first waiter's pipeline so far, if somebody waits for them.
    private var collected: [RESPValue] = []
    /// How many replies the first waiter has had.
    private var repliesToFirst = 0
    /// Whether the server has begun the first waiter's transaction.
    private var isQueueing = false
    /// Whether no deadline is earlier than one before it.
    private var isOrderedByDeadline = true
    private var latestDeadline = NIODeadline.distantPast
    /// What came last, if the server says in it that it cannot read a command. One that closes the connection then, and
    /// no proxy that goes on, has done nothing of what stands behind it.
    private var refusal: RESPError?

    var isEmpty: Bool { waiters.isEmpty }
    /// Whether the next reply may take as long as it likes.
    var isBlocked: Bool { waiters.first?.mayBlock == true }

    /// Whether the time for the next reply is over. Those behind it do not count: the server cannot turn to them yet.
    ///
    /// - Parameter isRoutine: whether a probe is sent without need, so that it is no later than the reply behind it.
    func isOverdue(at now: NIODeadline, isRoutine: Bool = false) -> Bool {
        guard let first = waiters.first else { return false }
        guard case .probe = first.completion else { return first.deadline <= now }
        guard isRoutine else { return true }
        return waiters.dropFirst().first.map { $0.deadline <= now } ?? false
    }

    mutating func append(_ waiter: Waiter) {
        if waiters.isEmpty { (isOrderedByDeadline, latestDeadline) = (true, .distantPast) }
        if waiter.deadline < latestDeadline { isOrderedByDeadline = false } else { latestDeadline = waiter.deadline }
        waiters.append(waiter)
    }

    struct Receipt {
        /// Whether a reply was to a command, or a probe, that was sent.
        var hasAnswer = false
        var hasProbe = false
        /// Whether there was a reply that nobody waits for, or another than a question has; nothing is taken after it.
        var isUnexpected = false
        /// Whether the server may not have ended a transaction that it refuses; nothing is taken after it.
        var isStuck = false
    }

    /// Hands replies to those who wait for them, in order.
    ///
    /// - Parameters:
    ///   - values: are taken out.
    ///   - counter: counts each before anybody is told.
    ///   - push: takes what is no reply, at its place between the replies.
    mutating func receive(
        _ values: inout [RESPValue],
        counter: ReplyCounter,
        push: ([RESPValue]) -> Void
    ) -> Receipt {
        var receipt = Receipt()
        for place in values.indices {
            var value = RESPValue.null
            swap(&value, &values[place])
            if case .push(let elements) = value {
                push(elements)
                continue
            }
            guard let first = waiters.first else {
                receipt.isUnexpected = true
                break
            }
            if refusal != nil { refusal = nil }
            if case .probe = first.completion {
                guard value.isAnswerToPing else {
                    receipt.isUnexpected = true
                    break
                }
                receipt.hasProbe = true
            } else {
                counter.add()
            }
            receipt.hasAnswer = true
            if first.mayBeUnreadable, let error = value.error, error.isUnreadable(byScript: first.runsScript) {
                refusal = error
            }
            repliesToFirst += 1
            let isLast = repliesToFirst == first.replies
            if first.isTransaction {
                if repliesToFirst == 1 { isQueueing = value.error == nil }
                if isLast, isQueueing, let error = value.error {
                    receipt.isStuck = !SharedConnectionRules.endsTransaction(error)
                }
            }
            if isLast { removeFirst() }
            answer(first, consume value, isLast: isLast)
            if receipt.isStuck { break }
        }
        return receipt
    }

    private mutating func removeFirst() {
        waiters.removeFirst()
        repliesToFirst = 0
    }

    private mutating func answer(_ waiter: Waiter, _ value: consuming RESPValue, isLast: Bool) {
        switch waiter.completion {
        case .single(let continuation):
            if case .error(let error) = value {
                continuation.resume(throwing: error)
            } else {
                continuation.resume(returning: value)
            }
        case .pipeline(let continuation):
            if collected.isEmpty { collected.reserveCapacity(waiter.replies) }
            collected.append(consume value)
            guard isLast else { break }
            let values = collected
            collected = []
            continuation.resume(returning: values)
        case .detached:
            collected = []
        case .probe, .connection:
            break
        }
    }

    /// Lets one waiter go on; its place stays. Nothing happens if it has its reply already.
    mutating func detach(token: UInt64, throwing error: RedisClientError) {
        guard let index = waiters.firstIndex(ofToken: token, by: \.token) else { return }
        waiters[index].detach(throwing: error)
    }

    /// Lets everyone go on whose deadline has passed.
    ///
    /// - Returns: the earliest deadline of those who wait on.
    mutating func detachOverdue(at now: NIODeadline, throwing error: RedisClientError) -> NIODeadline? {
        var earliest: NIODeadline?
        for index in waiters.indices where waiters[index].isAwaited {
            let deadline = waiters[index].deadline
            if deadline <= now {
                waiters[index].detach(throwing: error)
            } else {
                earliest = min(earliest ?? deadline, deadline)
                if isOrderedByDeadline { break }
            }
        }
        return earliest
    }

    /// It is not the server that closes the connection.
    mutating func forgetRefusal() { refusal = nil }

    /// Empties the queue; whoever waits gets the error, and a pipeline in which a command was too large, its replies.
    mutating func failAll(_ error: RedisClientError) {
        var (all, error) = (waiters, error)
        waiters = CircularBuffer()
        if let refusal {
            error = error.with(mayHaveExecuted: false)
            if !collected.isEmpty, let first = all.popFirst() {
                for place in (repliesToFirst + 1)...first.replies {
                    answer(first, .error(refusal), isLast: place == first.replies)
                }
            }
        }
        collected = []
        repliesToFirst = 0
        for waiter in all { waiter.fail(error) }
    }
}

extension RESPValue {
    /// Whether it may be one. Where there was a reply too few or too many, it belongs to another command.
    var isAnswerToPing: Bool { error != nil || string == "PONG" }
}
