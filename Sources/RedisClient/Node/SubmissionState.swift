import NIOCore
import RESP

/// What callers and the event loop share, under one lock: the state of the connection and what was submitted to it.
struct SubmissionState {
    enum Phase {
        /// Never asked to connect.
        case idle
        case connecting
        case ready(NIOLoopBound<CommandStream>)
        /// Commands wait for the next connection; those on this one get their replies.
        case leaving(NIOLoopBound<CommandStream>)
        case waitingToReconnect
        /// Takes no more commands; those on the connection get their replies.
        case closing(NIOLoopBound<CommandStream>)
        case closed

        var stream: NIOLoopBound<CommandStream>? {
            switch self {
            case .ready(let stream), .leaving(let stream), .closing(let stream): stream
            case .idle, .connecting, .waitingToReconnect, .closed: nil
            }
        }

        var isReady: Bool { if case .ready = self { true } else { false } }
        var isConnecting: Bool { if case .connecting = self { true } else { false } }
        var isLeaving: Bool { if case .leaving = self { true } else { false } }
        var isWaitingToReconnect: Bool { if case .waitingToReconnect = self { true } else { false } }
    }

    /// What the caller must do after it let go of the lock.
    enum Action {
        case none
        /// Wake the event loop, which then takes what was submitted.
        case wake
        case connect
        /// Make sure that the deadlines of commands without a connection are watched.
        case watchOffline
        /// There is a connection, which is all that was waited for.
        case proceed
        case refuse(RedisClientError)
    }

    let limits: Limits
    var phase = Phase.idle
    /// Why the last attempt to connect failed.
    var lastFailure: RedisClientError?
    /// What callers are told once it is closing.
    var refusalWhenClosed = RedisClientError.clientClosed
    var offline: OfflineQueue
    /// What is under way on a connection that is leased.
    private var sequence: OpenSequence?
    private var encoder = RESPEncoder()
    private var submitted: [Waiter] = []
    /// Includes what ``unaccounted`` counts.
    private var inFlight = 0
    private let unaccounted: ReplyCounter
    private var isWakePending = false
    private var lastToken: UInt64 = 0

    struct Limits {
        let inFlight: Int
        let offline: Int
        let bytes: Int
    }

    init(limits: Limits, isLeased: Bool, unaccounted: ReplyCounter) {
        self.limits = limits
        sequence = isLeased ? OpenSequence() : nil
        offline = OfflineQueue(maxCommands: limits.offline, maxBytes: limits.bytes)
        self.unaccounted = unaccounted
    }

    /// Names the next to queue up.
    mutating func drawToken() -> UInt64 {
        lastToken += 1
        return lastToken
    }

    /// Why it takes no more commands.
    var ending: RedisClientError? {
        switch phase {
        case .closing, .closed: refusalWhenClosed
        case .idle, .connecting, .ready, .leaving, .waitingToReconnect: nil
        }
    }

    mutating func submit(_ command: RESPCommand, _ waiter: Waiter) -> Action {
        guard case .ready = phase else {
            return queue(.init(waiter: waiter, commands: [command], byteCount: command.byteCount))
        }
        if let refusal = refusal(1) { return .refuse(refusal) }
        let before = encoder.byteCount
        encoder.append(command)
        sequence?.send(command)
        return enqueue(waiter, since: before, runsScript: command.runsScript)
    }

    /// - Parameter encoded: the same commands.
    mutating func submit(_ commands: [RESPCommand], encoded: RESPEncoder, _ waiter: Waiter) -> Action {
        var waiter = waiter
        waiter.isTransaction = sequence == nil && SharedConnectionRules.isTransaction(commands)
        guard case .ready = phase else {
            return queue(.init(waiter: waiter, commands: commands, byteCount: encoded.byteCount))
        }
        if let refusal = refusal(waiter.replies) { return .refuse(refusal) }
        let before = encoder.byteCount
        encoder.append(contentsOf: encoded)
        note(commands)
        return enqueue(waiter, since: before, runsScript: commands.contains(where: \.runsScript))
    }

    /// Waits for a connection with commands that will not be sent on it.
    ///
    /// - Parameter byteCount: of the commands, which count as if they waited here.
    mutating func awaitConnection(_ waiter: Waiter, byteCount: Int) -> Action {
        if case .ready = phase { return .proceed }
        return queue(.init(waiter: waiter, byteCount: byteCount))
    }

    private mutating func note(_ commands: [RESPCommand]) {
        guard sequence != nil else { return }
        for command in commands { sequence?.send(command) }
    }

    /// Asks for a sign of life, behind all commands so far. It counts for no caller.
    ///
    /// - Returns: the bytes that wait to be written, its own the last; `nil` if it would not stay beside what a caller
    ///   has begun there: nothing is asked then.
    mutating func submitProbe() -> Int? {
        if sequence?.isOpen == true { return nil }
        encoder.append(RESPCommand("PING"))
        submitted.append(Waiter(token: drawToken(), deadline: .distantFuture, completion: .probe))
        return encoder.byteCount
    }

    private func refusal(_ replies: Int) -> RedisClientError? {
        if inFlight + replies > limits.inFlight {
            let others = inFlight - unaccounted.count
            // One alone delays nobody, whatever its length.
            if others > 0, others + replies > limits.inFlight {
                return RedisClientError(.overloaded, "Too many commands are waiting for their replies.")
            }
        }
        if encoder.byteCount > limits.bytes {
            return RedisClientError(.overloaded, "The server does not read what is sent to it.")
        }
        return nil
    }

    /// Servers take arguments of so many bytes, whatever they are told (`proto-max-bulk-len`).
    private static let alwaysReadable = 1 << 20

    /// - Parameter before: bytes before its commands.
    private mutating func append(_ waiter: Waiter, since before: Int, runsScript: @autoclosure () -> Bool) {
        submitted.append(waiter)
        inFlight += waiter.replies
        guard encoder.byteCount - before > Self.alwaysReadable else { return }
        submitted[submitted.count - 1].mayBeUnreadable = true
        submitted[submitted.count - 1].runsScript = runsScript()
    }

    private mutating func enqueue(
        _ waiter: Waiter,
        since before: Int,
        runsScript: @autoclosure () -> Bool
    ) -> Action {
        append(waiter, since: before, runsScript: runsScript())
        if isWakePending { return .none }
        isWakePending = true
        return .wake
    }

    private mutating func queue(_ entry: OfflineQueue.Entry) -> Action {
        if let ending { return .refuse(ending) }
        guard offline.append(entry) else {
            return .refuse(RedisClientError(.overloaded, "Too many commands are waiting for a connection."))
        }
        guard case .idle = phase else { return .watchOffline }
        phase = .connecting
        return .connect
    }

    /// From now until the next ``take(withBytes:into:bytes:)`` nobody needs to wake the event loop.
    mutating func holdWakes() {
        isWakePending = true
    }

    /// Takes what was submitted since the last time.
    ///
    /// - Returns: whether there was anything.
    mutating func take(withBytes: Bool, into waiters: inout [Waiter], bytes: inout [ByteBuffer]) -> Bool {
        isWakePending = false
        inFlight -= unaccounted.take()
        if submitted.isEmpty, encoder.byteCount == 0 { return false }
        swap(&submitted, &waiters)
        if withBytes { encoder.take { bytes.append($0) } }
        return true
    }

    /// The connection is ready: what waited for it is submitted in its order.
    ///
    /// - Returns: those to be told, who send nothing on it.
    mutating func becomeReady(_ stream: NIOLoopBound<CommandStream>) -> [Waiter] {
        phase = .ready(stream)
        lastFailure = nil
        var told: [Waiter] = []
        for entry in offline.removeAll() {
            if case .connection = entry.waiter.completion {
                told.append(entry.waiter)
                continue
            }
            let before = encoder.byteCount
            encoder.append(contentsOf: entry.commands)
            note(entry.commands)
            append(entry.waiter, since: before, runsScript: entry.commands.contains(where: \.runsScript))
        }
        return told
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
        offline.removeAll().map(\.waiter)
    }
}
