public import NIOCore

/// A message that somebody published.
public struct RedisMessage: Sendable, Hashable {
    /// Bytes that are not UTF-8 are replaced.
    public let channel: String
    /// The pattern that matched, for subscriptions to patterns.
    public let pattern: String?
    public let payload: ByteBuffer

    public init(channel: String, pattern: String? = nil, payload: ByteBuffer) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
    }
}

/// What a subscription tells.
public enum RedisSubscriptionEvent: Sendable, Hashable {
    case message(RedisMessage)
    /// The connection is gone. What is published from now on is missed.
    case disconnected
    /// Listening again. What was published since ``disconnected`` was missed.
    case resubscribed
    /// The reader is too slow; messages from here on were dropped until it had caught up.
    case overflowed

    /// Whether messages may have been missed here.
    public var isGap: Bool {
        if case .message = self { false } else { true }
    }
}

/// A client that listens to channels.
public protocol ChannelSubscriber: Sendable {
    /// Listens to channels; returns when the server has confirmed.
    func subscribe(to channels: [String]) async throws -> RedisSubscription
}

/// The messages of some channels or patterns, and the gaps between them.
///
/// ```swift
/// for try await event in try await client.subscribe(to: ["news"]) {
///     switch event {
///     case .message(let message): …
///     case .disconnected, .resubscribed, .overflowed: … // something may have been missed
///     }
/// }
/// ```
///
/// It ends when the client is closed, and unsubscribes when it is no longer held or its task is cancelled. It throws
/// if the server refuses to renew the subscription.
///
/// Several tasks may read it, each with an iterator of its own. They share what it tells: every event, gaps too, goes to
/// one of them, to the one that has waited longest. It ends for all of them, also when the task of one is cancelled.
public struct RedisSubscription: AsyncSequence, Sendable {
    public typealias Element = RedisSubscriptionEvent

    let hold: SubscriptionHold

    /// A subscription, and where a client writes what it tells.
    ///
    /// - Parameters:
    ///   - maxMessages: that are kept for a slow reader.
    ///   - maxBytes: that they may have together; one alone may have more.
    package static func make(
        bufferingAtMost maxMessages: Int,
        bytes maxBytes: Int
    ) -> (RedisSubscription, SubscriptionWriter) {
        let mailbox = Mailbox<SubscriptionBacklog, any Error>(
            SubscriptionBacklog(maxMessages: maxMessages, maxBytes: maxBytes)
        )
        return (RedisSubscription(hold: SubscriptionHold(mailbox)), SubscriptionWriter(mailbox: mailbox))
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(hold: hold)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let hold: SubscriptionHold
        var isOver = false

        public mutating func next() async throws -> RedisSubscriptionEvent? {
            try await next(isolation: #isolation)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(any Error) -> RedisSubscriptionEvent? {
            if isOver { return nil }
            // Throwing is an end too.
            isOver = true
            guard let event = try await hold.mailbox.next() else {
                hold.mailbox.finish()
                return nil
            }
            isOver = false
            return event
        }
    }
}

/// What a subscription and its iterators share: with the last of them it ends.
final class SubscriptionHold: Sendable {
    let mailbox: Mailbox<SubscriptionBacklog, any Error>

    init(_ mailbox: Mailbox<SubscriptionBacklog, any Error>) {
        self.mailbox = mailbox
    }

    deinit { mailbox.finish() }
}
