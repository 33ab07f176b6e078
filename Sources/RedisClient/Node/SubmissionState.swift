import NIOCore
import RESP

/// What callers and the event loop share, under one lock: the state of the connection and what was submitted to it.
struct SubmissionState {
    enum Phase {
        /// Never asked to connect.
        case idle
        case connecting
        case ready(NIOLoopBound<CommandStream>)
        case waitingToReconnect
        /// Takes no more commands; those on the connection get their replies.
        case closing(NIOLoopBound<CommandStream>)
        case closed

        var stream: NIOLoopBound<CommandStream>? {
            switch self {
            case .ready(let stream), .closing(let stream): stream
            case .idle, .connecting, .waitingToReconnect, .closed: nil
            }
        }
    }

    /// What the caller must do after it let go of the lock.
    enum Action {
        case none
        /// Wake the event loop, which then takes what was submitted.
        case wake
        case connect
        /// Make sure that the deadlines of commands without a connection are watched.
        case watchOffline
        case refuse(RedisClientError)
    }

    struct Offline {
        var waiter: Waiter
        var commands: [RESPCommand]
    }

    let limits: Limits
    var phase = Phase.idle
    /// Why the last attempt to connect failed.
    var lastFailure: RedisClientError?
    /// What callers are told once it is closing.
    var refusalWhenClosed = RedisClientError.clientClosed
    private(set) var offline = CircularBuffer<Offline>()
    private var offlineCount = 0
    private var encoder = RESPEncoder()
    private var submitted: [Waiter] = []
    /// Includes what ``unaccounted`` counts.
    private var inFlight = 0
    private let unaccounted: ReplyCounter
    private var isWakePending = false

    struct Limits {
        let inFlight: Int
        let offline: Int
        let bytes: Int
    }

    init(limits: Limits, unaccounted: ReplyCounter) {
        self.limits = limits
        self.unaccounted = unaccounted
    }

    mutating func submit(_ command: RESPCommand, _ waiter: Waiter) -> Action {
        guard case .ready = phase else { return queue([command], waiter) }
        if let refusal = refusal(1) { return .refuse(refusal) }
        encoder.append(command)
        return enqueue(waiter)
    }

    /// - Parameter encoded: the same commands.
    mutating func submit(_ commands: [RESPCommand], encoded: RESPEncoder, _ waiter: Waiter) -> Action {
        guard case .ready = phase else { return queue(commands, waiter) }
        if let refusal = refusal(waiter.replies) { return .refuse(refusal) }
        encoder.append(contentsOf: encoded)
        return enqueue(waiter)
    }

    /// Asks for a sign of life, behind all commands so far. It counts for no caller.
    mutating func submitProbe() {
        encoder.append(RESPCommand("PING"))
        submitted.append(Waiter(token: 0, deadline: .distantFuture, completion: .probe))
    }

    private func refusal(_ replies: Int) -> RedisClientError? {
        if inFlight + replies > limits.inFlight, inFlight + replies - unaccounted.count > limits.inFlight {
            return RedisClientError(.overloaded, "Too many commands are waiting for their replies.")
        }
        if encoder.byteCount > limits.bytes {
            return RedisClientError(.overloaded, "The server does not read what is sent to it.")
        }
        return nil
    }

    private mutating func enqueue(_ waiter: Waiter) -> Action {
        submitted.append(waiter)
        inFlight += waiter.replies
        if isWakePending { return .none }
        isWakePending = true
        return .wake
    }

    private mutating func queue(_ commands: [RESPCommand], _ waiter: Waiter) -> Action {
        switch phase {
        case .closing, .closed: return .refuse(refusalWhenClosed)
        case .idle, .connecting, .ready, .waitingToReconnect: break
        }
        // One alone is no backlog, whatever its length.
        guard offlineCount == 0 || offlineCount + commands.count <= limits.offline else {
            return .refuse(RedisClientError(.overloaded, "Too many commands are waiting for a connection."))
        }
        offline.append(Offline(waiter: waiter, commands: commands))
        offlineCount += commands.count
        guard case .idle = phase else { return .watchOffline }
        phase = .connecting
        return .connect
    }

    /// From now until the next ``take(withBytes:into:bytes:)`` nobody needs to wake the event loop.
    mutating func holdWakes() {
        isWakePending = true
    }

    /// Takes what was submitted since the last time.
    mutating func take(withBytes: Bool, into waiters: inout [Waiter], bytes: inout [ByteBuffer]) {
        isWakePending = false
        inFlight -= unaccounted.take()
        swap(&submitted, &waiters)
        if withBytes { encoder.take { bytes.append($0) } }
    }

    /// The connection is ready: what waited for it is submitted in its order.
    mutating func becomeReady(_ stream: NIOLoopBound<CommandStream>) {
        phase = .ready(stream)
        lastFailure = nil
        while let entry = offline.popFirst() {
            if entry.waiter.isDetached { continue }
            encoder.append(contentsOf: entry.commands)
            submitted.append(entry.waiter)
            inFlight += entry.waiter.replies
        }
        offlineCount = 0
    }

    /// The connection is gone. What was submitted and not taken was never written.
    mutating func takeUnwritten() -> [Waiter] {
        let waiters = submitted
        submitted = []
        encoder = RESPEncoder()
        inFlight = 0
        _ = unaccounted.take()
        isWakePending = false
        return waiters
    }

    /// The only connection that there was to be has ended.
    mutating func end(_ error: RedisClientError) {
        phase = .closed
        refusalWhenClosed = error.with(mayHaveExecuted: false)
    }

    mutating func takeOffline() -> [Waiter] {
        let waiters = offline.map(\.waiter)
        offline.removeAll()
        offlineCount = 0
        return waiters
    }

    /// Lets go of a waiter that has no connection.
    ///
    /// Its entry stays, empty, until the next call of ``takeOverdueOffline(at:)``: removing it from the middle would
    /// make the cancellation of thousands quadratic.
    mutating func takeOffline(token: UInt64) -> Waiter? {
        guard let index = offline.firstIndex(where: { $0.waiter.token == token }) else { return nil }
        let entry = offline[index]
        offline[index] = Offline(waiter: entry.waiter.detached, commands: [])
        offlineCount -= entry.commands.count
        return entry.waiter
    }

    /// Those without a connection whose deadline has passed, and the earliest deadline of the others.
    mutating func takeOverdueOffline(at now: NIODeadline) -> ([Waiter], NIODeadline?) {
        offline.removeAll { $0.waiter.isDetached }
        let overdue = offline.filter { $0.waiter.deadline <= now }
        if !overdue.isEmpty {
            offline.removeAll { $0.waiter.deadline <= now }
            offlineCount -= overdue.reduce(0) { $0 + $1.commands.count }
        }
        return (overdue.map(\.waiter), offline.lazy.map(\.waiter.deadline).min())
    }
}
