import FreshetTesting
import NIOCore
import TestSupport
import Testing

@testable import Freshet

@Suite("Reads with a maximal age", .timeLimit(.minutes(1)))
struct MaxAgeTests {
    private func fleet() -> Fleet {
        Fleet(source: .counting, ttl: .seconds(1)) {
            $0.staleWhileRevalidate = .seconds(3600)
        }
    }

    @Test("what is stale is no answer, whether this process believes it or asks the store", arguments: [1, 3])
    func stale(seconds: Int) async throws {
        let fleet = fleet()
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(seconds))
        let reading = try await node.read(fleet.field, maxAge: .seconds(600))
        #expect((reading.value, reading.status) == ("v2", .loaded))
    }

    @Test("a negative one is answered by one load")
    func negative() async throws {
        let fleet = fleet()
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .milliseconds(1))
        #expect(try await node.read(fleet.field, maxAge: .seconds(-60)).value == "v2")
        #expect(fleet.source.loads == 2)
    }

    @Test("what was loaded long before the store takes it is no answer")
    func loadedLongAgo() async throws {
        let fleet = Fleet()
        let (node, store) = try await fleet.faultyNode()
        let first = fleet.spawner.task { try await node.read(fleet.field) }
        try await fleet.source.waitForLoads(1)
        store.inject(.hang, into: [.fill])
        fleet.source.end(1, value: "v1")
        try await waitUntil("the fill") { store.hangingCalls == 1 }
        await fleet.spawner.advance(by: .milliseconds(300))
        let younger = fleet.spawner.task { try await node.read(fleet.field, maxAge: .milliseconds(100)) }
        try await waitUntil("the second reader") { node.waiters(of: fleet.field.erased) == 2 }
        store.recover()
        #expect(try await first.value.value == "v1")
        try await fleet.source.waitForLoads(2)
        fleet.source.end(2, value: "v2")
        #expect(try await younger.value.value == "v2")
    }

    @Test("C6: what another program wrote is as old as its time to live shows")
    func foreign() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(10))
        let value = ByteBuffer(string: "\"theirs\"")
        _ = try await fleet.store.set("agents_list", value, options: CacheOptions(expiry: .after(.seconds(3))))
        let node = try await fleet.node()
        let adopted = try await node.read(fleet.field)
        #expect((adopted.value, adopted.age) == ("theirs", .seconds(7)))
        #expect(try await node.read(fleet.field, maxAge: .seconds(7)).value == "theirs")
        #expect(try await node.read(fleet.field, maxAge: .seconds(1)).value == "v1")
    }

    @Test("what was expired is no answer")
    func expired() async throws {
        let fleet = fleet()
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        try await node.expire(fleet.field)
        let reading = try await node.read(fleet.field, maxAge: .seconds(600))
        #expect((reading.value, reading.status) == ("v2", .loaded))
    }

    @Test("what is stale is no answer while it is loaded again for others, who get it")
    func meanwhile() async throws {
        let fleet = fleet()
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(1))
        fleet.source.holdFromNowOn()
        #expect(try await node.read(fleet.field).status == .stale)
        try await fleet.source.waitForLoads(2)
        let reader = fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(600)) }
        try await waitUntil("the reader") { node.waiters(of: fleet.field.erased) == 1 }
        #expect(await fleet.promptRead(on: node)?.status == .stale)
        #expect(node.waiters(of: fleet.field.erased) == 1)
        fleet.source.end(2, value: "v2")
        let reading = try await reader.value
        #expect((reading.value, reading.status) == ("v2", .loaded))
    }

    @Test("what is kept for a source that fails is no answer, at the first read as at later ones")
    func kept() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(1)) {
            $0.staleIfError = .seconds(3600)
        }
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await fleet.spawner.advance(by: .seconds(3))
        for _ in 0..<3 {
            let error = await errorOf { try await node.read(fleet.field, maxAge: .seconds(600)) } as? CacheError
            #expect(error?.code == .sourceFailed)
            #expect(try await node.read(fleet.field).detail == .sourceFailed)
        }
        #expect(fleet.source.loads == 2)
    }

    @Test("C4: another node's failure is heeded though it came after the look into the store")
    func failingElsewhere() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(10))
        let (node, store) = try await fleet.faultyNode()
        let other = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await fleet.spawner.advance(by: .seconds(2))
        store.inject(.hang, into: [.lease])
        let reader = fleet.spawner.task { try await node.read(fleet.field, maxAge: .seconds(1)) }
        try await waitUntil("the question for leave") { store.hangingCalls == 1 }
        _ = await errorOf { try await other.read(fleet.field, maxAge: .seconds(1)) }
        store.recover()
        let error = await errorOf { try await reader.value } as? CacheError
        #expect(error?.code == .sourceFailed)
        #expect(fleet.source.loads == 2)
    }
}
