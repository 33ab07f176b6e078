import NIOCore
import Testing

@testable import Freshet

@Suite("Freshness")
struct FreshnessTests {
    /// The table of ``Freshness/action(on:)``, written a second time.
    private static let table = """
        event                   gone    fresh     stale         kept      absent
        read                    load    answer    answerAndLoad load      answer
        readYounger             load    load      load          load      load
        readWhileFailing        fail    answer    answer        answer    answer
        readYoungerWhileFailing fail    fail      fail          fail      fail
        loadedUncacheable       pass    drop      drop          drop      drop
        loadedUnmodified        fail    renew     renew         renew     fail
        loadFailed              fail    answer    answer        answer    fail
        expired                 nothing makeStale makeStale     makeStale drop
        removed                 nothing drop      drop          drop      drop
        """

    @Test("every state meets every event as the table says")
    func cells() {
        let rows = Self.table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        var checked = 0
        for row in rows.dropFirst() {
            for (column, expected) in row.enumerated().dropFirst() {
                guard let event = FreshnessEvent.allCases.first(where: { "\($0)" == row[0] }),
                    let state = Freshness.allCases.first(where: { "\($0)" == rows[0][column] })
                else {
                    Issue.record("no such cell: \(row[0]), \(rows[0][column])")
                    continue
                }
                #expect("\(state.action(on: event))" == expected, "\(state) on \(event)")
                checked += 1
            }
        }
        #expect(checked == Freshness.allCases.count * FreshnessEvent.allCases.count)
    }

    @Test("a value passes from fresh to stale to kept to gone at its own times")
    func life() {
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.staleWhileRevalidate = .seconds(5)
        policy.staleIfError = .seconds(20)
        func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }
        let entry = Entry(
            payload: Payload(bytes: .init(), digest: ""),
            generation: nil,
            sourceETag: nil,
            loadedAt: at(0),
            freshUntil: at(10),
            staleUntil: at(30),
            checkedAt: at(0)
        )
        let life = [0, 9, 10, 14, 15, 29, 30].map { entry.freshness(at: at($0), under: policy) }
        #expect(life == [.fresh, .fresh, .stale, .stale, .kept, .kept, .gone])
        let expired = entry.expired(at: at(3))
        #expect(
            [3, 7, 8, 29, 30].map { expired.freshness(at: at($0), under: policy) } == [
                .stale, .stale, .kept, .kept, .gone,
            ]
        )
    }

    @Test("the pause after failures doubles up to a minute, and gives way to the throttle and to the source's wish")
    func pauses() {
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.errorBackoff = .seconds(1)
        func pause(_ count: Int, _ hasStale: Bool = false, _ hint: Duration? = nil) -> Duration {
            policy.pause(afterFailures: count, hasStale: hasStale, hint: hint)
        }
        #expect((1...8).map { pause($0) } == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(pause(1000) == .seconds(60))
        #expect(pause(7, true) == .seconds(30))
        #expect(pause(1, false, .seconds(30)) == .seconds(30))
        #expect(pause(1, false, .seconds(86400)) == .seconds(600))
        policy.errorBackoff = .zero
        #expect(pause(5) == .zero)
    }
}
