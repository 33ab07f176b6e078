import Freshet

extension FieldAdvice {
    /// What was seen, and what would be better.
    var text: String {
        switch self {
        case .longerTTL(let loads, let changes, let ttl):
            "refreshed \(loads) times, \(Self.changed(changes)): \(ttl.roundedText) would serve as well"
        case .longerInterval(let loads, let changes, let interval):
            "refreshed \(loads) times, \(Self.changed(changes)): refreshEvery \(interval.roundedText), with a ttl longer "
                + "than that, would serve as well"
        case .expiresUnread(let count, let gap, let ttl):
            "expired \(count) times between two reads \(gap.roundedText) apart: \(ttl.roundedText) would last to the next one"
        case .dyingLinks(let lifetime, let served):
            "holds attachment links that die \(lifetime.roundedText) after the load, and is served for up to "
                + "\(served.roundedText): ttl and stale window together should be shorter than the links live"
        }
    }

    private static func changed(_ count: Int) -> String {
        switch count {
        case 0: "never changed"
        case 1: "changed once"
        case 2: "changed twice"
        default: "changed \(count) times"
        }
    }
}
