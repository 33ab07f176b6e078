import Freshet
import FreshetTesting
import HTTPTypes
import NIOCore
import Testing

@testable import FreshetServer

@Suite("Explaining over HTTP")
struct ExplainRouteTests {
    private static let path = "/api/fields/agents/explain"

    private func explain(_ fixture: RouteFixture) async throws -> Explanation {
        let answer = try await fixture.send(.get, Self.path, RouteChangeTests.admin)
        #expect(answer.status == 200)
        #expect(answer["Cache-Control"] == "no-store")
        return try StoredJSON.decode(Explanation.self, from: ByteBuffer(string: answer.text))
    }

    @Test("says what reads and loads did, oldest first, and how long ago")
    func events() async throws {
        let fixture = try await RouteChangeTests.fixture()
        _ = try await fixture.send()
        await fixture.spawner.advance(by: .seconds(7))
        _ = try await fixture.send(.delete, "/api/fields/agents", RouteChangeTests.admin)
        let explanation = try await explain(fixture)
        #expect(explanation.field == "agents")
        #expect(explanation.store == "up")
        #expect(explanation.state.freshness == "gone")
        let kinds = explanation.events.map(\.kind)
        #expect(Set(kinds.prefix(3)) == ["read", "lease", "load"])
        #expect(kinds.last == "invalidation")
        let load = try #require(explanation.events.first { $0.kind == "load" })
        #expect((load.ago, load.result, load.text) == (7, "changed", "load: a new value in 0s"))
        let read = try #require(explanation.events.first { $0.kind == "read" })
        #expect(read.text == "read: this process held nothing; loaded from the source")
    }

    @Test("a store that refuses a lease is not said to be away")
    func refused() {
        var event = FieldEvent(.lease(.storeAway(.storeRejected)), at: TestSpawner().now())
        event.message = "READONLY"
        #expect(event.text == "lease: none: the store refuses it: READONLY; what is loaded stays in this process")
    }

    @Test("holds no token, of the administrator or of a lease")
    func tokens() async throws {
        let fixture = try await RouteChangeTests.fixture { $0.minRefreshInterval = .zero }
        _ = try await fixture.send()
        _ = try await fixture.send(.post, "/api/fields/agents/refresh", RouteChangeTests.admin)
        let request = LeaseRequest(
            purpose: .force(.expire, cooldown: .zero),
            holdFor: .seconds(20),
            freshFor: .seconds(60),
            token: "web-2:17/5ec3e7"
        )
        _ = try await fixture.store.leaseEntry("agents_list", request)
        await fixture.spawner.advance(by: .seconds(3))
        async let waiting = fixture.send()
        let fields = fixture.fields
        try await waitUntil("the other one's lease") {
            fields.events(of: fields.catalog.fields[0]).contains { $0.kind == .lease(.held) }
        }
        try await fixture.store.releaseEntry("agents_list", token: "web-2:17/5ec3e7")
        await fixture.spawner.advance(by: .seconds(1))
        _ = try await waiting
        let text = try await fixture.send(.get, Self.path, RouteChangeTests.admin).text
        #expect(text.contains("lease: web-2:17 has it, for at most 17s; waited"))
        #expect(text.contains("\"holder\":\"web-2:17\""))
        #expect(!text.contains("5ec3e7"))
        #expect(!text.contains("Bearer"))
        // What chance has dealt out to this node's own leases.
        let chance = TestSpawner()
        for _ in 0..<1000 {
            let token = String(chance.random(), radix: 16)
            #expect(!text.contains(token))
        }
    }

    @Test("says why it failed")
    func failure() async throws {
        let source = ScriptedSource { _ in throw CacheError(.sourceFailed, "Airtable answered 403") }
        let fixture = try await RouteChangeTests.fixture(source: source)
        _ = try await fixture.send()
        let explanation = try await explain(fixture)
        let load = try #require(explanation.events.first { $0.kind == "load" })
        #expect((load.result, load.reason, load.failures) == ("failed", "sourceFailed", 1))
        #expect(
            load.text.hasPrefix("load: failed after 0s: sourceFailed: Airtable answered 403; the source is left alone")
        )
    }

    @Test("needs what a forced refresh needs; an unknown field is 404")
    func access() async throws {
        let fixture = try await RouteChangeTests.fixture()
        #expect(try await fixture.send(.get, Self.path).status == 401)
        #expect(try await fixture.send(.get, Self.path, [.authorization: "Bearer wrong"]).status == 401)
        #expect(try await fixture.send(.get, "/api/fields/nix/explain", RouteChangeTests.admin).status == 404)
        let local = try await RouteFixture()
        #expect(try await local.send(.get, Self.path).status == 200)
        let proxied: HTTPFields = [.init("X-Forwarded-For") ?? .via: "10.0.0.1"]
        #expect(try await local.send(.get, Self.path, proxied).status == 403)
    }

    @Test("advice is in the catalogue and the explanation")
    func advice() async throws {
        let fixture = try await RouteChangeTests.fixture()
        for _ in 0...96 {
            _ = try await fixture.send()
            await fixture.spawner.advance(by: .seconds(120))
        }
        let expected = ["refreshed 96 times, never changed: 1h would serve as well"]
        #expect(try await explain(fixture).advice == expected)
        let catalogue = try await fixture.send(.get, "/api/fields")
        #expect(catalogue.text.contains("\"advice\":[\"\(expected[0])\"]"))
    }

    @Test(
        "advice reads as a person would say it",
        arguments: [
            (
                FieldAdvice.longerTTL(loads: 96, changes: 2, ttl: .seconds(21_600)),
                "refreshed 96 times, changed twice: 6h would serve as well"
            ),
            (
                .longerInterval(loads: 96, changes: 1, interval: .seconds(21_600)),
                "refreshed 96 times, changed once: refreshEvery 6h, with a ttl longer than that, would serve as well"
            ),
            (
                .expiresUnread(count: 400, gap: .milliseconds(60_400), ttl: .seconds(120)),
                "expired 400 times between two reads 1m apart: 2m would last to the next one"
            ),
            (
                .dyingLinks(lifetime: .seconds(7200), served: .seconds(108_000)),
                "holds attachment links that die 2h after the load, and is served for up to 1d6h: "
                    + "ttl and stale window together should be shorter than the links live"
            ),
        ]
    )
    func text(advice: FieldAdvice, text: String) {
        #expect(advice.text == text)
    }
}
