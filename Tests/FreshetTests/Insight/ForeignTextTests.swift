import FreshetTesting
import TestSupport
import Testing

@testable import Freshet

@Suite("Texts that somebody else has written")
struct ForeignTextTests {
    private static let long = "no\n2026-01-01 critical: forged " + String(repeating: "\u{f1}", count: 1 << 20)
    private static let kept = String(long.prefix(1000)) + "…"

    @Test("of a fetcher's message the beginning is told, remembered by every node, and logged in one line")
    func fetcher() async throws {
        let cause = CacheError(.storeRejected, Self.long + "!")
        let error = CacheError(.sourceFailed, Self.long, underlying: cause)
        let fleet = Fleet(source: ControlledSource { _ in .failure(error) })
        let logs = RecordedLogs()
        let node = try await fleet.node(logger: logs.logger)
        let other = try await fleet.node()
        for node in [node, other] {
            let told = await errorOf { try await node.value(of: fleet.field) } as? CacheError
            #expect(told?.message == Self.kept)
            #expect(await node.state(of: fleet.field.erased).failure == Self.kept)
            #expect(node.events(of: fleet.field.erased).compactMap(\.message).allSatisfy { $0 == Self.kept })
        }
        #expect(fleet.source.loads == 1)
        let logged = try #require(logs.entries.first { $0.message == "a load failed" }?.metadata["error"])
        #expect(logged.count < 2100 && logged.allSatisfy { !$0.isNewline })
    }

    @Test("what a fetcher throws that is no failure of a source is cut as well")
    func cause() async throws {
        let error = CacheError(.storeRejected, Self.long)
        let fleet = Fleet(source: ControlledSource { _ in .failure(error) })
        let told = await errorOf { try await fleet.node().value(of: fleet.field) } as? CacheError
        #expect((told?.underlying as? CacheError)?.message == Self.kept)
    }

    @Test("of a store's message the beginning is recorded")
    func store() async throws {
        let fleet = Fleet(source: .counting)
        let (node, store) = try await fleet.faultyNode()
        store.inject(.fail(CacheError(.storeRejected, Self.long)), into: [.lease])
        _ = try await node.value(of: fleet.field)
        let event = node.events(of: fleet.field.erased).first { $0.kind == .lease(.storeAway(.storeRejected)) }
        #expect(event?.message == Self.kept)
        store.recover()
    }

    @Test("of a node's name the beginning is recorded")
    func holder() async throws {
        let fleet = Fleet()
        let a = try await fleet.node(name: Self.long)
        let b = try await fleet.node()
        let first = fleet.spawner.task { try await a.value(of: fleet.field) }
        try await fleet.source.waitForLoads(1)
        let second = fleet.spawner.task { try await b.value(of: fleet.field) }
        try await waitUntil("the wait") { b.events(of: fleet.field.erased).count == 1 }
        #expect(b.events(of: fleet.field.erased).first?.holder == Self.kept)
        fleet.source.end(1, value: "v")
        let clock = fleet.runClock()
        defer { clock.cancel() }
        for reader in [first, second] { #expect(try await reader.value == "v") }
    }

    @Test("an error describes itself in one line")
    func oneLine() {
        let error = CacheError(.sourceFailed, "a\r\nb", underlying: CacheError(.storeRejected, "c\u{1b}\u{85}d"))
        #expect("\(error)" == "sourceFailed: a  b (storeRejected: c  d)")
        #expect("\(CacheError(.sourceFailed, "a\nb"))" == "sourceFailed: a b")
    }
}
