import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Listens to all sentinels for news of a failover. Hearing of it from one is enough, but each may be cut off from those
/// that bring it about.
final class FailoverAlarm: Sendable {
    typealias Address = RedisClient.Configuration.Address

    enum Notice: Equatable {
        /// The primary is another; `nil` where the message does not tell which.
        case switched(to: Address?)
        /// What one sentinel said may have been missed.
        case gap
    }

    private struct State {
        var subscribers: [Address: Subscriber] = [:]
        var isClosed = false
    }

    private let configuration: RedisClient.Configuration
    private let primaryName: String
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private let pauses: WaitList

    /// Between attempts at a subscription that a sentinel refuses; a lost one is renewed by itself.
    private static let pauseTimes = Duration.seconds(1)...Duration.seconds(60)

    init(
        configuration: RedisClient.Configuration,
        primaryName: String,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.configuration = configuration
        self.primaryName = primaryName
        self.eventLoop = eventLoop
        self.logger = logger
        pauses = WaitList(eventLoop: eventLoop)
    }

    /// Listens to these sentinels and no others, until it is closed.
    ///
    /// - Parameter action: called for each that is new with what it says.
    func listen(to sentinels: [Address], _ action: @escaping @Sendable (Notice) -> Void) {
        let (new, unneeded) = state.withLockedValue { state -> ([Subscriber], [Subscriber]) in
            if state.isClosed { return ([], []) }
            let wanted = Set(sentinels)
            let unneeded = Set(state.subscribers.keys).subtracting(wanted)
                .compactMap { state.subscribers.removeValue(forKey: $0) }
            let new = wanted.subtracting(state.subscribers.keys).map { address in
                let subscriber = makeSubscriber(address)
                state.subscribers[address] = subscriber
                return subscriber
            }
            return (new, unneeded)
        }
        for subscriber in unneeded { subscriber.close() }
        for subscriber in new { Task.detached { await self.run(subscriber, action) } }
    }

    private func makeSubscriber(_ address: Address) -> Subscriber {
        let sentinel = configuration.server(at: address, peer: .any)
        return Subscriber(
            configuration: sentinel,
            place: SubscriptionPlace(sentinel),
            eventLoop: eventLoop,
            logger: logger
        )
    }

    private func run(_ subscriber: Subscriber, _ action: @Sendable (Notice) -> Void) async {
        var backoff = Backoff(Self.pauseTimes)
        while true {
            do {
                let events = try await subscriber.subscribe(to: [.channel("+switch-master")])
                backoff.succeeded()
                for try await event in events {
                    if let notice = notice(event) { action(notice) }
                }
                return
            } catch let error as RedisClientError where error.code == .closed {
                return
            } catch {
                // One that is away may be back at any time; one that refuses will most likely do so again.
                if let error = error as? RedisClientError, !error.isLasting { backoff.succeeded() }
                await pauses.pause(backoff.next())
            }
        }
    }

    /// The message is `name old-ip old-port new-ip new-port`. It is not taken at its word: the sentinels are asked.
    private func notice(_ event: RedisSubscriptionEvent) -> Notice? {
        guard case .message(let message) = event else { return .gap }
        let words = String(buffer: message.payload).split(separator: " ").map(String.init)
        guard words.first == primaryName else { return nil }
        guard words.count == 5, let port = Int(words[4]) else { return .switched(to: nil) }
        return .switched(to: .hostname(words[3], port: port))
    }

    func close() {
        let subscribers = state.withLockedValue { state in
            state.isClosed = true
            defer { state.subscribers = [:] }
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.close() }
        pauses.open()
    }
}
