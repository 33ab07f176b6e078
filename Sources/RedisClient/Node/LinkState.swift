import NIOCore
import RESP

/// What becomes of a connection.
enum LinkEvent: Sendable {
    /// - Parameter after: when the one before ended, unless it was left for its credentials, or there was none.
    case connected(after: NIODeadline?)
    /// An attempt came to nothing; there will be another.
    case failed
    /// An attempt takes longer than those do that come to something.
    case late
    case lost
    /// It is given up though it is not broken: the address may lead to another server by now.
    case leaving
    /// It ended because it was to.
    case ended
}

/// What the making and ending of connections has to remember.
struct LinkState {
    var backoff: Backoff
    /// How often connections are made anew that are not broken, and how often it is asked whether they should be.
    var renewals: Pace
    var questions: Pace
    /// Which failures have been logged.
    var reports = OutageReports()
    /// Names the attempt under way or planned; what belongs to an older one is ignored.
    var attempt = 0
    var attemptBegan: NIODeadline? { didSet { firstUse = attemptBegan } }
    /// The same, until somebody has had the connection that came of it.
    var firstUse: NIODeadline?
    /// When the connection was lost that is to be followed by another; set before where it is left for that.
    var lost: NIODeadline?
    /// Whether the address may lead to another server.
    var doubt: ServerDoubt
    /// Sees whether it does.
    var recheck: Task<Void, Never>?
    /// What the attempt under way is to make a connection of.
    var attempted: NIOLoopBound<ConnectionHandler>?
    /// What ends connections beside it, on the event loop.
    var besides: [ObjectIdentifier: @Sendable (RedisClientError) -> Void] = [:]
    /// Those who wait for the outcome of an attempt.
    var connectWaiters: [UInt64: UnsafeContinuation<Void, any Error>] = [:]
    var closeWaiters: [UnsafeContinuation<Void, Never>] = []
    /// When the deadlines of commands without a connection are looked at next.
    var offlineWatch: NIODeadline?

    /// After so long an attempt to connect counts as failing.
    static let patience = TimeAmount.seconds(1)

    /// Whether the attempt under way takes too long.
    var isLate: Bool { attemptBegan.map { .now() - $0 >= Self.patience } ?? false }

    init(pauses: ClosedRange<Duration>) {
        backoff = Backoff(pauses)
        renewals = Pace(pauses)
        questions = renewals
        doubt = ServerDoubt(pauses: pauses)
    }

    mutating func takeConnectWaiters() -> [UnsafeContinuation<Void, any Error>] {
        defer { connectWaiters = [:] }
        return Array(connectWaiters.values)
    }

    mutating func takeCloseWaiters() -> [UnsafeContinuation<Void, Never>] {
        defer { closeWaiters = [] }
        return closeWaiters
    }
}
