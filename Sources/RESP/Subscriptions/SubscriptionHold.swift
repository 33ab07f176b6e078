/// What a subscription and its iterators share: with the last of them it ends.
final class SubscriptionHold: Sendable {
    let mailbox: Mailbox<SubscriptionBacklog, any Error>

    init(_ mailbox: Mailbox<SubscriptionBacklog, any Error>) {
        self.mailbox = mailbox
    }

    deinit { mailbox.finish() }
}
