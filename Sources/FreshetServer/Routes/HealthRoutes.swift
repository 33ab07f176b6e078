public import Freshet
import HTTPTypes
public import Hummingbird
import NIOCore

/// `/healthz` says that the process is alive, `/readyz` that it should be sent requests. A service whose store is away,
/// or has yet to be told of an invalidation, still answers, so it stays ready, but says "degraded".
///
/// ```swift
/// HealthRoutes(cache: fieldCache).addRoutes(to: router)
/// ```
public struct HealthRoutes: Sendable {
    static let paths = ["/healthz", "/readyz"]

    private let cache: FieldCache
    private let state: ServiceState?

    /// - Parameters:
    ///   - cache: whose store decides between `ready` and `degraded`.
    ///   - state: makes `/readyz` answer 503 before the start and while draining; without it, what answers is ready.
    public init(cache: FieldCache, state: ServiceState? = nil) {
        self.cache = cache
        self.state = state
    }

    /// Adds `GET` and `HEAD` of both.
    public func addRoutes<Context>(to router: some RouterMethods<Context>) {
        router.get("/healthz") { _, _ in Self.answer(.ok, "alive") }
        router.head("/healthz") { _, _ in Self.answer(.ok, "alive").createHeadResponse() }
        router.get("/readyz") { [self] _, _ in readiness() }
        router.head("/readyz") { [self] _, _ in readiness().createHeadResponse() }
    }

    private func readiness() -> Response {
        switch state?.phase ?? .running {
        case .starting: Self.answer(.serviceUnavailable, "starting")
        case .draining: Self.answer(.serviceUnavailable, "draining")
        case .running: Self.answer(.ok, cache.isDegraded ? "degraded" : "ready")
        }
    }

    private static func answer(_ status: HTTPResponse.Status, _ word: String) -> Response {
        var response = Response.json(status, ByteBuffer(string: "{\"status\":\"\(word)\"}"))
        if status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
        return response
    }
}
