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
        if case .message = self { return false }
        return true
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
public struct RedisSubscription: AsyncSequence, Sendable {
    public typealias Element = RedisSubscriptionEvent

    /// Wakes the reader, where there was nothing for it to take.
    let stream: AsyncThrowingStream<Void, any Error>
    let backlog: SubscriptionBacklog

    /// A subscription, and where a client writes what it tells.
    ///
    /// - Parameters:
    ///   - maxMessages: that are kept for a slow reader.
    ///   - maxBytes: that they may have together; one alone may have more.
    package static func make(
        bufferingAtMost maxMessages: Int,
        bytes maxBytes: Int
    ) -> (RedisSubscription, SubscriptionWriter) {
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: Void.self,
            throwing: (any Error).self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let backlog = SubscriptionBacklog(maxMessages: maxMessages, maxBytes: maxBytes)
        return (
            RedisSubscription(stream: stream, backlog: backlog),
            SubscriptionWriter(continuation: continuation, backlog: backlog)
        )
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: stream.makeAsyncIterator(), backlog: backlog)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncThrowingStream<Void, any Error>.Iterator
        let backlog: SubscriptionBacklog

        public mutating func next() async throws -> RedisSubscriptionEvent? {
            try await next(isolation: #isolation)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(any Error) -> RedisSubscriptionEvent? {
            while true {
                if let event = backlog.take() { return event }
                guard try await base.next(isolation: actor) != nil else { return nil }
            }
        }
    }
}

/// The end of a subscription that its client writes to.
package struct SubscriptionWriter: Sendable {
    /// Ends it, and tells of its end.
    package let continuation: AsyncThrowingStream<Void, any Error>.Continuation
    let backlog: SubscriptionBacklog

    /// Passes a message on; drops it if the reader is too slow, and says so once.
    package func deliver(_ message: RedisMessage) {
        if backlog.add(message) { continuation.yield() }
    }

    /// Tells of an interruption, or of its end.
    package func tell(_ gap: RedisSubscriptionEvent) {
        if backlog.add(gap) { continuation.yield() }
    }
}
