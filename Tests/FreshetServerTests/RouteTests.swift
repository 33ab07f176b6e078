import Dispatch
import Freshet
import FreshetTesting
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

/// A source that does what the test says.
final class ScriptedSource: Sendable {
    private let details: LoadDetails
    private let state: NIOLockedValueBox<(answer: @Sendable (Int) throws -> JSONValue?, loads: Int)>

    init(_ details: LoadDetails = .init(), _ answer: @escaping @Sendable (Int) throws -> JSONValue?) {
        self.details = details
        state = NIOLockedValueBox((answer, 0))
    }

    var loads: Int { state.withLockedValue { $0.loads } }

    func answer(_ answer: @escaping @Sendable (Int) throws -> JSONValue?) {
        state.withLockedValue { $0.answer = answer }
    }

    func load(_ context: LoadContext) async throws -> LoadResult<JSONValue> {
        let (answer, number) = state.withLockedValue { state in
            state.loads += 1
            return (state.answer, state.loads)
        }
        return try answer(number).map { .value($0, details) } ?? .absent
    }
}

/// Routes over one field called agents, a memory store that can fail, and a clock that the test moves.
struct RouteFixture {
    static let body: JSONValue = .array((0..<100).map { ["id": .integer($0), "name": "Ñandú"] })

    let spawner = TestSpawner()
    let source: ScriptedSource
    let store: FaultyStore
    let fields: FieldCache
    let state = ServiceState()
    let metrics = PrometheusRegistry()
    let application: Application<ServiceResponder>

    init(
        source: ScriptedSource = ScriptedSource { _ in RouteFixture.body },
        access: AccessPolicy = AccessPolicy(listensOnLoopback: true),
        cors: [String] = [],
        maxConcurrentRequests: Int = 100,
        _ change: (inout FieldPolicy) -> Void = { _ in }
    ) async throws {
        var policy = FieldPolicy(ttl: .seconds(120))
        change(&policy)
        self.source = source
        store = FaultyStore(MemoryStore(spawner: spawner), spawner: spawner)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let cache = CacheService(store: store, spawner: spawner, logger: logger)
        try await cache.initialize()
        fields = FieldCache(
            cache: cache,
            catalog: try FieldCatalog([Field("agents", key: "agents_list", policy: policy, load: source.load)]),
            spawner: spawner,
            logger: logger
        )
        let router = makeRouter(
            fields: fields,
            access: access,
            paths: ["agents": "/api/airtable/agents"],
            metrics: metrics,
            state: state
        )
        application = Application(
            responder: ServiceResponder(
                routes: router.buildResponder(),
                crossOrigin: CrossOrigin(origins: cors),
                maxConcurrentRequests: maxConcurrentRequests
            ),
            logger: logger
        )
    }

    func send(
        _ method: HTTPRequest.Method = .get,
        _ path: String = "/api/fields/agents",
        _ headers: HTTPFields = [:],
        host: String = "localhost"
    ) async throws -> Answer {
        try await application.test(.router) { client in
            try await client.execute(uri: path, method: method, headers: headers) { Answer($0) }
        }
    }
}

struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let text: String
    let bytes: ByteBuffer

    init(_ response: TestResponse) {
        status = response.status.code
        headers = response.headers
        bytes = response.body
        text = String(buffer: response.body)
    }

    subscript(name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
}

@Suite("Reading over HTTP")
struct RouteTests {
    @Test(
        "an answer to HEAD has the headers of GET's and no body, whatever it says",
        arguments: [
            "/api/fields/agents", "/api/fields/nobody", "/api/fields/agents?maxAge=x", "/healthz", "/readyz", "/nix",
        ]
    )
    func head(path: String) async throws {
        let fixture = try await RouteFixture()
        let get = try await fixture.send(.get, path)
        let head = try await fixture.send(.head, path)
        #expect(head.status == get.status)
        #expect(head.bytes.readableBytes == 0)
        // "there is no route GET /nix" and "… HEAD /nix" are of different lengths.
        if path != "/nix" { #expect(head["Content-Length"] == get["Content-Length"]) }
    }

    @Test("max-age tells what is left beyond Age, and never more than the freshness")
    func maxAgeHeader() async throws {
        let fixture = try await RouteFixture { $0.httpMaxAge = .seconds(30) }
        #expect(try await fixture.send()["Cache-Control"] == "max-age=30")
        await fixture.spawner.advance(by: .seconds(60))
        #expect(try await fixture.send()["Cache-Control"] == "max-age=90")
        await fixture.spawner.advance(by: .seconds(40))
        #expect(try await fixture.send()["Cache-Control"] == "max-age=120")
    }

    @Test("what the source forbids to cache is not to be kept by clients either")
    func notKept() async throws {
        let source = ScriptedSource(.init(isCacheable: false)) { _ in RouteFixture.body }
        let fixture = try await RouteFixture(source: source) { $0.httpMaxAge = .seconds(30) }
        let answer = try await fixture.send()
        #expect(answer.status == 200)
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer["Cache-Status"]?.contains("stored") == false)
    }

    @Test("the metrics tell the age of what is held")
    func ages() async throws {
        let fixture = try await RouteFixture()
        _ = try await fixture.send()
        await fixture.spawner.advance(by: .seconds(7))
        let text = try await fixture.send(.get, "/metrics").text
        #expect(text.contains("freshet_entry_age_seconds{field=\"agents\"} 7\n"))
        await fixture.spawner.advance(by: .seconds(120))
        #expect(try await !fixture.send(.get, "/metrics").text.contains("freshet_entry_age_seconds"))
        _ = try await fixture.send()
        let again = try await fixture.send(.get, "/metrics").text
        #expect(again.contains("freshet_entry_age_seconds{field=\"agents\"} 0\n"))
    }

    @Test("loaded, then fresh from the cache, then stale")
    func reads() async throws {
        let fixture = try await RouteFixture { $0.staleWhileRevalidate = .seconds(60) }
        let loaded = try await fixture.send()
        #expect(loaded.status == 200)
        #expect(loaded["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(loaded["Content-Type"] == "application/json; charset=utf-8")
        #expect(loaded["Cache-Control"] == "no-cache")
        #expect(loaded["Vary"] == "Accept-Encoding")
        #expect(loaded["Content-Length"] == String(loaded.bytes.readableBytes))
        #expect(loaded.text == String(buffer: try StoredJSON.encode(RouteFixture.body)))
        await fixture.spawner.advance(by: .milliseconds(20_500))
        for _ in 0..<2 {
            let hit = try await fixture.send()
            #expect(hit["Cache-Status"] == "freshet; hit; ttl=100")
            #expect(hit["Age"] == "20")
            #expect(hit["ETag"] == loaded["ETag"])
            #expect(hit.text == loaded.text)
        }
        await fixture.spawner.advance(by: .seconds(110))
        let stale = try await fixture.send()
        #expect(stale["Cache-Status"] == "freshet; hit; ttl=-10")
        #expect(stale["Age"] == "130")
    }

    @Test("what is left of the freshness is told anew though the age in seconds is the same")
    func timeToLive() async throws {
        let fixture = try await RouteFixture { $0.ttl = .milliseconds(1500) }
        _ = try await fixture.send()
        for ttl in [2, 1] {
            let hit = try await fixture.send()
            #expect([hit["Age"], hit["Cache-Status"]] == ["0", "freshet; hit; ttl=\(ttl)"])
            await fixture.spawner.advance(by: .milliseconds(600))
        }
    }

    @Test("a matching If-None-Match gets 304 with the headers that belong to it")
    func notModified() async throws {
        let fixture = try await RouteFixture()
        let etag = try #require(try await fixture.send()["ETag"])
        for condition in [etag, "W/\(etag)", "\"other\", \(etag)", "*"] {
            let answer = try await fixture.send(.get, "/api/fields/agents", [.ifNoneMatch: condition])
            #expect(answer.status == 304)
            #expect(answer.bytes.readableBytes == 0)
            #expect(answer["ETag"] == etag)
            #expect(answer["Cache-Control"] == "no-cache")
            #expect(answer["Vary"] == "Accept-Encoding")
            #expect(answer["Age"] == "0")
            #expect(answer["Content-Length"] == nil)
        }
        #expect(try await fixture.send(.get, "/api/fields/agents", [.ifNoneMatch: "\"other\""]).status == 200)
    }

    @Test("gzip for those who take it, the same bytes each time, with a tag that matches")
    func gzip() async throws {
        let fixture = try await RouteFixture()
        let plain = try await fixture.send()
        let first = try await fixture.send(.get, "/api/fields/agents", [.acceptEncoding: "gzip, br"])
        #expect(first["Content-Encoding"] == "gzip")
        #expect(first.bytes.readableBytes < plain.bytes.readableBytes / 4)
        #expect(first["Content-Length"] == String(first.bytes.readableBytes))
        let etag = try #require(plain["ETag"])
        #expect(first["ETag"] == "W/\(etag)")
        let second = try await fixture.send(.get, "/api/fields/agents", [.acceptEncoding: "gzip"])
        #expect(second.bytes == first.bytes)
        let again = try await fixture.send(
            .get,
            "/api/fields/agents",
            [.acceptEncoding: "gzip", .ifNoneMatch: try #require(first["ETag"])]
        )
        #expect(again.status == 304)
        #expect(try await fixture.send()["Content-Encoding"] == nil)
    }

    @Test("a 304 has the tag of a 200, which comes plain while the value is compressed, and where that does not help")
    func tagOfNotModified() async throws {
        let fixture = try await RouteFixture()
        let field = try #require(fixture.fields.catalog.fields.first)
        let reading = try await fixture.fields.read(field)
        let (hasBegun, end) = (NIOLockedValueBox(false), DispatchSemaphore(value: 0))
        let answers = FieldAnswers(policy: field.policy) { _ in
            hasBegun.withLockedValue { $0 = true }
            end.wait()
            return nil
        }
        @Sendable func answer(_ condition: String?) async -> Response {
            await answers.answer(reading, ifNoneMatch: condition, acceptEncoding: "gzip")
        }
        let (strong, weak) = ("\"\(reading.etag)\"", "W/\"\(reading.etag)\"")
        for (condition, tag) in [("*", weak), (weak, weak), (strong, strong), ("\(strong), \(weak)", weak)] {
            #expect(await answer(condition).headers[.eTag] == tag, "\(condition)")
        }
        async let first = answer(nil)
        #expect(await eventually { hasBegun.withLockedValue { $0 } })
        let during = [await answer(nil), await answer("*"), await answer(weak)]
        end.signal()
        for answer in during + [await first, await answer(nil), await answer("*")] {
            #expect(answer.headers[.eTag] == "\"\(reading.etag)\"")
            #expect(answer.headers[.contentEncoding] == nil)
        }
    }

    @Test("a value too small to gain is sent as it is")
    func small() async throws {
        let fixture = try await RouteFixture(source: ScriptedSource { _ in "x" })
        let answer = try await fixture.send(.get, "/api/fields/agents", [.acceptEncoding: "gzip"])
        #expect(answer["Content-Encoding"] == nil)
        #expect(answer.text == "\"x\"")
    }

    @Test("HEAD has the headers and no body")
    func head() async throws {
        let fixture = try await RouteFixture()
        let body = try await fixture.send().bytes.readableBytes
        let answer = try await fixture.send(.head)
        #expect(answer.status == 200)
        #expect(answer.bytes.readableBytes == 0)
        #expect(answer["Content-Length"] == String(body))
        #expect(answer["ETag"] != nil)
    }

    @Test("max-age is said where the field has one, but not of stale values")
    func maxAge() async throws {
        let fixture = try await RouteFixture {
            $0.httpMaxAge = .seconds(30)
            $0.staleWhileRevalidate = .seconds(60)
        }
        _ = try await fixture.send()
        #expect(try await fixture.send()["Cache-Control"] == "max-age=30")
        await fixture.spawner.advance(by: .seconds(121))
        #expect(try await fixture.send()["Cache-Control"] == "no-cache")
    }

    @Test("?maxAge asks for something younger")
    func younger() async throws {
        let fixture = try await RouteFixture()
        _ = try await fixture.send()
        await fixture.spawner.advance(by: .seconds(50))
        #expect(try await fixture.send(.get, "/api/fields/agents?maxAge=60&other=1")["Age"] == "50")
        let young = try await fixture.send(.get, "/api/fields/agents?maxAge=10")
        #expect(young["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(fixture.source.loads == 2)
    }

    @Test("an answer to ?maxAge is kept no longer than that, and others no shorter", arguments: ["", "gzip"])
    func youngerControl(encoding: String) async throws {
        let fixture = try await RouteFixture {
            $0.ttl = .seconds(3600)
            $0.httpMaxAge = .seconds(600)
        }
        func control(_ query: String, _ headers: HTTPFields = [:]) async throws -> String? {
            var headers = headers
            headers[.acceptEncoding] = encoding
            return try await fixture.send(.get, "/api/fields/agents\(query)", headers)["Cache-Control"]
        }
        #expect(try await control("?maxAge=0") == "no-cache")
        await fixture.spawner.advance(by: .milliseconds(59_500))
        #expect(try await control("?maxAge=70") == "max-age=69")
        #expect(try await control("") == "max-age=659")
        #expect(try await control("?maxAge=70") == "max-age=69")
        #expect(try await control("?maxAge=70", [.ifNoneMatch: "*"]) == "max-age=69")
        #expect(try await control("?maxAge=60") == "no-cache")
        #expect(try await control("?maxAge=700") == "max-age=659")
        #expect(try await control("", [.ifNoneMatch: "*"]) == "max-age=659")
        #expect(fixture.source.loads == 1)
    }

    @Test("bad parameters are 400", arguments: ["maxAge=x", "forceRefresh=maybe", "maxAge=-1"])
    func bad(query: String) async throws {
        let fixture = try await RouteFixture()
        let answer = try await fixture.send(.get, "/api/fields/agents?\(query)")
        #expect(answer.status == 400)
        #expect(answer.text.contains("\"error\":\"Bad parameter\""))
        #expect(fixture.source.loads == 0)
    }

    @Test("a read ignores what is asked of changes")
    func otherParameters() async throws {
        #expect(try await RouteFixture().send(.get, "/api/fields/agents?soft=no&purge=2").status == 200)
    }

    @Test("unknown fields and unknown routes are 404, and say which")
    func unknown() async throws {
        let fixture = try await RouteFixture()
        let field = try await fixture.send(.get, "/api/fields/agent")
        #expect(field.status == 404)
        #expect(field.text == "{\"error\":\"Unknown field\",\"message\":\"there is no field 'agent'\"}")
        #expect(try await fixture.send(.get, "/api/fields/a%C3%B1o%2F1").text.contains("there is no field 'año/1'"))
        #expect(try await fixture.send(.delete, "/api/fields/agent").status == 404)
        #expect(try await fixture.send(.post, "/api/fields/agent/refresh").status == 404)
        let route = try await fixture.send(.get, "/api/agents")
        #expect(route.status == 404)
        #expect(route.text.contains("there is no route GET /api/agents"))
    }

    @Test("escapes in paths are those of the characters that they stand for")
    func escapes() async throws {
        let fixture = try await RouteFixture()
        let field = try await fixture.send(.get, "/api/fields/%61gents?%6DaxAge=60")
        #expect(field["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(try await fixture.send(.get, "/api/airtable/%61gents").status == 200)
        #expect(try await fixture.send(.get, "/api/fields%2Fagents").status == 404)
        let bad = try await fixture.send(.get, "/api/fields/100%")
        #expect(bad.status == 400)
        #expect(bad.text.contains("Bad path"))
    }

    @Test("escapes are taken off once")
    func doubleEscapes() async throws {
        let fixture = try await RouteFixture()
        #expect(try await fixture.send(.get, "/api/fields/%2561gents").text.contains("there is no field '%61gents'"))
    }

    @Test("a path of its own answers as the field does")
    func path() async throws {
        let fixture = try await RouteFixture(access: AccessPolicy(adminToken: "t"))
        #expect(try await fixture.send(.get, "/api/airtable/agents")["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(try await fixture.send(.head, "/api/airtable/agents").status == 200)
        #expect(try await fixture.send(.get, "/api//airtable/agents/?maxAge=60").status == 200)
        let refreshed = try await fixture.send(.post, "/api/airtable/agents/refresh", [.authorization: "Bearer t"])
        #expect(refreshed["Cache-Status"] == "freshet; fwd=request; stored")
        #expect(try await fixture.send()["Cache-Status"] == "freshet; hit; ttl=120")
    }

    @Test("the router grows with no path of a field: where none fits, it would go through them again and again")
    func manyPaths() async throws {
        let fixture = try await RouteFixture()
        let names = (0..<100).map { "f\($0)" }
        func routes(_ paths: [String: String]) throws -> Int {
            let cache = CacheService(store: fixture.store, logger: fixture.application.logger)
            let catalog = try FieldCatalog(names.map { Field($0, ttl: .seconds(60)) { 1 } })
            let router = makeRouter(
                fields: FieldCache(cache: cache, catalog: catalog, logger: fixture.application.logger),
                access: AccessPolicy(),
                paths: paths,
                metrics: fixture.metrics,
                state: fixture.state
            )
            return router.routes.count
        }
        let paths = Dictionary(uniqueKeysWithValues: names.map { ($0, "/api/a/\($0)") })
        #expect(try routes(paths) == routes(["f0": "/api/a/f0"]))
    }

    @Test("the catalogue tells name, key, policy and state, and asks no source")
    func catalogue() async throws {
        let fixture = try await RouteFixture { $0.staleIfError = .seconds(3600) }
        let before = try StoredJSON.decode(Catalogue.self, from: try await fixture.send(.get, "/api/fields").bytes)
        #expect(before.fields.map(\.name) == ["agents"])
        #expect(before.fields.first?.key == "agents_list")
        #expect(before.fields.first?.route == "/api/airtable/agents")
        #expect(before.fields.first?.policy.ttl == "2m")
        #expect(before.fields.first?.policy.staleIfError == "1h")
        #expect(before.fields.first?.state.freshness == "gone")
        #expect(fixture.source.loads == 0)
        let size = try await fixture.send().bytes.readableBytes
        await fixture.spawner.advance(by: .seconds(20))
        let after = try StoredJSON.decode(Catalogue.self, from: try await fixture.send(.get, "/api/fields").bytes)
        let state = try #require(after.fields.first?.state)
        #expect(state.freshness == "fresh")
        #expect(state.age == 20)
        #expect(state.ttl == 100)
        #expect(state.bytes == size)
    }
}
