// An application with a router of its own that serves Freshet's fields beside its other routes.
//
//     swift run --package-path Examples/own-router
//     curl -i http://127.0.0.1:8080/data/fields/rates
//     curl 'http://127.0.0.1:8080/convert?to=MXN'
//     curl http://127.0.0.1:8080/ops/readyz
//     curl http://127.0.0.1:8080/ops/metrics

import Foundation
import Freshet
import FreshetServer
import Hummingbird
import Logging
import Metrics
import ServiceLifecycle

struct Rates: Codable, Sendable {
    var base: String
    var rates: [String: Double]
}

// Before anything that measures is made.
let metrics = PrometheusRegistry()
MetricsSystem.bootstrap(metrics)

let logger = Logger(label: "own-router")
let cache = CacheService(store: MemoryStore(), logger: logger)
try await cache.initialize()

let rates = Field("rates", ttl: .seconds(600)) {
    // Here an application asks its slow source.
    Rates(base: "EUR", rates: ["COP": 4521.3, "MXN": 20.1])
}
let fields = FieldCache(cache: cache, catalog: try FieldCatalog([rates]), logger: logger)

let router = Router()
// A handler of one's own, which reads the typed value. Where there is none its answer is 404, 502, 503 or 504, as the fields'.
router.get("/convert") { request, _ in
    let currency = String(request.uri.queryParameters["to"] ?? "COP")
    guard let rate = try await fields.value(of: rates).rates[currency] else { throw HTTPError(.notFound) }
    return "1 EUR = \(rate) \(currency)\n"
}
// GET /data/fields, /data/fields/rates, /data/fields/rates/explain, POST /data/fields/rates/refresh, DELETE /data/fields/rates
let access = AccessPolicy(
    adminToken: ProcessInfo.processInfo.environment["ADMIN_TOKEN"],
    listensOnLoopback: true
)
FieldRoutes(cache: fields, access: access, prefix: "/data/fields").addRoutes(to: router)
// Behind a middleware that authenticates the router decides, and whoever reaches the routes may change:
//     let editors = router.group("/editors").add(middleware: authentication)
//     FieldRoutes(cache: fields, access: .decidedByRouter).addRoutes(to: editors)
// GET /ops/healthz, GET /ops/readyz, GET /ops/metrics
let state = ServiceState()
let operations = router.group("/ops")
HealthRoutes(cache: fields, state: state).addRoutes(to: operations)
MetricsRoute(registry: metrics, cache: fields, access: access).addRoutes(to: operations)

let application = Application(
    router: router,
    configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 8080)),
    services: [fields],
    onServerRunning: { _ in state.move(to: .running) },
    logger: logger
)
// The state comes last, and so is told of a shutdown first.
let group = ServiceGroup(services: [application, state], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
