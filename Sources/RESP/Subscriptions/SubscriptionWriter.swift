/// The end of a subscription that its client writes to.
package struct SubscriptionWriter: Sendable {
    let mailbox: Mailbox<SubscriptionBacklog, any Error>

    /// Passes a message on; drops it if the readers are too slow, and says so once.
    ///
    /// - Returns: whether it will be read.
    @discardableResult
    package func deliver(_ message: RedisMessage) -> Bool {
        mailbox.change { $0.add(message) }
    }

    /// Tells of an interruption, or of its end.
    package func tell(_ gap: RedisSubscriptionEvent) {
        mailbox.change { $0.add(gap) }
    }

    /// Ends it, once what it told before is read.
    package func finish(throwing error: (any Error)? = nil) {
        mailbox.finish(throwing: error)
    }

    /// Does something once when it ends, which it does with its last reader too.
    package func onEnd(_ action: @escaping @Sendable () -> Void) {
        mailbox.onEnd(action)
    }
}
