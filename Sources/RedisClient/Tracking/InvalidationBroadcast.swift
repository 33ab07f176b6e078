import NIOConcurrencyHelpers
import RESP

/// Hands the invalidations that a server sends to all who read them.
final class InvalidationBroadcast: Sendable {
    private struct Listener: Sendable {
        weak var mailbox: InvalidationMailbox?
    }

    private struct State {
        var listeners: [Listener] = []
        var isFinished = false
    }

    private let state = NIOLockedValueBox(State())

    /// - Parameter limit: keys that are kept for a slow reader.
    func listen(limit: Int) -> RedisInvalidations {
        let mailbox = InvalidationMailbox(limit: limit)
        let isFinished = state.withLockedValue { state in
            state.listeners.removeAll { $0.mailbox == nil }
            state.listeners.append(Listener(mailbox: mailbox))
            return state.isFinished
        }
        if isFinished { mailbox.finish() }
        return RedisInvalidations(mailbox: mailbox)
    }

    /// Reads `invalidate` with an array of keys, or with nothing, which means all keys. Other messages are none.
    ///
    /// - Parameter push: empty where it came too deep in a reply to be read; it may have told of any key.
    func receive(push: [RESPValue]) {
        if push.isEmpty { return put(.everything(.flushed)) }
        guard push.count == 2, push[0].string == "invalidate" else { return }
        guard let keys = push[1].array?.map(\.string) else { return put(.everything(.flushed)) }
        put(keys, otherwise: .flushed)
    }

    /// - Parameters:
    ///   - keys: a key that is no text has no name here that could be told; with one of them everything is meant.
    ///   - reason: for everything.
    func put(_ keys: [String?], otherwise reason: RedisInvalidation.Reason) {
        let names = keys.compactMap(\.self)
        put(names.count == keys.count ? .keys(names) : .everything(reason))
    }

    func put(_ invalidation: RedisInvalidation) {
        for mailbox in mailboxes() { mailbox.put(invalidation) }
    }

    func finish() {
        state.withLockedValue { $0.isFinished = true }
        for mailbox in mailboxes() { mailbox.finish() }
    }

    private func mailboxes() -> [InvalidationMailbox] {
        state.withLockedValue { $0.listeners.compactMap(\.mailbox) }
    }
}
