import Freshet
import FreshetTesting
import Hummingbird
import HummingbirdTesting
import Logging
import Testing

@testable import FreshetServer

@Suite("A catalogue of many fields")
struct CatalogueWidthTests {
    @Test("asks the store about some fields at once, and tells of them in their order")
    func width() async throws {
        let store = FaultyStore(MemoryStore())
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let cache = CacheService(store: store, timeout: .seconds(60), logger: logger)
        try await cache.initialize()
        let names = (0..<(2 * CatalogueRoute.width + 3)).map { "f\($0)" }
        let catalog = try FieldCatalog(names.map { Field($0, ttl: .seconds(60)) { 1 } })
        let fields = FieldCache(cache: cache, catalog: catalog, logger: logger)
        let route = CatalogueRoute(cache: fields, access: AccessPolicy(), paths: [:])
        let router = Router()
        router.get("/fields") { request, _ in await route.respond(to: request) }
        store.inject(.hang, into: [.read])
        let answer = Task {
            try await Application(router: router, logger: logger).test(.router) { client in
                try await client.execute(uri: "/fields", method: .get) { $0.body }
            }
        }
        try await waitUntil("as many calls as may be") { store.hangingCalls == CatalogueRoute.width }
        store.recover()
        let catalogue = try StoredJSON.decode(Catalogue.self, from: try await answer.value)
        #expect(catalogue.fields.map(\.name) == names)
        #expect(store.calls(of: .read) == names.count)
    }
}
