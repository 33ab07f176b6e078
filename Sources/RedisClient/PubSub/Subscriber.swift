import Logging
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
        let id = ids.wrappingAdd(1, ordering: .relaxed).newValue
        let (subscription, listener) = RedisSubscription.make(
            bufferingAtMost: maxBufferedMessages,
            bytes: maxBufferedBytes
        )
        listener.onEnd { [eventLoop, hub] in eventLoop.execute { hub.value.remove(id) } }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
                eventLoop.execute { [hub] in hub.value.add(id, Set(targets), listener, continuation) }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
        return subscription
    }

    private func cancel(_ id: UInt64) {
        eventLoop.execute { [hub] in
            hub.value.giveUp(id, RedisClientError(.cancelled, "The task was cancelled."))
        }
    }

    /// Makes another connection if this one is not to the right server any longer.
    ///
    /// - Parameter isGap: the same in any case, so that everyone learns that messages may have been missed.
    func recheckPlace(isGap: Bool) {
        eventLoop.execute { [hub] in hub.value.recheckPlace(isGap: isGap) }
    }

    /// The same if this connection was begun before.
    func recheckPlace(before time: NIODeadline) {
        eventLoop.execute { [hub] in hub.value.recheckPlace(before: time) }
    }

    /// - Parameter action: told, on the event loop, when the connection was lost, as soon as there is another.
    func onReturn(_ action: @escaping @Sendable (NIODeadline) -> Void) {
        eventLoop.execute { [hub] in hub.value.onReturn = action }
    }

    /// Ends all subscriptions; what is asked for afterwards is refused.
    func close() {
        eventLoop.execute { [hub] in hub.value.close() }
    }
}
