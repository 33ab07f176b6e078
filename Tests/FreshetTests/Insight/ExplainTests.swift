import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Freshet

@Suite("Explaining")
struct ExplainTests {
    private func kinds(_ node: FieldCache, _ fleet: Fleet) -> [FieldEvent.Kind] {
        node.events(of: fleet.field.erased).map(\.kind)
    }

    @Test("which tier answered, and why L1 did not; hits in L1 leave nothing behind")
    func tiers() async throws {
        let fleet = Fleet(source: .counting)
        let a = try await fleet.node()
        let b = try await fleet.node()
        _ = try await a.read(fleet.field)
        let loaded: [FieldEvent.Kind] = [.lease(.granted), .load(.changed), .read(.nothing, .loaded(isStored: true))]
        #expect(Set(kinds(a, fleet)) == Set(loaded))
        for _ in 0..<10 { _ = try await a.read(fleet.field) }
        #expect(kinds(a, fleet).count == 3)
        _ = try await b.read(fleet.field)
        #expect(kinds(b, fleet) == [.read(.nothing, .hit(.l2))])
        await fleet.spawner.advance(by: .seconds(3))
        let checked = try await a.read(fleet.field)
        #expect(checked.tier == .l2)
        #expect(kinds(a, fleet).last == .read(.untrusted, .hit(.l2)))
        let last = try #require(a.events(of: fleet.field.erased).last)
        #expect((last.age, last.timeToLive) == (.seconds(3), .seconds(57)))
    }

    @Test("many readers of one load are one event")
    func many() async throws {
        let fleet = Fleet()
        let node = try await fleet.node()
        let readers = (0..<1000).map { _ in fleet.spawner.task { try await node.value(of: fleet.field) } }
        try await fleet.source.waitForLoads(1)
        try await waitUntil("the readers") { node.waiters(of: fleet.field.erased) == 1000 }
        fleet.source.end(1, value: "v")
        for reader in readers { _ = try await reader.value }
        try await waitUntil("what they leave behind") { self.kinds(node, fleet).count == 3 }
        #expect(node.events(of: fleet.field.erased).contains { $0.count == 1000 })
    }

    @Test("a lease that somebody else holds, and a load that failed with how long the source is left alone")
    func held() async throws {
        let fleet = Fleet { $0.errorBackoff = .seconds(4) }
        let a = try await fleet.node(name: "web-1:17")
        let b = try await fleet.node()
        let first = fleet.spawner.task { try await a.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let second = fleet.spawner.task { try await b.value(of: fleet.field) }
        try await waitUntil("the wait") { self.kinds(b, fleet) == [.lease(.held)] }
        let held = try #require(b.events(of: fleet.field.erased).first)
        #expect((held.wait, held.holder) == (.seconds(65), "web-1:17"))
        fleet.source.end(1, .failure(CacheError(.sourceFailed, "no")))
        #expect(await errorOf { try await first.value } != nil)
        let clock = fleet.runClock()
        defer { clock.cancel() }
        #expect(await errorOf { try await second.value } != nil)
        let failed = try #require(
            a.events(of: fleet.field.erased).first { $0.kind == .load(.failed(.sourceFailed, nil)) }
        )
        #expect((failed.failures, failed.wait, failed.message) == (1, .seconds(4), "no"))
        #expect(kinds(b, fleet).contains(.lease(.failing)))
        #expect(kinds(b, fleet).contains(.read(.nothing, .failed(.sourceFailed))))
    }

    @Test("what was refused, and why")
    func refused() async throws {
        let fleet = Fleet()
        let a = try await fleet.node()
        let b = try await fleet.node()
        let loading = fleet.spawner.task { try await a.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        try await b.remove(fleet.field)
        fleet.source.end(1, value: "old")
        _ = try await loading.value
        #expect(kinds(a, fleet).contains(.load(.refused(.byStore(.invalidated)))))
        #expect(kinds(a, fleet).contains(.read(.nothing, .loaded(isStored: false))))
        #expect(kinds(b, fleet) == [.invalidated(.remove, .here)])
        let again = fleet.spawner.task { try await a.read(fleet.field) }
        try await fleet.source.waitForLoads(2)
        try await fleet.write("theirs")
        fleet.source.end(2, value: "ours")
        _ = try await again.value
        #expect(kinds(a, fleet).contains(.load(.refused(.byStore(.foreignWrite)))))
    }

    @Test("an unchanged value is told from a changed one though the store has forgotten it")
    func unchanged() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("same")) })
        let node = try await fleet.node()
        for _ in 0..<2 {
            _ = try await node.value(of: fleet.field)
            await fleet.spawner.advance(by: .seconds(61))
        }
        #expect(kinds(node, fleet).filter { $0 == .load(.unchanged) }.count == 1)
    }

    @Test("a watcher is told as it happens, whatever the field is called")
    func watching() async throws {
        let fleet = Fleet(source: ControlledSource { _ in .success(.value("v")) })
        let node = try await fleet.node()
        let logs = RecordedLogs()
        node.watch { field, event in logs.logger.info("\(field) \(event.kind == .load(.changed))") }
        _ = try await node.value(of: fleet.field)
        #expect(logs.entries.map(\.message).contains("agents true"))
        #expect(logs.entries.allSatisfy { $0.message.hasPrefix("agents ") })
    }
}

@Suite("Settling")
struct SettleTests {
    private func fleet(_ source: ControlledSource<String>) -> Fleet {
        Fleet(source: source) { $0.settle = .seconds(30) }
    }

    /// A node whose first load was a forced one.
    private func refreshed(_ fleet: Fleet) async throws -> FieldCache {
        let node = try await fleet.node()
        let forced = fleet.spawner.task { try await node.refresh(fleet.field) }
        try await fleet.source.waitForLoads(1)
        fleet.source.end(1, value: "v1")
        _ = try await forced.value
        return node
    }

    private func settled(_ node: FieldCache, _ fleet: Fleet) -> [Bool?] {
        node.events(of: fleet.field.erased).compactMap {
            if case .settled(let hasChanged) = $0.kind { .some(hasChanged) } else { nil }
        }
    }

    @Test(
        "the source is asked once more after a forced refresh, and that it has changed is said",
        arguments: [true, false]
    )
    func asksAgain(changes: Bool) async throws {
        let fleet = fleet(ControlledSource { .success(.value(changes ? "v\($0)" : "v")) })
        let node = try await fleet.node()
        _ = try await node.refresh(fleet.field)
        await fleet.spawner.advance(by: .seconds(29))
        #expect(fleet.source.loads == 1)
        await fleet.spawner.advance(by: .seconds(1))
        #expect(fleet.source.loads == 2)
        #expect(settled(node, fleet) == [changes])
        #expect(try await node.value(of: fleet.field) == (changes ? "v2" : "v"))
        await fleet.spawner.advance(by: .seconds(300))
        #expect(fleet.source.loads == 2)
    }

    @Test("a load that began before is not taken for the one that is to be looked at")
    func loadBegunBefore() async throws {
        let fleet = fleet(ControlledSource())
        let node = try await refreshed(fleet)
        await fleet.spawner.advance(by: .seconds(25))
        let reader = fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(5)) }
        try await fleet.source.waitForLoads(2)
        await fleet.spawner.advance(by: .seconds(5))
        try await waitUntil("the check") { node.waiters(of: fleet.field.erased) == 2 }
        fleet.source.end(2, value: "v1")
        #expect(try await reader.value.value == "v1")
        try await fleet.source.waitForLoads(3)
        fleet.source.end(3, value: "v2")
        try await waitUntil("what the check says") { settled(node, fleet) == [true] }
    }

    @Test("the last of several forced refreshes is the one that is checked, and reads are not")
    func replaced() async throws {
        let fleet = fleet(ControlledSource { .success(.value("v\($0)")) })
        let node = try await fleet.node()
        for _ in 0..<3 {
            _ = try await node.refresh(fleet.field)
            await fleet.spawner.advance(by: .seconds(10))
        }
        #expect(fleet.spawner.sleepers == 1)
        #expect(fleet.source.loads == 3)
        await fleet.spawner.advance(by: .seconds(20))
        #expect(fleet.source.loads == 4)
        #expect(settled(node, fleet) == [true])
    }

    @Test("C1: an invalidation during the check overtakes it, too")
    func overtaken() async throws {
        let fleet = fleet(ControlledSource())
        let node = try await refreshed(fleet)
        await fleet.spawner.advance(by: .seconds(30))
        try await fleet.source.waitForLoads(2)
        try await node.remove(fleet.field)
        fleet.source.end(2, value: "v2")
        await fleet.spawner.settle()
        #expect(node.cached(fleet.field.erased) == nil)
        #expect(try await fleet.store.get("agents_list") == nil)
    }

    @Test("a shutdown does not wait for it")
    func shutdown() async throws {
        let fleet = fleet(ControlledSource { _ in .success(.value("v")) })
        let node = try await fleet.node()
        _ = try await node.refresh(fleet.field)
        await node.shutdown()
        #expect(fleet.spawner.now() == MonotonicInstant(nanoseconds: 0))
        #expect(fleet.source.loads == 1)
    }
}
