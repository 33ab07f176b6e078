import FreshetTesting
import Logging
import TestSupport
import Testing

@testable import Freshet

/// C8: a store's loss and return are noticed without anybody reading.
@Suite("Store pulse", .timeLimit(.minutes(1)))
struct StorePulseTests {
    private static let away = CacheError(.storeUnavailable, "away")

    private let fleet = Fleet(source: .counting)

    private func running(
        _ store: FaultyStore,
        logger: Logger = Logger(label: "test")
    ) async throws -> (FieldCache, Task<Void, any Error>) {
        let node = try await fleet.node(store, logger: logger)
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

    @Test("the log says that it is away and that it is back, but not so at each turn of one that comes and goes")
    func logged() async throws {
        let store = FaultyStore(fleet.store, spawner: fleet.spawner)
        let logs = RecordedLogs()
        let (_, run) = try await running(store, logger: logs.logger)
        for (away, back) in [(7, 10), (3, 3), (3, 3), (10, 10)] {
            store.inject(.fail(Self.away))
            await fleet.spawner.advance(by: .seconds(away))
            store.recover()
            await fleet.spawner.advance(by: .seconds(back))
        }
        let told = logs.entries.filter { $0.message.hasPrefix("the store is ") }
        let turn = ["the store is away", "the store is back"]
        #expect(told.map(\.message) == turn + turn + turn)
        #expect(Set(told.map(\.level)) == [.warning, .notice])
        run.cancel()
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
        let pulse = StorePulse(store: guarded, spawner: fleet.spawner, logger: RecordedLogs().logger)
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
