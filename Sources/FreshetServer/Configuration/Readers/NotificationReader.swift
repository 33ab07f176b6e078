import Freshet

/// Reads `notifications:`.
enum NotificationReader {
    static func read(_ value: YAMLValue?) -> NotificationSettings? {
        guard let value, let mapping = value.section() else { return nil }
        mapping.allow(["webhook", "quiet", "failures", "staleLimit"])
        var settings = NotificationSettings(webhook: "")
        settings.quiet = mapping["quiet"]?.duration(atLeast: .seconds(1)) ?? settings.quiet
        settings.failures = mapping["failures"]?.integer(in: 1...1_000_000) ?? settings.failures
        settings.staleLimit = mapping["staleLimit"]?.duration() ?? settings.staleLimit
        guard let webhook = mapping["webhook"] else {
            value.report("there is no webhook to notify", "add webhook: with the URL to post to")
            return nil
        }
        guard let url = webhook.word() else { return nil }
        settings.webhook = url
        if NearbyHost.isExposed(url) {
            value.scope.warn(
                webhook.place,
                "the webhook's URL, with which anybody can post, crosses the network in plain text",
                "write https:// for a host that is far away"
            )
        }
        do {
            _ = try Webhook(url)
        } catch {
            webhook.report((error as? CacheError)?.message ?? "\(error)", "write https://host/path")
        }
        return settings
    }
}
