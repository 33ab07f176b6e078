import FreshetTesting
import Testing

@testable import Freshet

@Suite("Adaptive ttl")
struct AdaptiveTTLTests {
    @Test("C6: the fetcher's ttl goes before the policy's, for this value, in both tiers", arguments: [5, 500])
    func ttl(seconds: Int) async throws {
        let fleet = Fleet(
            source: ControlledSource { number in
                .success(.value("v\(number)", LoadDetails(ttl: number == 1 ? .seconds(seconds) : nil)))
            }
        )
        let (a, b) = (try await fleet.node(), try await fleet.node())
        #expect(try await a.read(fleet.field).timeToLive == .seconds(seconds))
        #expect(try await fleet.store.ttl("agents_list") == .remaining(.seconds(seconds)))
        await fleet.spawner.advance(by: .seconds(seconds) - .milliseconds(1))
        for node in [a, b] { #expect(try await node.read(fleet.field).value == "v1") }
        await fleet.spawner.advance(by: .milliseconds(1))
        let next = try await b.read(fleet.field)
        #expect((next.value, next.timeToLive) == ("v2", .seconds(60)))
        #expect(try await a.read(fleet.field).value == "v2")
    }

    @Test("the fetcher's ttl lasts over loads that find the value unmodified, on every node, until one brings another")
    func unmodified() async throws {
        let fleet = Fleet(
            source: ControlledSource { number in
                switch number {
                case 1: .success(.value("v1", LoadDetails(etag: "e1", ttl: .seconds(5))))
                case 3: .success(.notModified(LoadDetails(etag: "e3", ttl: .seconds(7))))
                default: .success(.notModified)
                }
            }
        ) { policy in
            policy.staleIfError = .seconds(30)
        }
        let nodes = [try await fleet.node(), try await fleet.node()]
        for (load, seconds) in [5, 5, 7, 7].enumerated() {
            let reading = try await nodes[load % 2].read(fleet.field)
            #expect((reading.value, reading.status, reading.timeToLive) == ("v1", .loaded, .seconds(seconds)))
            #expect(try await fleet.store.ttl("agents_list") == .remaining(.seconds(seconds)))
            await fleet.spawner.advance(by: .seconds(seconds))
        }
        // Without what the store knows, too.
        let (alone, store) = try await fleet.faultyNode()
        #expect(try await alone.read(fleet.field).timeToLive == .seconds(7))
        store.inject(.fail(CacheError(.storeUnavailable, "away")))
        await fleet.spawner.advance(by: .seconds(7))
        #expect(try await alone.read(fleet.field).timeToLive == .seconds(7))
        #expect(fleet.source.contexts.map(\.etag) == [nil, "e1", "e1", "e3", "e3", "e3"])
    }

    @Test("a value that is not modified, but not to be kept any more, is handed on and dropped")
    func unmodifiedUncacheable() async throws {
        let fleet = Fleet(
            source: ControlledSource {
                $0 == 1
                    ? .success(.value("v1", LoadDetails(etag: "e1")))
                    : .success(.notModified(LoadDetails(isCacheable: false)))
            }
        ) { policy in
            policy.staleIfError = .seconds(30)
        }
        let node = try await fleet.node()
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(60))
        let reading = try await node.read(fleet.field)
        #expect((reading.value, reading.isStored) == ("v1", false))
        #expect(node.cached(fleet.field.erased) == nil)
        let snapshot = try await fleet.store.readEntry("agents_list", EntryRead(freshFor: .seconds(60)))
        #expect(snapshot.content == .gone)
    }
}
