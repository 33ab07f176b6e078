import Freshet
import FreshetTesting
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import FreshetServer

@Suite("Changing over HTTP")
struct RouteChangeTests {
    static let admin: HTTPFields = [.authorization: "Bearer admin"]

    static func fixture(
        source: ScriptedSource = ScriptedSource { _ in RouteFixture.body },
        _ change: (inout FieldPolicy) -> Void = { _ in }
    ) async throws -> RouteFixture {
        try await RouteFixture(source: source, access: AccessPolicy(adminToken: "admin"), change)
    }

    @Test("a forced refresh must not be kept by anybody", arguments: [true, false])
    func forced(byQuery: Bool) async throws {
        let fixture = try await Self.fixture()
        _ = try await fixture.send()
        let answer =
            byQuery
            ? try await fixture.send(.get, "/api/fields/agents?forceRefresh=true", Self.admin)
            : try await fixture.send(.post, "/api/fields/agents/refresh", Self.admin)
        #expect(answer.status == 200)
        #expect(answer["Cache-Status"] == "freshet; fwd=request; stored")
        #expect(answer["Cache-Control"] == "no-cache, no-store, must-revalidate")
        #expect(answer["Pragma"] == "no-cache")
        #expect(answer["Expires"] == "0")
        #expect(fixture.source.loads == 2)
        let second = try await fixture.send(.post, "/api/fields/agents/refresh", Self.admin)
        #expect(second["Cache-Status"]?.hasSuffix("; detail=cooldown") == true)
        #expect(fixture.source.loads == 2)
    }

    @Test("removing leaves nothing, expiring leaves something stale")
    func invalidate() async throws {
        let fixture = try await Self.fixture { $0.staleWhileRevalidate = .seconds(60) }
        _ = try await fixture.send()
        #expect(try await fixture.send(.delete, "/api/fields/agents?soft=true", Self.admin).status == 204)
        #expect(try await fixture.send()["Cache-Status"] == "freshet; hit; ttl=-1")
        #expect(try await fixture.send(.delete, "/api/fields/agents", Self.admin).status == 204)
        #expect(try await fixture.send()["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(try await fixture.send(.delete, "/api/fields/agents?soft=2", Self.admin).status == 400)
    }

    @Test("changes ignore what is asked of reads and of each other")
    func otherParameters() async throws {
        let fixture = try await Self.fixture()
        let refresh = "/api/fields/agents/refresh?maxAge=x&forceRefresh=no&soft=2"
        #expect(try await fixture.send(.post, refresh, Self.admin).status == 200)
        let removal = "/api/fields/agents?maxAge=x&forceRefresh=no&purge=2"
        #expect(try await fixture.send(.delete, removal, Self.admin).status == 204)
    }

    @Test("an invalidation that cannot be sent is queued: 202, and readiness says degraded")
    func queued() async throws {
        let fixture = try await Self.fixture()
        _ = try await fixture.send()
        fixture.state.move(to: .running)
        fixture.store.inject(.fail(CacheError(.storeUnavailable, "the store is down")))
        #expect(try await fixture.send(.get, "/readyz").text == "{\"status\":\"ready\"}")
        #expect(try await fixture.send(.delete, "/api/fields/agents", Self.admin).status == 202)
        #expect(try await fixture.send(.get, "/readyz").text == "{\"status\":\"degraded\"}")
        #expect(try await fixture.send(.get, "/readyz").status == 200)
        #expect(try await fixture.send().status == 200)
        let forced = try await fixture.send(.post, "/api/fields/agents/refresh", Self.admin)
        #expect(forced["Cache-Status"] == "freshet; fwd=request; stored; detail=queued")
    }

    @Test("the source's failures are 502 and 504, and the old value is kept")
    func failures() async throws {
        let source = ScriptedSource { _ in throw CacheError(.sourceFailed, "Airtable answered 403") }
        let fixture = try await Self.fixture(source: source) { $0.staleIfError = .seconds(600) }
        let failed = try await fixture.send()
        #expect(failed.status == 502)
        #expect(failed.text == "{\"error\":\"Failed to load agents\",\"message\":\"Airtable answered 403\"}")
        #expect(failed["Cache-Control"] == "no-store")
        await fixture.spawner.advance(by: .seconds(2))
        source.answer { _ in RouteFixture.body }
        #expect(try await fixture.send().status == 200)
        await fixture.spawner.advance(by: .seconds(121))
        source.answer { _ in throw CacheError(.sourceTimedOut, "late") }
        #expect(try await fixture.send(.post, "/api/fields/agents/refresh", Self.admin).status == 504)
        let kept = try await fixture.send()
        #expect(kept.status == 200)
        #expect(kept["Cache-Status"] == "freshet; hit; ttl=-1; detail=source-failed")
    }

    @Test("a key that holds something else is 409, not worth another try")
    func foreign() async throws {
        let fixture = try await Self.fixture()
        _ = try await fixture.store.hset("agents_list", ["a": ByteBuffer(string: "1")])
        for path in ["/api/fields/agents", "/api/fields/agents?soft=true"] {
            let answer = try await fixture.send(.delete, path, Self.admin)
            #expect(answer.status == 409)
            #expect(answer["Retry-After"] == nil)
        }
    }

    @Test("no value is 404; an overloaded source is 503 and says when to come back")
    func absent() async throws {
        let source = ScriptedSource { _ in nil }
        let fixture = try await Self.fixture(source: source)
        let absent = try await fixture.send()
        #expect(absent.status == 404)
        #expect(absent.text.contains("No value for agents"))
        source.answer { _ in throw CacheError(.overloaded, "the base is closed", retryAfter: .milliseconds(29_001)) }
        await fixture.spawner.advance(by: .seconds(60))
        let overloaded = try await fixture.send()
        #expect(overloaded.status == 503)
        #expect(overloaded["Retry-After"] == "30")
    }
}

@Suite("Who may do what")
struct AccessTests {
    static let refresh = "/api/fields/agents/refresh"

    @Test("with an admin token, changes need it and reads do not")
    func admin() async throws {
        let fixture = try await RouteFixture(access: AccessPolicy(adminToken: "admin", listensOnLoopback: true))
        #expect(try await fixture.send().status == 200)
        for header in ["Bearer wrong", "Bearer admi", "Bearer adminadmin", "Basic admin", "admin", "Bearer "] {
            let answer = try await fixture.send(.post, Self.refresh, [.authorization: header])
            #expect(answer.status == 401)
            #expect(answer["WWW-Authenticate"] == "Bearer")
        }
        #expect(try await fixture.send(.delete).status == 401)
        #expect(try await fixture.send(.get, "/api/fields/agents?forceRefresh=true").status == 401)
        #expect(try await fixture.send(.post, Self.refresh, [.authorization: "bearer admin"]).status == 200)
    }

    @Test("with a read token, reads need it or the admin token")
    func readers() async throws {
        let access = AccessPolicy(adminToken: "admin", readToken: "read")
        let fixture = try await RouteFixture(access: access)
        for path in ["/api/fields", "/api/fields/agents", "/api/airtable/agents", "/api/fields/none"] {
            #expect(try await fixture.send(.get, path).status == 401)
        }
        #expect(try await fixture.send(.get, "/healthz").status == 200)
        for token in ["read", "admin"] {
            let headers: HTTPFields = [.authorization: "Bearer \(token)"]
            #expect(try await fixture.send(.get, "/api/fields/agents", headers).status == 200)
        }
        #expect(try await fixture.send(.post, Self.refresh, [.authorization: "Bearer read"]).status == 401)
    }

    @Test("without a token, a request of this machine may change")
    func local() async throws {
        let fixture = try await RouteFixture()
        #expect(try await fixture.send(.post, Self.refresh).status == 200)
        for (name, value) in [
            ("Origin", "http://localhost:3000"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "none"),
        ] {
            #expect(try await fixture.send(.delete, "/api/fields/agents", Self.header(name, value)).status == 204)
        }
    }

    @Test(
        "without a token, what comes from elsewhere may not",
        arguments: [
            ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 p"), ("X-Forwarded-Prefix", "/"), ("X-Forwarded", "127.0.0.1"),
            ("x-original-forwarded-for", "127.0.0.1"), ("Sec-Fetch-Site", "same-origin, cross-site"),
            ("Host", "evil.example"),
            ("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"),
            ("Origin", "http://localhost.evil.example"),
        ]
    )
    func foreign(name: String, value: String) async throws {
        let fixture = try await RouteFixture()
        let headers = Self.header(name, value)
        #expect(try await fixture.send(.post, Self.refresh, headers).status == 403)
        #expect(try await fixture.send(.delete, "/api/fields/agents", headers).status == 403)
        #expect(try await fixture.send(.get, "/api/fields/agents?forceRefresh=true", headers).status == 403)
        #expect(try await fixture.send(.get, "/api/fields/agents", headers).status == 200)
        #expect(fixture.source.loads == 1)
    }

    @Test("without a token, a listener that others reach takes no changes")
    func open() async throws {
        let fixture = try await RouteFixture(access: AccessPolicy())
        #expect(try await fixture.send(.post, Self.refresh).status == 403)
    }

    @Test("headers that contradict each other do not speak for this machine")
    func contradictions() async throws {
        let fixture = try await RouteFixture()
        for (name, values) in [
            ("Sec-Fetch-Site", ["same-origin", "cross-site"]), ("Sec-Fetch-Site", ["none", "same-origin"]),
            ("Origin", ["http://localhost", "https://evil.example"]),
        ] {
            var headers = HTTPFields()
            for value in values { headers.add(HTTPField.Name(name), value) }
            #expect(try await fixture.send(.post, Self.refresh, headers).status == 403, "\(name) \(values)")
        }
    }

    @Test(
        "the host must be a loopback one",
        arguments: [
            ("127.0.0.1:8080", true), ("localhost", true), ("[::1]:80", true), ("freshet.example", false),
            ("127.0.0.1.evil.example", false), ("localhost:x", false), ("", false),
        ]
    )
    func host(authority: String, isAllowed: Bool) throws {
        let head = HTTPRequest(method: .post, scheme: "http", authority: authority, path: "/")
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        let refusal = AccessPolicy(listensOnLoopback: true).refusalToAdminister(request)
        #expect((refusal == nil) == isAllowed)
    }

    static func header(_ name: String, _ value: String) -> HTTPFields {
        var headers = HTTPFields()
        headers.add(HTTPField.Name(name), value)
        return headers
    }
}

@Suite("The door")
struct DoorTests {
    @Test("pages of allowed origins may read")
    func cors() async throws {
        let fixture = try await RouteFixture(cors: ["https://app.example"])
        let allowed = try await fixture.send(.get, "/api/fields/agents", [.origin: "https://app.example"])
        #expect(allowed["Access-Control-Allow-Origin"] == "https://app.example")
        #expect(allowed["Access-Control-Expose-Headers"]?.contains("ETag") == true)
        #expect(allowed["Vary"] == "Accept-Encoding, Origin")
        #expect(try await fixture.send(.get, "/api/fields/agents")["Vary"] == "Accept-Encoding, Origin")
        let other = try await fixture.send(.get, "/api/fields/agents", [.origin: "https://other.example"])
        #expect(other.status == 200)
        #expect(other["Access-Control-Allow-Origin"] == nil)
        let preflight = try await fixture.send(
            .options,
            "/api/fields/agents",
            [.origin: "https://app.example", .accessControlRequestMethod: "DELETE"]
        )
        #expect(preflight.status == 204)
        #expect(preflight["Access-Control-Allow-Methods"]?.contains("DELETE") == true)
    }

    @Test("refusals of a connection may be read by the same pages, the origin being known or not")
    func corsOfRefusals() throws {
        let some = try #require(CrossOrigin(origins: ["https://app.example"]))
        #expect(some.fields(for: "https://app.example")[.accessControlAllowOrigin] == "https://app.example")
        for origin in ["https://other.example", nil] {
            #expect(some.fields(for: origin) == [.vary: "Origin"])
        }
        #expect(try #require(CrossOrigin(origins: ["*"])).fields(for: nil)[.accessControlAllowOrigin] == "*")
    }

    @Test("requests past the limit get 503 and are told to come back; the service's health can be asked all the same")
    func overload() async throws {
        let fixture = try await RouteFixture(maxConcurrentRequests: 0)
        let answer = try await fixture.send(.get, "/api/fields/agents")
        #expect(answer.status == 503)
        #expect(answer["Retry-After"] == "1")
        fixture.state.move(to: .running)
        for path in ["/healthz", "/readyz"] { #expect(try await fixture.send(.get, path).status == 200) }
    }

    @Test("HEAD is answered wherever GET is, without a body")
    func head() async throws {
        let fixture = try await RouteFixture()
        for path in ["/api/fields", "/api/fields/agents", "/api/fields/agents/explain", "/metrics", "/healthz"] {
            let answer = try await fixture.send(.head, path)
            #expect(answer.status == 200, "\(path)")
            #expect(answer["Content-Type"] != nil)
            #expect(answer.bytes.readableBytes == 0)
        }
        #expect(try await fixture.send(.head, "/api/fields/nobody/explain").status == 404)
    }

    @Test(
        "another method of a path that has some is 405, and says which",
        arguments: [
            ("/api/fields", "GET, HEAD"), ("/api/fields/agents", "DELETE, GET, HEAD"),
            ("/api/fields/agents/refresh", "POST"), ("/api/airtable/agents", "GET, HEAD"),
            ("/api/airtable/agents/refresh", "POST"), ("/metrics", "GET, HEAD"),
        ]
    )
    func method(path: String, methods: String) async throws {
        let fixture = try await RouteFixture()
        let answer = try await fixture.send(.patch, path)
        #expect(answer.status == 405)
        #expect(answer["Allow"] == methods)
        #expect(answer.text.hasPrefix("{\"error\":\"Method not allowed\""))
        #expect(try await fixture.send(.patch, path + "/a/b").status == 404)
    }

    @Test("readiness follows the service's life")
    func readiness() async throws {
        let fixture = try await RouteFixture()
        #expect(try await fixture.send(.get, "/readyz").status == 503)
        #expect(try await fixture.send(.get, "/healthz").status == 200)
        fixture.state.move(to: .running)
        #expect(try await fixture.send(.get, "/readyz").text == "{\"status\":\"ready\"}")
        fixture.state.move(to: .draining)
        fixture.state.move(to: .running)
        let draining = try await fixture.send(.get, "/readyz")
        #expect(draining.status == 503)
        #expect(draining["Retry-After"] == "1")
    }
}
