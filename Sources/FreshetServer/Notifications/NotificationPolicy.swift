import Freshet

/// Which events somebody is told of, and how often. Pure: no I/O, no clock.
struct NotificationPolicy: Sendable {
    private let settings: NotificationSettings
    /// By subject: one for each kind of event and field at most.
    private var quietUntil: [String: MonotonicInstant] = [:]
    /// How the store is, and what was last told of that.
    private var store: Notice?
    private var toldOfStore: Notice.Event?

    init(_ settings: NotificationSettings) { self.settings = settings }

    /// The notice that an event of a field calls for; nil if none, or if its subject is quiet.
    mutating func notice(of event: FieldEvent, field: String) -> Notice? {
        notice(settings.notice(of: event, field: field), at: event.at)
    }

    /// The notice that an event of the store calls for.
    mutating func notice(of event: StoreEvent, at now: MonotonicInstant) -> Notice? {
        let notice = settings.notice(of: event)
        guard event == .lost || event == .back else { return self.notice(notice, at: now) }
        store = notice
        return lastWord(at: now)
    }

    /// When to ask for ``lastWord(at:)``; nil while what was last told of the store is true.
    var lastWordDue: MonotonicInstant? {
        store.flatMap { $0.event == toldOfStore ? nil : quietUntil[$0.subject] }
    }

    /// How the store is, if what was last told is something else.
    mutating func lastWord(at now: MonotonicInstant) -> Notice? {
        guard let store, store.event != toldOfStore, let notice = notice(store, at: now) else { return nil }
        toldOfStore = notice.event
        return notice
    }

    /// A notice has come to nothing, so far as is known here: it may be told of again from an instant on.
    mutating func takeBack(_ notice: Notice, until instant: MonotonicInstant) {
        quiet(notice.subject, until: instant)
        if notice.event == toldOfStore { toldOfStore = nil }
    }

    /// A subject is not told of before an instant.
    mutating func quiet(_ subject: String, until instant: MonotonicInstant) { quietUntil[subject] = instant }

    private mutating func notice(_ notice: Notice?, at now: MonotonicInstant) -> Notice? {
        guard let notice, now >= quietUntil[notice.subject] ?? .distantPast else { return nil }
        quietUntil[notice.subject] = now + settings.quiet
        return notice
    }
}

extension NotificationSettings {
    /// Whether an event is worth a look, which nearly none is. Takes no lock.
    func concerns(_ event: FieldEvent) -> Bool {
        switch event.kind {
        case .load(.failed), .settled(true?): true
        case .read(_, .stale): (event.timeToLive ?? .zero) < .zero - staleLimit
        default: false
        }
    }

    fileprivate func notice(of event: FieldEvent, field: String) -> Notice? {
        guard concerns(event) else { return nil }
        switch event.kind {
        case .load(.failed(let code, let refusal)):
            guard refusal != nil || event.failures ?? 0 >= failures else { return nil }
            let (kind, text) = Self.failure(refusal, event.failures ?? 1)
            return Notice(
                event: kind,
                field: field,
                text: "\(field): \(text) – \(event.message ?? code.description)",
                failures: event.failures,
                error: code.description,
                message: event.message
            )
        case .read:
            let staleFor = event.timeToLive.map { .zero - $0 } ?? .zero
            return Notice(
                event: .staleServed,
                field: field,
                text: "\(field): readers get a value that is \(staleFor.roundedText) past its freshness",
                staleFor: staleFor.inSeconds
            )
        case .settled:
            return Notice(
                event: .changedLate,
                field: field,
                text: "\(field): the source changed after a forced refresh, which was too early for it; "
                    + "readers have the new value now"
            )
        default: return nil
        }
    }

    private static func failure(_ refusal: Refusal?, _ failures: Int) -> (Notice.Event, String) {
        switch refusal {
        case .credentials: (.tokenRefused, "the source refuses the token")
        case .quota: (.quotaUsedUp, "the source's quota is used up")
        case .database, nil: (.loadsFailing, failures == 1 ? "a load failed" : "\(failures) loads in a row failed")
        }
    }

    fileprivate func notice(of event: StoreEvent) -> Notice? {
        switch event {
        case .lost:
            Notice(event: .storeLost, text: "the store is lost; fields are served from memory and their sources")
        case .back: Notice(event: .storeBack, text: "the store is back")
        case .refused(.credentials): Notice(event: .tokenRefused, text: "the store refuses the token or password")
        case .refused(.quota): Notice(event: .quotaUsedUp, text: "the store's quota is used up")
        // It is lost, too, and that is told.
        case .refused(.database): nil
        }
    }
}
