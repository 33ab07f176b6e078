import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import Synchronization

/// The subscriptions of a client: what callers on any thread ask of the ``SubscriptionHub`` on its event loop.
final class Subscriber: Sendable {
    private let eventLoop: any EventLoop
    private let hub: NIOLoopBoundBox<SubscriptionHub>
    private let maxBufferedMessages: Int
    private let maxBufferedBytes: Int
    private let ids = Atomic<UInt64>(0)
    private let isClosed = NIOLockedValueBox(false)

    init(
        configuration: RedisClient.Configuration,
        place: SubscriptionPlace,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        maxBufferedMessages = configuration.maxBufferedMessages
        maxBufferedBytes = configuration.maxBufferedBytes
        hub = .makeBoxSendingValue(
            SubscriptionHub(configuration: configuration, place: place, eventLoop: eventLoop, logger: logger),
            eventLoop: eventLoop
        )
    }

    func subscribe(to targets: [SubscriptionTarget]) async throws -> RedisSubscription {
        if isClosed.withLockedValue({ $0 }) { throw RedisClientError.clientClosed }
        let id = ids.wrappingAdd(1, ordering: .relaxed).newValue
        let (subscription, listener) = RedisSubscription.make(
            bufferingAtMost: maxBufferedMessages,
            bytes: maxBufferedBytes
        )
        listener.onEnd { [weak self] in self?.perform { $0.remove(id) } }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
                let isOpen = perform { $0.add(id, Set(targets), listener, continuation) }
                guard isOpen else { return continuation.resume(throwing: RedisClientError.clientClosed) }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
        return subscription
    }

    private func cancel(_ id: UInt64) {
        perform { $0.giveUp(id, RedisClientError(.cancelled, "The task was cancelled.")) }
    }

    /// Does something on the event loop, which may be gone behind the end.
    ///
    /// - Returns: whether it is not too late.
    @discardableResult
    private func perform(_ action: @escaping @Sendable (SubscriptionHub) -> Void) -> Bool {
        isClosed.withLockedValue { isClosed in
            if !isClosed { eventLoop.execute { [hub] in action(hub.value) } }
            return !isClosed
        }
    }

    /// Makes another connection if this one is not to the right server any longer.
    ///
    /// - Parameter isGap: the same in any case, so that everyone learns that messages may have been missed.
    func recheckPlace(isGap: Bool) {
        perform { $0.recheckPlace(isGap: isGap) }
    }

    /// The same if this connection was begun before.
    func recheckPlace(before time: NIODeadline) {
        perform { $0.recheckPlace(before: time) }
    }

    /// - Parameter action: told, on the event loop, of each connection as soon as it is there.
    func onConnect(_ action: @escaping @Sendable (ServerDoubt.Reason) -> Void) {
        perform { $0.onConnect = action }
    }

    /// Ends all subscriptions; what is asked for afterwards is refused.
    func close() {
        isClosed.withLockedValue { isClosed in
            if !isClosed { eventLoop.execute { [hub] in hub.value.close() } }
            isClosed = true
        }
    }
}
