import BoundedCache
import NIOConcurrencyHelpers

/// What has lately happened to each field of a catalogue on this node: for those who ask why, and for those who watch.
///
/// Fresh hits in L1 are not told to it: they pay nothing for it. Everything else takes one short lock of the field's
/// own. Its size is fixed by the number of fields.
final class FieldJournal: Sendable {
    typealias Watcher = @Sendable (_ field: String, FieldEvent) -> Void

    private struct State {
        /// Apart, so that many reads do not push out what they waited for.
        var reads = EventRing(capacity: 32)
        var others = EventRing(capacity: 64)
        var history = FieldHistory()
    }

    private final class Page: Sendable {
        let name: String
        let state = NIOLockedValueBox(State())

        init(name: String) { self.name = name }
    }

    /// By key.
    private let pages: [ExactKey: Page]
    private let watchers = NIOLockedValueBox<[Watcher]>([])

    init(_ catalog: FieldCatalog) {
        pages = Dictionary(catalog.fields.map { (ExactKey($0.key), Page(name: $0.name)) }) { first, _ in first }
    }

    /// Tells a watcher of every event from now on. It is called in the midst of reads and loads, and must return at
    /// once.
    func watch(_ watcher: @escaping Watcher) { watchers.withLockedValue { $0.append(watcher) } }

    /// Whether it is the key of one of the fields.
    func covers(_ key: String) -> Bool { pages[key] != nil }

    func record(_ event: FieldEvent, of key: String) {
        guard let page = pages[key] else { return }
        page.state.withLockedValue { state in
            switch event.kind {
            case .invalidated: state.history.invalidate()
            case .load(.changed): state.history.count(hasChanged: true, at: event.at)
            case .load(.unchanged): state.history.count(hasChanged: false, at: event.at)
            default: break
            }
            if case .read = event.kind { state.reads.add(event) } else { state.others.add(event) }
        }
        for watcher in watchers.withLockedValue({ $0 }) { watcher(page.name, event) }
    }

    /// The last events of a field, oldest first.
    func events(of key: String) -> [FieldEvent] {
        guard let state = pages[key]?.state.withLockedValue({ $0 }) else { return [] }
        return (state.reads.events + state.others.events).sorted { $0.at < $1.at }
    }

    func advice(for field: AnyField, at now: MonotonicInstant) -> [FieldAdvice] {
        guard let history = pages[field.key]?.state.withLockedValue({ $0.history }) else { return [] }
        return Adviser.advice(on: history, field.policy, at: now)
    }
}

extension FieldJournal {
    /// Whether a loaded value says the same as the one before.
    func isUnchanged(_ payload: Payload, known: Payload?, of key: String) -> Bool {
        let new = ContentDigest(payload)
        let old = known.map { $0.digest == payload.digest ? new : ContentDigest($0) }
        return pages[key]?.state.withLockedValue { $0.history.compare(new, with: old) } ?? (old == new)
    }

    func beginLoad(of field: AnyField, at now: MonotonicInstant) {
        pages[field.key]?.state.withLockedValue { $0.history.beginLoad(ttl: field.policy.ttl, at: now) }
    }

    func hold(_ entry: Entry, of key: String) {
        pages[key]?.state.withLockedValue {
            $0.history.hold(loadedAt: entry.loadedAt, freshUntil: entry.freshUntil)
        }
    }
}
