import NIOCore
import Synchronization

/// What a subscription tells and its reader has not taken yet.
final class SubscriptionBacklog: Sendable {
    private struct State {
        var events = CircularBuffer<RedisSubscriptionEvent>()
        var messageCount = 0
        var isOverflowing = false
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: messages that are kept. Of gaps there are no more than a few for each.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds a message; drops it if there is no room, and says so once.
    ///
    /// - Returns: whether the reader may have found nothing before.
    func add(_ message: RedisMessage) -> Bool {
        state.withLock { state in
            let wasEmpty = state.events.isEmpty
            if state.messageCount < limit {
                state.isOverflowing = false
                state.messageCount += 1
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
        state.withLock { state in
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
        state.withLock { state in
            let event = state.events.popFirst()
            if case .message? = event { state.messageCount -= 1 }
            return event
        }
    }
}
