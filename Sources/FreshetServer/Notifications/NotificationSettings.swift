/// Whom to tell of troubles, and when.
public struct NotificationSettings: Sendable, Hashable {
    /// A URL that takes JSON with a `text`, as those of Slack and Teams do. A secret: whoever has it can post.
    public var webhook: String
    /// How long the same subject is not told of again, over all processes that share the store.
    public var quiet: Duration = .seconds(15 * 60)
    /// After how many failed loads in a row.
    public var failures = 3
    /// How long past its freshness a value may be served.
    public var staleLimit: Duration = .seconds(3600)

    public init(webhook: String) { self.webhook = webhook }
}

extension NotificationSettings: CustomStringConvertible, CustomReflectable {
    /// Without the webhook.
    public var description: String { "notifications, quiet for \(quiet.configurationText)" }

    public var customMirror: Mirror { Mirror(self, children: ["quiet": quiet]) }
}
