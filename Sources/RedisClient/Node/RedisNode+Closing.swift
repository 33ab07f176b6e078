import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Ending for good.
extension RedisNode {
    /// Takes no more commands, lets those under way end, and returns when nothing more comes. TLS may take its leave
    /// behind that.
    func close() async {
        async let leased: Void = leases.close()
        await withUnsafeContinuation { continuation in
            eventLoop.execute {
                self.shutDown(within: self.configuration.commandTimeout, because: .clientClosed, then: continuation)
            }
        }
        await leased
        await link.withLockedValue { $0.recheck }?.value
    }

    /// The same without waiting for it.
    ///
    /// - Parameters:
    ///   - limit: time for commands under way, if it is not to be the usual.
    ///   - reason: told to everyone who has no reply then.
    func abandon(within limit: Duration? = nil, because reason: RedisClientError = .clientClosed) {
        let limit = limit ?? configuration.commandTimeout
        eventLoop.execute { self.shutDown(within: limit, because: reason, then: nil) }
        leases.abandon(because: reason)
    }

    private func shutDown(
        within limit: Duration,
        because reason: RedisClientError,
        then continuation: UnsafeContinuation<Void, Never>?
    ) {
        let (stream, waits, stranded) = state.withLockedValue { state -> (CommandStream?, Bool, [Waiter]) in
            switch state.phase {
            case .ready(let stream), .leaving(let stream):
                state.phase = .closing(stream)
                state.refusalWhenClosed = reason
                return (stream.value, true, state.takeOffline())
            case .closing:
                return (nil, true, [])
            case .idle, .connecting, .waitingToReconnect:
                state.phase = .closed
                state.refusalWhenClosed = reason
                return (nil, false, state.takeOffline())
            case .closed:
                return (nil, false, [])
            }
        }
        rechecks.open()
        for end in link.withLockedValue({ $0.besides }).values { end(reason) }
        for waiter in stranded { waiter.fail(reason) }
        for waiter in link.withLockedValue({ $0.takeConnectWaiters() }) { waiter.resume(throwing: reason) }
        if waits {
            if let continuation { link.withLockedValue { $0.closeWaiters.append(continuation) } }
            stream?.close(within: TimeAmount(clamping: limit), because: reason)
        } else {
            link.withLockedValue { $0.attempted }?.value.close(reason)
            observers.finish()
            continuation?.resume()
        }
    }
}
