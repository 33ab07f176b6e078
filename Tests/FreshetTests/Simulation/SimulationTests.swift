import Freshet
import FreshetTesting
import TestSupport
import Testing

@Suite("Simulation", .timeLimit(.minutes(10)))
struct SimulationTests {
    /// A seed decides the same again with `SWIFT_DETERMINISTIC_HASHING=1`, but for when a process that is told to end notices.
    @Test("C1 to C6 hold whatever a seed decides")
    func contract() async throws {
        for seed in Seeds.drawn(unlessTold: 20) {
            do {
                try await World(seed: seed).run(for: .seconds(60))
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }

    @Test("what is fresh after a forced load that fails, and was loaded long before that, is a breach")
    func failedForcedLoad() async throws {
        let spawner = TestSpawner()
        let history = History(spawner)
        let refresh = history.begin(.refresh(purge: false), on: 0)
        let before = history.beginLoad(on: 1)
        history.endLoad(before, .value(before))
        await spawner.advance(by: .seconds(2))
        let forced = history.beginLoad(on: 0, isForced: true)
        let read = history.begin(.read, on: 0)
        history.end(read, .value(before, .hit, detail: nil, isStored: true))
        history.endLoad(forced, .failed)
        history.end(refresh, .failed(.sourceFailed))
        let contract = Contract(of: history, under: FieldPolicy(ttl: .seconds(10)))
        #expect(throws: Contract.Breach.self) { try contract.check(isCalm: false) }
    }

    @Test("a load that is forced soon after one that would have done is a breach", arguments: [false, true])
    func forcedSoonAfter(isInvalidated: Bool) async throws {
        let spawner = TestSpawner()
        let history = History(spawner)
        for _ in 0..<2 {
            let refresh = history.begin(.refresh(purge: false), on: 0)
            let load = history.beginLoad(on: 0, isForced: true)
            history.endLoad(load, .value(load))
            history.end(refresh, .value(load, .refreshed, detail: nil, isStored: true))
            guard isInvalidated else { continue }
            history.end(history.begin(.invalidate(.expire), on: 0), .invalidated(.queued))
        }
        let contract = Contract(of: history, under: FieldPolicy(ttl: .seconds(10)))
        if isInvalidated {
            try contract.check(isCalm: false)
        } else {
            #expect(throws: Contract.Breach.self) { try contract.check(isCalm: false) }
        }
    }

    @Test("what is loaded beside a forced load of the same node is a breach")
    func beside() async throws {
        let spawner = TestSpawner()
        let history = History(spawner)
        let refresh = history.begin(.refresh(purge: false), on: 0)
        history.noteLeave(of: 0)
        let forced = history.beginLoad(on: 0, isForced: true)
        let other = history.beginLoad(on: 0)
        history.endLoad(other, .value(other))
        history.endLoad(forced, .value(forced))
        history.end(refresh, .value(forced, .refreshed, detail: nil, isStored: true))
        let contract = Contract(of: history, under: FieldPolicy(ttl: .seconds(10)))
        #expect(throws: Contract.Breach.self) { try contract.check(isCalm: true) }
    }

    @Test("a third load of a key at once is a breach; one whose time is over counts no more", arguments: [false, true])
    func third(isOverdue: Bool) async throws {
        let spawner = TestSpawner()
        let history = History(spawner)
        for node in [0, 0, 1] { _ = history.beginLoad(on: node) }
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.hardDeadline = .seconds(5)
        await spawner.advance(by: .seconds(isOverdue ? 5 : 4))
        _ = history.beginLoad(on: 0)
        let contract = Contract(of: history, under: policy)
        if isOverdue {
            try contract.checkFetchers()
        } else {
            #expect(throws: Contract.Breach.self) { try contract.checkFetchers() }
        }
    }

    @Test("a load beside another field's is a breach where there is one place")
    func besideOtherField() throws {
        let history = History(TestSpawner())
        history.endOtherLoad(history.beginOtherLoad(on: 0))
        _ = history.beginOtherLoad(on: 0)
        try Contract(of: history, under: FieldPolicy(ttl: .seconds(10))).checkPlaces(1)
        _ = history.beginLoad(on: 0)
        let contract = Contract(of: history, under: FieldPolicy(ttl: .seconds(10)))
        #expect(throws: Contract.Breach.self) { try contract.checkPlaces(1) }
    }

    @Test(
        "who waits where his node holds what will do is a breach, unless that was removed, or expired and is served no more",
        arguments: [nil, .expire, .remove] as [Invalidation?],
        [Duration.zero, .seconds(3)]
    )
    func waitsBesideHeld(after invalidation: Invalidation?, staleWhileRevalidate: Duration) async throws {
        let spawner = TestSpawner()
        let history = History(spawner)
        let load = history.beginLoad(on: 0)
        history.endLoad(load, .value(load))
        if let invalidation { history.end(history.begin(.invalidate(invalidation), on: 1), .invalidated(.done)) }
        let held = History.Held(value: load, servedFor: .seconds(3), keptFor: .seconds(3))
        let read = history.begin(.read, on: 0, holding: held)
        await spawner.advance(by: .seconds(2))
        history.end(read, .value(load, .stale, detail: nil, isStored: true))
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.staleWhileRevalidate = staleWhileRevalidate
        let contract = Contract(of: history, under: policy)
        if invalidation == .remove || invalidation == .expire && staleWhileRevalidate == .zero {
            try contract.checkPromptness()
        } else {
            #expect(throws: Contract.Breach.self) { try contract.checkPromptness() }
        }
    }
}
