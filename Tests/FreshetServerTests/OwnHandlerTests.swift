import Freshet
import FreshetServer
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing

/// What clients of an application get whose handlers read fields and throw on what they throw.
@Suite("Handlers of somebody's own")
struct OwnHandlerTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func answer(
        _ method: HTTPRequest.Method = .get,
        _ path: String = "/own",
        load: @escaping @Sendable () async throws -> LoadResult<Int>
    ) async throws -> TestResponse {
        let cache = CacheService(store: MemoryStore(), logger: logger)
        try await cache.initialize()
        let count = Field<Int>("count", policy: FieldPolicy(ttl: .seconds(60))) { _ in try await load() }
        let fields = FieldCache(cache: cache, catalog: try FieldCatalog([count]), logger: logger)
        let router = Router()
        for method in [HTTPRequest.Method.get, .head] {
            router.on("/own", method: method) { _, _ in "\(try await fields.value(of: count))" }
        }
        FieldRoutes(cache: fields).addRoutes(to: router)
        return try await Application(router: router, logger: logger).test(.router) { client in
            try await client.execute(uri: path, method: method) { $0 }
        }
    }

    @Test(
        "what a field throws is answered with the status that fits",
        arguments: [(.sourceFailed, 502), (.sourceTimedOut, 504), (.overloaded, 503)] as [(CacheError.Code, Int)]
    )
    func status(code: CacheError.Code, status: Int) async throws {
        let answer = try await Self.answer { throw CacheError(code, "the source says no", retryAfter: .seconds(7)) }
        #expect(answer.status.code == status)
        #expect(answer.headers[.cacheControl] == "no-store")
        #expect(answer.headers[.retryAfter] == "7")
        #expect(String(buffer: answer.body).contains("the source says no"))
    }

    @Test("the routes of the field answer likewise, and name it")
    func sameAsRoutes() async throws {
        let load: @Sendable () async throws -> LoadResult<Int> = { throw CacheError(.sourceFailed, "no") }
        let own = try await Self.answer(load: load)
        let route = try await Self.answer(.get, "/api/fields/count", load: load)
        #expect(own.status == route.status && own.headers[.cacheControl] == route.headers[.cacheControl])
        #expect(String(buffer: own.body) == "{\"error\":\"Bad Gateway\",\"message\":\"no\"}")
        #expect(String(buffer: route.body) == "{\"error\":\"Failed to load count\",\"message\":\"no\"}")
    }

    @Test("no value is 404")
    func absent() async throws {
        let answer = try await Self.answer { .absent }
        #expect(answer.status == .notFound)
        #expect(answer.headers[.cacheControl] == "no-store")
    }

    @Test("an answer to HEAD has no body")
    func head() async throws {
        let answer = try await Self.answer(.head) { throw CacheError(.sourceFailed, "no") }
        #expect(answer.status == .badGateway)
        #expect(answer.body.readableBytes == 0)
    }
}
