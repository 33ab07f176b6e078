import FreshetTesting
import Logging
import Testing

@testable import Freshet

/// C8: a store's loss and return are noticed without anybody reading.
@Suite("Store pulse", .timeLimit(.minutes(1)))
struct StorePulseTests {
    private static let away = CacheError(.storeUnavailable, "away")

    private let fleet = Fleet(source: .counting)

    private func running(_ store: FaultyStore) async throws -> (FieldCache, Task<Void, any Error>) {
        let node = try await fleet.node(store)
        let run = fleet.spawner.task { try await node.run() }
        try await fleet.spawner.waitForSleepers(1)
        await fleet.spawner.settle()
        return (node, run)
    }

    @Test("a quiet process notices that the store is gone, and that it is back", arguments: [true, false])
    func quiet(hangs: Bool) async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, run) = try await running(store)
        store.inject(hangs ? .hang : .fail(Self.away))
        await fleet.spawner.advance(by: .seconds(7))
        #expect(!node.isStoreAvailable)
        store.recover()
        await fleet.spawner.advance(by: .seconds(10))
        #expect(node.isStoreAvailable)
        #expect(store.calls(of: .read) == 0)
        run.cancel()
        try await run.value
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("a store that answers calls is not asked besides")
    func busy() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, run) = try await running(store)
        let pings = store.calls(of: .ping)
        for _ in 0..<10 {
            await fleet.spawner.advance(by: .seconds(1))
            _ = await node.state(of: fleet.field.erased)
        }
        #expect(store.calls(of: .ping) == pings)
        await fleet.spawner.advance(by: .seconds(10))
        #expect(store.calls(of: .ping) == pings + 5)
        run.cancel()
    }

    @Test("what happens to a connection during a probe does not end the probe")
    func wokenDuringProbe() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let guarded = GuardedStore(store, timeout: .seconds(3), spawner: fleet.spawner)
        let pulse = StorePulse(store: guarded, spawner: fleet.spawner)
        store.inject(.delay(.seconds(2)), into: [.ping])
        pulse.start()
        pulse.start()
        for _ in 0..<2 {
            await fleet.spawner.advance(by: .seconds(1))
            pulse.wake(isUrgent: true)
        }
        await fleet.spawner.settle()
        #expect(store.calls(of: .ping) == 2, "one probe that was answered, and one for what happened meanwhile")
        pulse.stop()
        pulse.start()
        await fleet.spawner.settle()
        #expect(store.calls(of: .ping) == 2)
        #expect(fleet.spawner.runningTasks == 0)
    }

    @Test("no reader is the one who finds out whether it is back")
    func probe() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let (node, run) = try await running(store)
        _ = try await node.value(of: fleet.field)
        store.inject(.fail(Self.away))
        await fleet.spawner.advance(by: .seconds(3))
        #expect(!node.isStoreAvailable)
        let reads = store.calls(of: .read)
        for _ in 0..<20 {
            await fleet.spawner.advance(by: .milliseconds(700))
            #expect(try await node.read(fleet.field).tier == .l1)
        }
        #expect(store.calls(of: .read) == reads)
        run.cancel()
    }
}
