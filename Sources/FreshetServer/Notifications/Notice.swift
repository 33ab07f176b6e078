/// What somebody is to be told.
struct Notice: Sendable, Hashable {
    enum Event: String, Sendable, Hashable, Encodable {
        case loadsFailing
        case staleServed
        case tokenRefused
        case quotaUsedUp
        /// The source changed after a forced refresh, which was too early for it.
        case changedLate
        case storeLost
        case storeBack
    }

    var event: Event
    /// nil where it is about the store.
    var field: String?
    var text: String
    /// How many loads in a row have failed.
    var failures: Int?
    /// Seconds past the value's freshness.
    var staleFor: Double?
    /// Code and message of the error behind it.
    var error: String?
    var message: String?

    /// What is told of once in a quiet period.
    var subject: String { field.map { "\(event.rawValue):\($0)" } ?? event.rawValue }
}

extension Notice: Encodable {
    /// As it is posted. Slack takes `<…>` in a text for links and for calls to everybody; what sources say may be in it.
    var escaped: Notice {
        var notice = self
        for (mark, escape) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")] { notice.text.replace(mark, with: escape) }
        return notice
    }
}
