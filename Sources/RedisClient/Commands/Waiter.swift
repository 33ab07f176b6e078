import NIOCore
import RESP

/// A place in the order of replies, and whoever waits there.
struct Waiter {
    enum Completion {
        case single(UnsafeContinuation<RESPValue, any Error>)
        case pipeline(UnsafeContinuation<[RESPValue], any Error>)
        /// Waits for a connection only; nothing is sent on it.
        case connection(UnsafeContinuation<Void, any Error>)
        /// Nobody waits any longer; the reply is still to come, and is dropped.
        case detached
        /// The connection itself asks whether the server is alive.
        case probe
    }

    /// Names the waiter; drawn where it queues up, so that those behind it have larger ones.
    var token: UInt64 = 0
    let deadline: NIODeadline
    /// How many replies it is to have; commands, while they wait for a connection.
    var replies = 1
    /// Whether the server may be silent for as long as it likes.
    var mayBlock = false
    /// Whether it is for commands from `MULTI` to `EXEC` on a connection that is shared.
    var isTransaction = false
    /// Whether another server would do as well.
    var mayMove = false
    /// Whether a server may find what is sent too large, and if it says so, that it does.
    var mayBeUnreadable = false
    /// Whether a script may say so, too.
    var runsScript = false
    private(set) var completion: Completion

    var isDetached: Bool {
        if case .detached = completion { true } else { false }
    }

    /// Whether a caller waits for the reply.
    var isAwaited: Bool {
        switch completion {
        case .single, .pipeline, .connection: true
        case .detached, .probe: false
        }
    }

    /// The same place, with nobody in it.
    var detached: Waiter {
        var waiter = self
        waiter.completion = .detached
        return waiter
    }

    /// Lets whoever waits go on, and keeps the place.
    mutating func detach(throwing error: RedisClientError) {
        let completion = completion
        self.completion = .detached
        switch completion {
        case .single(let continuation): continuation.resume(throwing: error)
        case .pipeline(let continuation): continuation.resume(throwing: error)
        case .connection(let continuation): continuation.resume(throwing: error)
        case .detached, .probe: break
        }
    }

    /// Tells whoever waits for no more than that that there is a connection.
    func connected() {
        if case .connection(let continuation) = completion { continuation.resume() }
    }

    func fail(_ error: RedisClientError) {
        var waiter = self
        waiter.detach(throwing: error)
    }

    /// The server would answer every command so.
    func refuse(_ error: RESPError) {
        switch completion {
        case .single(let continuation): continuation.resume(throwing: error)
        case .pipeline(let continuation):
            continuation.resume(returning: Array(repeating: .error(error), count: replies))
        // Another connection says the same.
        case .connection(let continuation): continuation.resume()
        case .detached, .probe: break
        }
    }
}
