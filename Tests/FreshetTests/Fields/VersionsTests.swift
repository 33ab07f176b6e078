import FreshetTesting
import TestSupport
import Testing

@testable import Freshet

@Suite("Versions of a program side by side", .timeLimit(.minutes(1)))
struct VersionsTests {
    private let numbers = ControlledSource<Int> { .success(.value($0)) }

    /// The fleet's field in a version of another type.
    private func number(_ fleet: Fleet) -> Field<Int> {
        Field("agents", key: "agents_list", policy: fleet.field.erased.policy, load: numbers.load)
    }

    @Test("two versions of a program whose types differ do not load against each other")
    func versions() async throws {
        let fleet = Fleet(source: .counting)
        let number = number(fleet)
        let (old, new) = (try await fleet.node(), try await fleet.node())
        for _ in 0..<20 {
            #expect(try await old.value(of: fleet.field) == "v1")
            #expect(try await new.value(of: number) == 1)
            await fleet.spawner.advance(by: .seconds(2))
        }
        #expect((fleet.source.loads, numbers.loads) == (1, 1))
        await fleet.spawner.advance(by: .seconds(20))
        #expect(try await old.value(of: fleet.field) == "v2")
        try await new.remove(number)
        #expect(try await new.value(of: number) == 2)
        await fleet.spawner.advance(by: .seconds(2))
        #expect(try await old.value(of: fleet.field) == "v3", "what was invalidated ends in both")
    }

    @Test("C5: beside a version of another type, what is stale is served while it is loaded")
    func staleWhileRevalidate() async throws {
        let fleet = Fleet { $0.staleWhileRevalidate = .seconds(60) }
        let (old, new) = (try await fleet.node(), try await fleet.node())
        try await fleet.load("v1", on: old)
        #expect(try await new.value(of: number(fleet)) == 1)
        await fleet.spawner.advance(by: .seconds(61))
        let stale = try await old.read(fleet.field)
        #expect((stale.value, stale.status) == ("v1", .stale))
        try await fleet.source.waitForLoads(2)
        #expect(try await new.read(number(fleet)).status == .stale)
        fleet.source.end(2, value: "v2")
        await fleet.spawner.settle()
        #expect(try await old.value(of: fleet.field) == "v2")
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await new.value(of: number(fleet)) == 2)
        #expect((fleet.source.loads, numbers.loads) == (2, 2))
    }

    @Test("C5: beside a version of another type, a stale value outlasts its source")
    func staleIfError() async throws {
        let fleet = Fleet(source: .counting) { $0.staleIfError = .seconds(600) }
        let (old, new) = (try await fleet.node(), try await fleet.node())
        #expect(try await old.value(of: fleet.field) == "v1")
        #expect(try await new.value(of: number(fleet)) == 1)
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        await fleet.spawner.advance(by: .seconds(60))
        for _ in 0..<10 {
            #expect(try await new.value(of: number(fleet)) == 2)
            let kept = try await old.read(fleet.field)
            #expect((kept.value, kept.detail) == ("v1", .sourceFailed))
            await fleet.spawner.advance(by: .seconds(2))
        }
        #expect((fleet.source.loads, numbers.loads) == (2, 2))
    }

    @Test("C6: what was stored under a longer policy is no longer fresh than a shorter one allows")
    func shorterTTL() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(3600))
        let (old, new) = (try await fleet.node(), try await fleet.node())
        #expect(try await old.value(of: fleet.field) == "v1")
        let field = Field("agents", key: "agents_list", policy: FieldPolicy(ttl: .seconds(60)), load: fleet.source.load)
        #expect(try await new.read(field).timeToLive == .seconds(60))
        await fleet.spawner.advance(by: .seconds(60))
        #expect(await new.state(of: field.erased).freshness == .gone)
        #expect(try await new.value(of: field) == "v2")
    }

    @Test("of two nodes whose policy is the shorter, one loads, though the other asks for leave only behind it")
    func oneLoadOfTheShorter() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(3600))
        let (old, first) = (try await fleet.node(), try await fleet.node())
        let (second, store) = try await fleet.faultyNode()
        #expect(try await old.value(of: fleet.field) == "v1")
        let field = Field("agents", key: "agents_list", policy: FieldPolicy(ttl: .seconds(60)), load: fleet.source.load)
        await fleet.spawner.advance(by: .seconds(60))
        store.inject(.hang, into: [.lease])
        let late = fleet.spawner.task { try await second.read(field) }
        try await waitUntil("the second has read the store") { store.hangingCalls == 1 }
        #expect(try await first.value(of: field) == "v2")
        store.recover()
        let read = try await late.value
        #expect((read.value, read.status) == ("v2", .hit))
        #expect(fleet.source.loads == 2)
    }

    @Test("what another type's version has brought before the store gave leave is no answer")
    func freshOfAnotherType() async throws {
        let fleet = Fleet(source: .counting)
        let old = try await fleet.node()
        let (new, store) = try await fleet.faultyNode()
        store.inject(.hang, into: [.lease])
        let number = number(fleet)
        let late = fleet.spawner.task { try await new.value(of: number) }
        try await waitUntil("the store has been read") { store.hangingCalls == 1 }
        #expect(try await old.value(of: fleet.field) == "v1")
        store.recover()
        #expect(try await late.value == 1)
        #expect((fleet.source.loads, numbers.loads) == (1, 1))
    }

    @Test("C6: nor is it longer stale; a source that fails is asked by the backoff")
    func shorterStaleWindow() async throws {
        let fleet = Fleet(source: .counting, ttl: .seconds(3600)) { $0.staleIfError = .seconds(3600) }
        let (old, new) = (try await fleet.node(), try await fleet.node())
        #expect(try await old.value(of: fleet.field) == "v1")
        fleet.source.answerFromNowOn { _ in .failure(SourceIsDown()) }
        var policy = FieldPolicy(ttl: .seconds(60))
        policy.staleIfError = .seconds(60)
        policy.errorBackoff = .seconds(60)
        let field = Field("agents", key: "agents_list", policy: policy, load: fleet.source.load)
        await fleet.spawner.advance(by: .seconds(61))
        #expect(try await new.read(field).detail == .sourceFailed)
        await fleet.spawner.advance(by: .seconds(59))
        for _ in 0..<3 {
            #expect(await errorOf { try await new.value(of: field) } is CacheError)
            await fleet.spawner.advance(by: .seconds(3))
        }
        #expect(fleet.source.loads == 3)
        #expect(try await old.value(of: fleet.field) == "v1")
    }

    @Test("C6: nor is an absence longer told of")
    func shorterNegativeTTL() async throws {
        let source = ControlledSource<String> { .success($0 == 1 ? .absent : .value("v\($0)")) }
        let fleet = Fleet(source: source) { $0.negativeTTL = .seconds(3600) }
        let (old, new) = (try await fleet.node(), try await fleet.node())
        #expect((await errorOf { try await old.value(of: fleet.field) } as? CacheError)?.code == .absent)
        let field = Field("agents", key: "agents_list", policy: FieldPolicy(ttl: .seconds(60)), load: source.load)
        await fleet.spawner.advance(by: .seconds(1))
        #expect(try await new.value(of: field) == "v2")
    }
}
