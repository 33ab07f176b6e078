import NIOCore

/// What a subscription tells and its readers have not taken yet.
struct SubscriptionBacklog: MailboxContents {
    private let maxMessages: Int
    private let maxBytes: Int
    private var events = CircularBuffer<RedisSubscriptionEvent>()
    private var messageCount = 0
    private var byteCount = 0
    private var isOverflowing = false

    /// - Parameters:
    ///   - maxMessages: that are kept. Of gaps there are no more than a few for each.
    ///   - maxBytes: that they may have together; one alone may have more.
    init(maxMessages: Int, maxBytes: Int) {
        self.maxMessages = maxMessages
        self.maxBytes = maxBytes
    }

    /// Adds a message; drops it if there is no room, and says so once.
    ///
    /// - Returns: whether there was room.
    mutating func add(_ message: RedisMessage) -> Bool {
        guard hasRoom(for: message) else {
            if !isOverflowing { events.append(.overflowed) }
            isOverflowing = true
            return false
        }
        isOverflowing = false
        messageCount += 1
        byteCount += message.byteCount
        events.append(.message(message))
        return true
    }

    /// Adds the begin or the end of an interruption. One that follows another whose end nobody has seen goes on with it.
    mutating func add(_ gap: RedisSubscriptionEvent) {
        if gap == .disconnected, case .resubscribed? = events.last {
            events.removeLast()
        } else {
            events.append(gap)
        }
    }

    mutating func take() -> RedisSubscriptionEvent? {
        let event = events.popFirst()
        if case .message(let message)? = event {
            messageCount -= 1
            byteCount -= message.byteCount
        }
        return event
    }

    private func hasRoom(for message: RedisMessage) -> Bool {
        guard messageCount < maxMessages else { return false }
        return messageCount == 0 || byteCount + message.byteCount <= maxBytes
    }
}

extension RedisMessage {
    fileprivate var byteCount: Int { channel.utf8.count + payload.readableBytes }
}
