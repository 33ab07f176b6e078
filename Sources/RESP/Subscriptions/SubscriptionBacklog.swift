import NIOConcurrencyHelpers
import NIOCore

/// What a subscription tells and its reader has not taken yet.
final class SubscriptionBacklog: Sendable {
    private struct State {
        var events = CircularBuffer<RedisSubscriptionEvent>()
        var messageCount = 0
        var byteCount = 0
        var isOverflowing = false
    }

    private let maxMessages: Int
    private let maxBytes: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - maxMessages: that are kept. Of gaps there are no more than a few for each.
    ///   - maxBytes: that they may have together; one alone may have more.
    init(maxMessages: Int, maxBytes: Int) {
        self.maxMessages = maxMessages
        self.maxBytes = maxBytes
    }

    /// Adds a message; drops it if there is no room, and says so once.
    ///
    /// - Returns: whether the reader may have found nothing before.
    func add(_ message: RedisMessage) -> Bool {
        state.withLockedValue { state in
            let wasEmpty = state.events.isEmpty
            if hasRoom(for: message, state) {
                state.isOverflowing = false
                state.messageCount += 1
                state.byteCount += message.byteCount
                state.events.append(.message(message))
            } else if !state.isOverflowing {
                state.isOverflowing = true
                state.events.append(.overflowed)
            }
            return wasEmpty
        }
    }

    /// Adds the begin or the end of an interruption. One that follows another whose end nobody has seen goes on with it.
    ///
    /// - Returns: whether the reader may have found nothing before.
    func add(_ gap: RedisSubscriptionEvent) -> Bool {
        state.withLockedValue { state in
            let wasEmpty = state.events.isEmpty
            if gap == .disconnected, case .resubscribed? = state.events.last {
                state.events.removeLast()
            } else {
                state.events.append(gap)
            }
            return wasEmpty
        }
    }

    func take() -> RedisSubscriptionEvent? {
        state.withLockedValue { state in
            let event = state.events.popFirst()
            if case .message(let message)? = event {
                state.messageCount -= 1
                state.byteCount -= message.byteCount
            }
            return event
        }
    }

    private func hasRoom(for message: RedisMessage, _ state: State) -> Bool {
        guard state.messageCount < maxMessages else { return false }
        return state.messageCount == 0 || state.byteCount + message.byteCount <= maxBytes
    }
}

extension RedisMessage {
    fileprivate var byteCount: Int { channel.utf8.count + payload.readableBytes }
}
