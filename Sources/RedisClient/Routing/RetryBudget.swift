import NIOCore
import RESP

/// How often one call may be sent again, and with which pauses.
///
/// Redirections and lost connections are counted, anew after a server asked to wait; what was never sent, and waiting for
/// a server that says it will be ready, or that cannot be connected to, is bounded by the call's deadline alone.
struct RetryBudget {
    private static let limit = 16
    /// So many are followed at once; more mean that the nodes disagree for the moment.
    private static let immediate = 3

    private var moves = 0
    private var passes = 0
    private var backoff = Backoff(.milliseconds(4)...Duration.milliseconds(200))

    /// - Returns: how long to wait before the call is sent elsewhere; `nil` when it was often enough.
    mutating func move() -> TimeAmount? {
        moves += 1
        if moves > Self.limit { return nil }
        return moves > Self.immediate ? backoff.next() : .zero
    }

    /// - Returns: how long to wait before the call goes elsewhere that was not sent.
    mutating func pass() -> TimeAmount {
        passes += 1
        return passes > Self.immediate ? backoff.next() : .zero
    }

    mutating func wait() -> TimeAmount { backoff.next() }

    /// A server asks to wait. Redis before 7 sends commands for keys that are on both sides of a move on, and there they
    /// are to wait.
    mutating func countAnew() { moves = 0 }
}
