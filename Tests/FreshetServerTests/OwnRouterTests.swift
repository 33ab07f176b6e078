import CoreMetrics
import Freshet
import FreshetServer
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import ServiceLifecycleTestKit
import Testing

/// What an application can do with the routes, with no more than is public.
@Suite("Routes in somebody's own router")
struct OwnRouterTests {
    private struct OwnContext: RequestContext {
        var coreContext: CoreRequestContextStorage

        init(source: Source) { coreContext = .init(source: source) }
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func fields() async throws -> FieldCache {
        let cache = CacheService(store: MemoryStore(), logger: logger)
        try await cache.initialize()
        let rates = Field("rates", ttl: .seconds(60)) { [1, 2] }
        return FieldCache(cache: cache, catalog: try FieldCatalog([rates]), logger: logger)
    }

    private static func answers(
        _ paths: [String],
        _ headers: HTTPFields = [:],
        addRoutes: (RouterGroup<OwnContext>) -> Void
    ) async throws -> [String] {
        let router = Router(context: OwnContext.self)
        addRoutes(router.group("ops"))
        return try await Application(router: router, logger: logger).test(.router) { client in
            var answers: [String] = []
            for path in paths {
                let answer = try await client.execute(uri: "/ops\(path)", method: .get, headers: headers) { $0 }
                answers.append("\(answer.status.code) \(String(buffer: answer.body))")
            }
            return answers
        }
    }

    @Test("health, and metrics for those who have the token")
    func mounted() async throws {
        let fields = try await Self.fields()
        let metrics = PrometheusRegistry()
        metrics.makeCounter(label: "own_requests_total", dimensions: []).increment(by: 3)
        let add: (RouterGroup<OwnContext>) -> Void = { router in
            HealthRoutes(cache: fields).addRoutes(to: router)
            MetricsRoute(registry: metrics, cache: fields, access: AccessPolicy(readToken: "t")).addRoutes(to: router)
        }
        let open = try await Self.answers(["/healthz", "/readyz", "/metrics"], addRoutes: add)
        #expect(open.prefix(2) == ["200 {\"status\":\"alive\"}", "200 {\"status\":\"ready\"}"])
        #expect(open[2].hasPrefix("401 "))
        let told = try await Self.answers(["/metrics"], [.authorization: "Bearer t"], addRoutes: add)
        #expect(told[0].contains("own_requests_total 3\n"))
    }

    @Test("escapes in the name of a field are those of the characters that they stand for")
    func escapes() async throws {
        let fields = try await Self.fields()
        let add: (RouterGroup<OwnContext>) -> Void = { FieldRoutes(cache: fields).addRoutes(to: $0) }
        let paths = ["%72ates", "%2572ates", "100%"].map { "/api/fields/\($0)" }
        let answers = try await Self.answers(paths, addRoutes: add)
        #expect(answers[0] == "200 [1,2]")
        #expect(answers[1].hasPrefix("404 ") && answers[1].contains("there is no field '%72ates'"))
        #expect(answers[2].hasPrefix("404 ") && answers[2].contains("there is no field '100%'"))
    }

    @Test("a field answers at a path of its own, too")
    func path() async throws {
        let fields = try await Self.fields()
        let add: (RouterGroup<OwnContext>) -> Void = { router in
            FieldRoutes(cache: fields, paths: ["rates": "/rates"]).addRoutes(to: router)
        }
        #expect(try await Self.answers(["/rates", "/api/fields/rates"], addRoutes: add) == ["200 [1,2]", "200 [1,2]"])
    }

    @Test("where the router decides, whoever reaches the routes may change and ask why; by default nobody may")
    func decidedByRouter() async throws {
        #expect(try await Self.changes(.decidedByRouter) == [200, 200, 200, 204])
        #expect(try await Self.changes(AccessPolicy()) == [403, 403, 403, 403])
    }

    @Test("a token that is set is needed, though the router decides")
    func decidedByRouterWithToken() async throws {
        var access = AccessPolicy.decidedByRouter
        access.adminToken = "admin"
        #expect(try await Self.changes(access) == [401, 401, 401, 401])
    }

    /// The statuses of a refresh, a forced read, an explanation and a removal, asked for under a foreign host, with what
    /// the router's middleware has gone by.
    private static func changes(_ access: AccessPolicy) async throws -> [Int] {
        let router = Router()
        FieldRoutes(cache: try await fields(), access: access).addRoutes(to: router.group("ops"))
        let requests: [(HTTPRequest.Method, String)] = [
            (.post, "/refresh"), (.get, "?forceRefresh=true"), (.get, "/explain"), (.delete, ""),
        ]
        return try await Application(router: router, logger: logger).test(.router) { client in
            var statuses: [Int] = []
            for (method, suffix) in requests {
                let uri = "/ops/api/fields/rates\(suffix)"
                let headers: HTTPFields = [.authorization: "Bearer of.another.kind", .origin: "https://app.example"]
                try await client.execute(uri: uri, method: method, headers: headers) { statuses.append($0.status.code) }
            }
            return statuses
        }
    }

    @Test("readiness follows a state that is part of the application's services")
    func state() async throws {
        let fields = try await Self.fields()
        let state = ServiceState()
        let add: (RouterGroup<OwnContext>) -> Void = { HealthRoutes(cache: fields, state: state).addRoutes(to: $0) }
        #expect(try await Self.answers(["/readyz"], addRoutes: add) == ["503 {\"status\":\"starting\"}"])
        state.move(to: .running)
        #expect(try await Self.answers(["/readyz"], addRoutes: add) == ["200 {\"status\":\"ready\"}"])
        try await testGracefulShutdown { trigger in
            async let run: Void = state.run()
            trigger.triggerGracefulShutdown()
            try await run
        }
        #expect(try await Self.answers(["/readyz"], addRoutes: add) == ["503 {\"status\":\"draining\"}"])
    }
}
