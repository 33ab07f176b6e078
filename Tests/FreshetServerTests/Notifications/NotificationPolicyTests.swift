import Freshet
import Testing

@testable import FreshetServer

extension FieldEvent {
    /// An event as the core makes it.
    static func made(_ kind: Kind, at seconds: Int = 0, _ change: (inout FieldEvent) -> Void = { _ in }) -> FieldEvent {
        var event = FieldEvent(kind, at: MonotonicInstant(nanoseconds: Int64(seconds) * 1_000_000_000))
        change(&event)
        return event
    }

    static func failed(_ failures: Int?, at seconds: Int = 0, refusal: Refusal? = nil) -> FieldEvent {
        made(.load(.failed(.sourceFailed, refusal)), at: seconds) { event in
            event.failures = failures
            event.message = "no answer"
        }
    }

    static func stale(for staleFor: Duration, at seconds: Int = 0) -> FieldEvent {
        made(.read(.stale, .stale(.l1, sourceFailed: true)), at: seconds) { $0.timeToLive = .zero - staleFor }
    }
}

@Suite("Notification policy")
struct NotificationPolicyTests {
    private static let settings = NotificationSettings(webhook: "https://example.com/s3cret")

    @Test("loads that keep failing: from the third failure in a row on")
    func failing() {
        var policy = NotificationPolicy(Self.settings)
        #expect(policy.notice(of: .failed(1), field: "agents") == nil)
        #expect(policy.notice(of: .failed(2), field: "agents") == nil)
        let notice = policy.notice(of: .failed(3), field: "agents")
        #expect(notice?.event == .loadsFailing)
        #expect(notice?.text == "agents: 3 loads in a row failed – no answer")
        #expect(notice?.failures == 3)
    }

    @Test("a load that an invalidation overtook says nothing of the source")
    func overtaken() {
        var settings = Self.settings
        settings.failures = 1
        var policy = NotificationPolicy(settings)
        #expect(policy.notice(of: .failed(nil), field: "agents") == nil)
        #expect(policy.notice(of: .failed(1), field: "agents")?.text == "agents: a load failed – no answer")
    }

    @Test(
        "a refused token and a spent quota: at once, and not as failing loads too",
        arguments: [(Refusal.credentials, Notice.Event.tokenRefused), (.quota, .quotaUsedUp)]
    )
    func refused(refusal: Refusal, event: Notice.Event) {
        var policy = NotificationPolicy(Self.settings)
        #expect(policy.notice(of: .failed(1, refusal: refusal), field: "agents")?.event == event)
        #expect(policy.notice(of: .failed(9, refusal: refusal), field: "agents") == nil)
    }

    @Test("stale values beyond the limit only")
    func stale() {
        var policy = NotificationPolicy(Self.settings)
        #expect(policy.notice(of: .stale(for: .seconds(3600)), field: "agents") == nil)
        let notice = policy.notice(of: .stale(for: .seconds(7200)), field: "agents")
        #expect(notice?.text == "agents: readers get a value that is 2h past its freshness")
        #expect(notice?.staleFor == 7200)
    }

    @Test("once a subject and quiet period; subjects do not quiet each other")
    func quiet() {
        var policy = NotificationPolicy(Self.settings)
        #expect(policy.notice(of: .failed(3), field: "agents") != nil)
        #expect(policy.notice(of: .failed(4, at: 899), field: "agents") == nil)
        #expect(policy.notice(of: .failed(4, at: 899), field: "rates") != nil)
        #expect(policy.notice(of: .stale(for: .seconds(7200), at: 899), field: "agents") != nil)
        #expect(policy.notice(of: .failed(5, at: 900), field: "agents") != nil)
        #expect(policy.notice(of: .failed(6, at: 901), field: "agents") == nil)
    }

    @Test("the store: lost, back, and what it refuses")
    func store() {
        var policy = NotificationPolicy(Self.settings)
        func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }
        #expect(policy.notice(of: .lost, at: at(0))?.event == .storeLost)
        #expect(policy.notice(of: .back, at: at(1))?.event == .storeBack)
        #expect(policy.notice(of: .lost, at: at(2)) == nil)
        #expect(policy.notice(of: .refused(.quota), at: at(2))?.subject == "quotaUsedUp")
        #expect(policy.notice(of: .refused(.credentials), at: at(2))?.subject == "tokenRefused")
        #expect(policy.notice(of: .lost, at: at(900)) != nil)
    }

    @Test("what was last told of the store is put right when the quiet period is over, and only if it is wrong")
    func lastWord() {
        var policy = NotificationPolicy(Self.settings)
        func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }
        _ = policy.notice(of: .lost, at: at(0))
        _ = policy.notice(of: .back, at: at(1))
        #expect(policy.lastWordDue == nil)
        #expect(policy.notice(of: .lost, at: at(2)) == nil)
        #expect(policy.lastWordDue == at(900))
        #expect(policy.notice(of: .back, at: at(3)) == nil)
        #expect(policy.lastWordDue == nil && policy.lastWord(at: at(900)) == nil)
        #expect(policy.notice(of: .lost, at: at(4)) == nil)
        #expect(policy.lastWord(at: at(899)) == nil)
        #expect(policy.lastWord(at: at(900))?.event == .storeLost)
        #expect(policy.lastWordDue == nil && policy.lastWord(at: at(2000)) == nil)
        #expect(policy.notice(of: .back, at: at(900)) == nil)
        #expect(policy.lastWordDue == at(901))
    }

    @Test("what came to nothing is told of again, if it is still true")
    func takenBack() throws {
        var policy = NotificationPolicy(Self.settings)
        func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }
        let first = policy.notice(of: .lost, at: at(0))
        let lost = try #require(first)
        policy.takeBack(lost, until: at(90))
        #expect(policy.lastWordDue == at(90))
        #expect(policy.lastWord(at: at(90)) == lost)
        #expect(policy.lastWordDue == nil)
        #expect(policy.notice(of: .back, at: at(91))?.event == .storeBack)
        policy.takeBack(lost, until: at(180))
        #expect(policy.lastWordDue == nil, "it is not true any more")
    }

    @Test("what is no trouble is not told of")
    func others() {
        var policy = NotificationPolicy(Self.settings)
        let kinds: [FieldEvent.Kind] = [
            .load(.changed), .load(.refused(.overtaken)), .load(.cancelled), .read(.nothing, .hit(.l2)),
            .read(.nothing, .failed(.sourceFailed)), .lease(.held), .settled(hasChanged: false),
            .settled(hasChanged: nil), .undecodable,
        ]
        for kind in kinds { #expect(policy.notice(of: .made(kind), field: "agents") == nil) }
        #expect(policy.notice(of: .made(.settled(hasChanged: true)), field: "agents")?.event == .changedLate)
    }

    @Test("the webhook is in no description")
    func secret() {
        #expect(!"\(Self.settings)".contains("s3cret"))
        #expect(!String(reflecting: Self.settings).contains("s3cret"))
        var dumped = ""
        dump(Self.settings, to: &dumped)
        #expect(!dumped.contains("s3cret"))
    }
}

@Suite("Notice queue")
struct NoticeQueueTests {
    private func notice(_ field: String) -> Notice { Notice(event: .loadsFailing, field: field, text: "") }

    @Test("one sends, in order; what is too much is dropped; sending begins anew when all are sent")
    func order() {
        var queue = NoticeQueue(capacity: 2)
        #expect(queue.add(notice("a")) == .start)
        #expect(queue.add(notice("b")) == .waits)
        #expect(queue.add(notice("c")) == .dropped)
        #expect(queue.next()?.field == "a")
        #expect(queue.add(notice("d")) == .waits)
        #expect(queue.next()?.field == "b")
        #expect(queue.next()?.field == "d")
        #expect(queue.next() == nil)
        #expect(queue.add(notice("e")) == .start)
    }

    @Test("closed, it takes no more and gives out what it has")
    func closed() {
        var queue = NoticeQueue(capacity: 2)
        _ = queue.add(notice("a"))
        queue.close()
        #expect(queue.add(notice("b")) == .dropped)
        #expect(queue.next()?.field == "a")
        #expect(queue.next() == nil)
    }
}
