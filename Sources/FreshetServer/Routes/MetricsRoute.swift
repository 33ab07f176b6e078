import CoreMetrics
public import Freshet
import HTTPTypes
public import Hummingbird
import NIOCore

/// `GET`, `HEAD /metrics`: what was measured, as Prometheus text.
///
/// ```swift
/// let metrics = PrometheusRegistry()
/// MetricsSystem.bootstrap(metrics)  // before anything that measures is made
/// MetricsRoute(registry: metrics, cache: fieldCache).addRoutes(to: router)
/// ```
public struct MetricsRoute: Sendable {
    private let registry: PrometheusRegistry
    private let cache: FieldCache
    private let access: AccessPolicy

    /// - Parameters:
    ///   - registry: what is shown.
    ///   - cache: whose age and size are measured when somebody looks.
    ///   - access: who may look; the default lets everybody.
    public init(registry: PrometheusRegistry, cache: FieldCache, access: AccessPolicy = AccessPolicy()) {
        self.registry = registry
        self.cache = cache
        self.access = access
    }

    /// Adds `GET` and `HEAD`.
    public func addRoutes<Context>(to router: some RouterMethods<Context>) {
        router.get("/metrics") { [self] request, _ in respond(to: request) }
        router.head("/metrics") { [self] request, _ in respond(to: request).createHeadResponse() }
    }

    private func respond(to request: Request) -> Response {
        if let refusal = access.refusalToRead(request) { return refusal }
        measureAges()
        cache.measure()
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: registry.render()))
        )
    }

    /// The age of what this process holds; nothing of which it holds nothing.
    private func measureAges() {
        let label = "freshet_entry_age_seconds"
        for field in cache.catalog.fields {
            let dimensions = [("field", field.name)]
            guard let reading = cache.cached(field) else {
                registry.forget(label, dimensions: dimensions)
                continue
            }
            let gauge = registry.makeMeter(label: label, dimensions: dimensions)
            gauge.set(reading.age.inSeconds)
        }
    }
}
