import Freshet

/// Why the last reads and loads of a field did what they did on this node, as it is sent.
package struct Explanation: Codable, Sendable {
    package struct Event: Codable, Sendable {
        /// Seconds since it happened, the last time if several times in a row.
        package var ago: Double
        /// How many times in a row.
        package var count: Int
        /// `read`, `lease`, `load`, `invalidation`, `undecodable` or `settle`.
        package var kind: String
        package var result: String?
        /// Why L1 did not answer; where an invalidation came from.
        package var reason: String?
        /// Seconds; of the value.
        package var age, ttl: Double?
        /// Seconds that a load took.
        package var took: Double?
        /// Seconds: how long somebody else's lease, a pause or a cooldown may last.
        package var wait: Double?
        /// Who has the lease: host and process id, where that is another service.
        package var holder: String?
        /// How many loads in a row have failed.
        package var failures: Int?
        package var message: String?
        /// All that as a sentence.
        package var text: String
    }

    package var field: String
    /// `up` or `down`.
    package var store: String
    package var state: CatalogueEntry.State
    package var advice: [String]
    /// Oldest first.
    package var events: [Event]
}

extension Explanation {
    init(of field: AnyField, in cache: FieldCache) async {
        self.field = field.name
        store = cache.isStoreAvailable ? "up" : "down"
        state = CatalogueEntry.State(await cache.state(of: field))
        advice = cache.advice(for: field).map(\.text)
        let now = cache.now
        events = cache.events(of: field).map { Event($0, at: now) }
    }
}

extension Explanation.Event {
    init(_ event: FieldEvent, at now: MonotonicInstant) {
        (kind, result, reason) = event.words
        text = event.text
        ago = max(.zero, now - event.at).inSeconds
        count = event.count
        age = event.age?.inSeconds
        ttl = event.timeToLive?.inSeconds
        took = event.took?.inSeconds
        wait = event.wait?.inSeconds
        holder = event.holder
        failures = event.failures
        message = event.message
    }
}

extension FieldEvent {
    fileprivate var words: (kind: String, result: String?, reason: String?) {
        switch kind {
        case .read(let finding, let end): ("read", end.word, "\(finding)")
        case .lease(let end): ("lease", end.word, nil)
        case .load(.refused(.byStore(let reason))): ("load", "refused", reason.rawValue)
        case .load(.refused(.overtaken)): ("load", "refused", "overtaken")
        case .load(.failed(let code, _)): ("load", "failed", code.description)
        case .load(let end): ("load", "\(end)", nil)
        case .invalidated(let invalidation, let origin): ("invalidation", "\(invalidation)", "\(origin)")
        case .undecodable: ("undecodable", nil, nil)
        case .settled(let hasChanged): ("settle", hasChanged.map { $0 ? "changed" : "unchanged" } ?? "unknown", nil)
        }
    }
}

extension FieldEvent.ReadEnd {
    fileprivate var word: String {
        switch self {
        case .hit(let tier): "hit.\(tier)"
        case .stale(let tier, _): "stale.\(tier)"
        case .loaded(let isStored): isStored ? "loaded" : "passed"
        case .refreshed(let isCooldown): isCooldown ? "cooldown" : "refreshed"
        case .failed(let code): "failed.\(code)"
        case .absent, .cancelled: "\(self)"
        }
    }
}

extension FieldEvent.LeaseEnd {
    fileprivate var word: String {
        if case .storeAway(let code) = self { "storeAway.\(code)" } else { "\(self)" }
    }
}
