import NIOCore
import Testing

@testable import Freshet

@Suite("Adviser")
struct AdviserTests {
    private static let hour = Duration.seconds(3600)

    /// A field that is loaded at fixed times, each load bringing what `content` says.
    private func history(
        loads: Int,
        every gap: Duration,
        ttl: Duration,
        hasDyingLinks: Bool = false,
        content: (Int) -> Int
    ) -> (FieldHistory, MonotonicInstant) {
        var history = FieldHistory()
        var now = MonotonicInstant(nanoseconds: 0)
        for number in 0...loads {
            history.beginLoad(ttl: ttl, at: now)
            let digest = ContentDigest(digest: "\(content(number))", hasDyingLinks: hasDyingLinks)
            let isSame = history.compare(digest, with: nil)
            history.count(hasChanged: !isSame, at: now)
            history.hold(loadedAt: now, freshUntil: now + ttl)
            if number < loads { now = now + gap }
        }
        return (history, now)
    }

    @Test("refreshed 96 times, changed twice: 6 h would serve as well")
    func longerTTL() {
        let policy = FieldPolicy(ttl: .seconds(900))
        let (history, now) = history(loads: 96, every: .seconds(900), ttl: policy.ttl) { $0 / 40 }
        #expect(
            Adviser.advice(on: history, policy, at: now)
                == [.longerTTL(loads: 96, changes: 2, ttl: .seconds(6 * 3600))]
        )
    }

    @Test("a schedule that asks more often than the ttl is what is judged", arguments: [1, 24])
    func longerInterval(hours: Int) {
        var policy = FieldPolicy(ttl: Self.hour * hours)
        policy.refreshEvery = .every(.seconds(900))
        let (history, now) = history(loads: 96, every: .seconds(900), ttl: policy.ttl) { $0 / 40 }
        #expect(
            Adviser.advice(on: history, policy, at: now)
                == [.longerInterval(loads: 96, changes: 2, interval: Self.hour * 6)]
        )
        policy.refreshEvery = .every(Self.hour * 5)
        let ofTTL = [FieldAdvice.longerTTL(loads: 96, changes: 2, ttl: Self.hour * 6)]
        #expect(Adviser.advice(on: history, policy, at: now) == (hours == 24 ? [] : ofTTL))
    }

    @Test("a source that changes with every fifth load or more often is asked rightly", arguments: [1, 2, 4])
    func changesOften(every count: Int) {
        let policy = FieldPolicy(ttl: .seconds(900))
        let (history, now) = history(loads: 96, every: .seconds(900), ttl: policy.ttl) { $0 / count }
        #expect(Adviser.advice(on: history, policy, at: now).isEmpty)
    }

    @Test("a few loads say nothing")
    func few() {
        let policy = FieldPolicy(ttl: .seconds(900))
        let (history, now) = history(loads: 11, every: .seconds(900), ttl: policy.ttl) { _ in 0 }
        #expect(Adviser.advice(on: history, policy, at: now).isEmpty)
    }

    @Test("a longer ttl is not advised beyond the life of the links in the value")
    func longerTTLWithLinks() {
        let policy = FieldPolicy(ttl: .seconds(900))
        let (history, now) = history(loads: 96, every: .seconds(900), ttl: policy.ttl, hasDyingLinks: true) { _ in 0 }
        #expect(
            Adviser.advice(on: history, policy, at: now) == [.longerTTL(loads: 96, changes: 0, ttl: Self.hour * 2)]
        )
    }

    @Test("expired 400 times between two reads a minute apart")
    func expiresUnread() {
        let policy = FieldPolicy(ttl: .seconds(20))
        let (history, now) = history(loads: 400, every: .seconds(60), ttl: policy.ttl) { $0 }
        #expect(
            Adviser.advice(on: history, policy, at: now)
                == [.expiresUnread(count: 400, gap: .seconds(60), ttl: .seconds(120))]
        )
    }

    @Test("a field that is read all the time is loaded as soon as it expires: nothing to say")
    func readAllTheTime() {
        let policy = FieldPolicy(ttl: .seconds(60))
        let (history, now) = history(loads: 400, every: .seconds(61), ttl: policy.ttl) { $0 }
        #expect(Adviser.advice(on: history, policy, at: now).isEmpty)
    }

    @Test("what an invalidation ended has not expired")
    func invalidated() {
        var history = FieldHistory()
        history.hold(loadedAt: MonotonicInstant(nanoseconds: 0), freshUntil: MonotonicInstant(nanoseconds: 1))
        history.invalidate()
        history.beginLoad(ttl: .seconds(1), at: .distantFuture)
        #expect(history.dueLoads == 0)
    }

    @Test("links that outlive their two hours")
    func dyingLinks() {
        var policy = FieldPolicy(ttl: Self.hour)
        let (history, now) = history(loads: 1, every: Self.hour, ttl: policy.ttl, hasDyingLinks: true) { $0 }
        #expect(Adviser.advice(on: history, policy, at: now).isEmpty)
        policy.staleIfError = Self.hour * 24
        #expect(
            Adviser.advice(on: history, policy, at: now) == [
                .dyingLinks(lifetime: Self.hour * 2, served: Self.hour * 25)
            ]
        )
    }

    @Test("old loads weigh less, and no count grows for ever")
    func memory() {
        let policy = FieldPolicy(ttl: .seconds(20))
        let (history, now) = history(loads: 100_000, every: .seconds(60), ttl: policy.ttl) { min($0, 50_000) }
        #expect(history.loads <= 1024)
        #expect(history.lateLoads <= 1024)
        // What was long ago, a change with every load, is forgotten.
        #expect(history.changes < 10)
        let advice = Adviser.advice(on: history, policy, at: now)
        #expect(advice.contains { if case .longerTTL = $0 { true } else { false } })
    }
}

@Suite("Content digest")
struct ContentDigestTests {
    private func digest(_ text: String) -> ContentDigest {
        ContentDigest(Payload(bytes: .init(string: text), digest: "whole"))
    }

    private func record(_ signature: String, name: String = "a.png", host: String = "v5.airtableusercontent.com")
        -> String
    {
        """
        [{"photo":[{"filename":"\(name)","id":"att1","url":"https://\(host)/v3/u/1/\(signature)/x"}],"t":"\\"q\\""}]
        """
    }

    @Test("ignores how Airtable signs its attachment links, and nothing else")
    func links() {
        let one = digest(record("1700000000/abc"))
        #expect(one.hasDyingLinks)
        #expect(one == digest(record("1800000000/defgh")))
        #expect(one != digest(record("1700000000/abc", name: "b.png")))
        #expect(digest(record("1", host: "airtableusercontent.com")).hasDyingLinks)
    }

    @Test(
        "what only looks like such a link is part of the value",
        arguments: ["evil-airtableusercontent.com", "airtableusercontent.com.example", "example.com"]
    )
    func others(host: String) {
        let other = digest(record("1", host: host))
        #expect(!other.hasDyingLinks)
        #expect(other.digest == "whole")
    }

    @Test(
        "bytes that are no JSON do it no harm",
        arguments: ["", "\"", "\"\\", "\"https://", "\"https://airtableusercontent.com"]
    )
    func garbage(text: String) {
        _ = digest(text)
        #expect(digest("[" + text) == digest("[" + text))
    }
}
