import NIOCore
import RESP

/// What becomes of a connection that nobody wants to end.
enum LinkEvent: Sendable {
    case connected
    /// An attempt came to nothing; there will be another.
    case failed
    case lost
}

/// What the making and ending of connections has to remember.
struct LinkState {
    var backoff: Backoff
    /// Names the attempt under way or planned; what belongs to an older one is ignored.
    var attempt = 0
    /// Those who wait for the outcome of an attempt.
    var connectWaiters: [UInt64: UnsafeContinuation<Void, any Error>] = [:]
    var closeWaiters: [UnsafeContinuation<Void, Never>] = []
    /// When the deadlines of commands without a connection are looked at next.
    var offlineWatch: NIODeadline?

    init(backoff: Backoff) {
        self.backoff = backoff
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
