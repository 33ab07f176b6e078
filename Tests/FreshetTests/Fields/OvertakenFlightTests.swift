import FreshetTesting
import Testing

@testable import Freshet

/// Loads that were overtaken, and hang, hold up nobody who may have a stale value.
@Suite("Overtaken flights", .timeLimit(.minutes(1)))
struct OvertakenFlightTests {
    @Test("C3: a load that was overtaken and that nobody waits for ends; it holds up no reader and no forced refresh")
    func abandoned() async throws {
        let fleet = Fleet(source: ControlledSource(heedsCancellation: true)) { $0.staleWhileRevalidate = .seconds(30) }
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        for number in 2...4 {
            if number > 2 { try await node.expire(fleet.field) }
            #expect(await fleet.promptRead(on: node)?.status == .stale)
            try await fleet.source.waitForLoads(number)
        }
        try await waitUntil("the loads' cancellation") { fleet.source.cancelled == [2, 3] }
        let forced = fleet.spawner.task { try await node.refresh(fleet.field).value }
        try await fleet.source.waitForLoads(5)
        fleet.source.end(5, value: "v5")
        #expect(try await forced.value == "v5")
        #expect(fleet.source.cancelled == [2, 3, 4])
        #expect(try await node.value(of: fleet.field) == "v5")
    }

    /// A node with an old "v1", of which two loads go on that have been overtaken, each with somebody who waits for it.
    private func busyNode(of fleet: Fleet) async throws -> (FieldCache, [Task<FieldRead<String>, any Error>]) {
        let node = try await fleet.node()
        try await fleet.load(1, on: node)
        await fleet.spawner.advance(by: .seconds(60))
        var waiting: [Task<FieldRead<String>, any Error>] = []
        for number in 2...3 {
            waiting.append(fleet.spawner.task { try await node.read(fleet.field, maxAge: .zero) })
            try await fleet.source.waitForLoads(number)
            try await node.expire(fleet.field)
        }
        return (node, waiting)
    }

    @Test("C5: readers whose flight waits for its turn get what is stale, and nothing that has been removed")
    func queued() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(30) }
        let (node, waiting) = try await busyNode(of: fleet)
        for _ in 0..<2 {
            for _ in 0..<2 { #expect(await fleet.promptRead(on: node)?.status == .stale) }
            try await node.expire(fleet.field)
        }
        #expect(fleet.source.loads == 3)
        #expect(fleet.source.cancelled.isEmpty)
        try await node.remove(fleet.field)
        let late = fleet.spawner.task { try await node.value(of: fleet.field) }
        try await waitUntil("the late reader") { node.waiters(of: fleet.field.erased) == 3 }
        await fleet.spawner.settle()
        #expect(node.waiters(of: fleet.field.erased) == 3)
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for (number, reader) in zip(2..., waiting) { #expect(try await reader.value.value == "v\(number)") }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        #expect(try await late.value == "v4")
    }

    @Test("C5: at the soft deadline they get what there is")
    func queuedUntilSoftDeadline() async throws {
        let fleet = Fleet {
            $0.staleIfError = .seconds(60)
            $0.softDeadline = .seconds(2)
        }
        let (node, waiting) = try await busyNode(of: fleet)
        let reader = fleet.spawner.task { try await node.read(fleet.field) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 3 }
        await fleet.spawner.advance(by: .seconds(2))
        try await waitUntil("the reader's answer") { node.waiters(of: fleet.field.erased) == 2 }
        #expect(try await reader.value.status == .stale)
        try await node.expire(fleet.field)
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        for number in 2...3 { fleet.source.end(number, value: "v\(number)") }
        for (number, reader) in zip(2..., waiting) { #expect(try await reader.value.value == "v\(number)") }
        try await fleet.source.waitForLoads(4)
        fleet.source.end(4, value: "v4")
        try await waitUntil("the new value") { try await node.value(of: fleet.field) == "v4" }
    }
}
