public import NIOCore
import Synchronization

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

    let stream: AsyncThrowingStream<RedisSubscriptionEvent, any Error>
    let backlog: SubscriptionBacklog

    /// A subscription, and where a client writes what it tells.
    ///
    /// - Parameter limit: messages that are kept for a slow reader.
    package static func make(bufferingAtMost limit: Int) -> (RedisSubscription, SubscriptionWriter) {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: RedisSubscriptionEvent.self)
        let backlog = SubscriptionBacklog(limit: limit)
        return (
            RedisSubscription(stream: stream, backlog: backlog),
            SubscriptionWriter(continuation: continuation, backlog: backlog)
        )
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: stream.makeAsyncIterator(), backlog: backlog)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncThrowingStream<RedisSubscriptionEvent, any Error>.Iterator
        let backlog: SubscriptionBacklog

        public mutating func next() async throws -> RedisSubscriptionEvent? {
            try await next(isolation: #isolation)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(any Error) -> RedisSubscriptionEvent? {
            let event = try await base.next(isolation: actor)
            if case .message = event { backlog.removed() }
            return event
        }
    }
}

/// The end of a subscription that its client writes to.
package struct SubscriptionWriter: Sendable {
    package let continuation: AsyncThrowingStream<RedisSubscriptionEvent, any Error>.Continuation
    let backlog: SubscriptionBacklog
    private var isOverflowing = false

    init(
        continuation: AsyncThrowingStream<RedisSubscriptionEvent, any Error>.Continuation,
        backlog: SubscriptionBacklog
    ) {
        self.continuation = continuation
        self.backlog = backlog
    }

    /// Passes a message on; drops it if the reader is too slow, and says so once.
    package mutating func deliver(_ message: RedisMessage) {
        if backlog.add() {
            isOverflowing = false
            continuation.yield(.message(message))
        } else if !isOverflowing {
            isOverflowing = true
            continuation.yield(.overflowed)
        }
    }
}

/// Counts the messages that a reader has not taken.
final class SubscriptionBacklog: Sendable {
    private let count = Atomic<Int>(0)
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Makes room for one message, if there is any.
    func add() -> Bool {
        guard count.load(ordering: .relaxed) < limit else { return false }
        count.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    func removed() {
        count.wrappingSubtract(1, ordering: .relaxed)
    }
}
