import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Listens to one of the sentinels for news of a failover.
final class FailoverAlarm: Sendable {
    private let primaryName: String
    private let subscriber: Subscriber
    private let eventLoop: any EventLoop
    private let hasStarted = NIOLockedValueBox(false)

    /// Between attempts at a subscription that a sentinel refuses; a lost one is renewed by itself.
    private static let pause = TimeAmount.seconds(1)

    init(
        configuration: RedisClient.Configuration,
        primaryName: String,
        sentinels: @escaping @Sendable () -> [RedisClient.Configuration.Address],
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.primaryName = primaryName
        self.eventLoop = eventLoop
        let place = SubscriptionPlace(
            connector: {
                sentinels().randomElement().map { Connector(configuration: configuration.server(at: $0, peer: .any)) }
            },
            isRight: { _ in true }
        )
        subscriber = Subscriber(configuration: configuration, place: place, eventLoop: eventLoop, logger: logger)
    }

    /// Calls when the primary changed, and when that may have been missed. Once for all, until it is closed.
    func listen(_ action: @escaping @Sendable () -> Void) {
        let isFirst = hasStarted.withLockedValue { hasStarted in
            defer { hasStarted = true }
            return !hasStarted
        }
        if isFirst { Task.detached { await self.run(action) } }
    }

    private func run(_ action: @Sendable () -> Void) async {
        while true {
            do {
                for try await event in try await subscriber.subscribe(to: [.channel("+switch-master")]) {
                    if isNews(event) { action() }
                }
                return
            } catch let error as RedisClientError where error.code == .closed {
                return
            } catch {
                await eventLoop.pause(Self.pause)
            }
        }
    }

    /// The message is `name old-ip old-port new-ip new-port`. It is not taken at its word: the sentinels are asked.
    private func isNews(_ event: RedisSubscriptionEvent) -> Bool {
        guard case .message(let message) = event else { return event.isGap }
        return String(buffer: message.payload).split(separator: " ").first.map(String.init) == primaryName
    }

    func close() {
        subscriber.close()
    }
}
