/// What a stream of events tells of.
enum UpstashEvents: Sendable, Hashable {
    case channels([String])
    case patterns([String])
    /// Every command that the store runs.
    case monitor

    /// The command that it is.
    var command: String {
        switch self {
        case .channels: "SUBSCRIBE"
        case .patterns: "PSUBSCRIBE"
        case .monitor: "MONITOR"
        }
    }
}
