import HTTPTypes
public import Hummingbird

/// The door of the service: lets in so many requests at a time and all that ask for its health, answers preflights, and
/// hands the rest to the routes.
public struct ServiceResponder: HTTPResponder {
    public typealias Context = BasicRequestContext

    private let routes: RouterResponder<Context>
    private let crossOrigin: CrossOrigin?
    private let gate: RequestGate

    init(routes: RouterResponder<Context>, crossOrigin: CrossOrigin?, maxConcurrentRequests: Int) {
        self.routes = routes
        self.crossOrigin = crossOrigin
        gate = RequestGate(limit: maxConcurrentRequests)
    }

    public func respond(to request: Request, context: Context) async throws -> Response {
        if let answer = crossOrigin?.preflight(request) { return answer }
        let isLetIn = gate.enter()
        defer { if isLetIn { gate.leave() } }
        var response =
            isLetIn || HealthRoutes.paths.contains(request.uri.path)
            ? try await route(request, context) : Self.overloaded
        crossOrigin?.decorate(&response, for: request)
        // The framework would send the body of an answer to HEAD that no route has taken off.
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// Paths are compared in their normal form.
    private func route(_ request: Request, _ context: Context) async throws -> Response {
        guard let target = request.head.path, target.utf8.contains(UInt8(ascii: "%")) else {
            return try await routes.respond(to: request, context: context)
        }
        let path = target.prefix { $0 != "?" }
        guard let normal = PercentEncoding.normalPath(path) else {
            return ErrorResponse.make(.badRequest, "Bad path", "a % in the path begins no escape such as %20")
        }
        var head = request.head
        head.path = normal + target[path.endIndex...]
        return try await routes.respond(to: Request(head: head, body: request.body), context: context)
    }

    private static var overloaded: Response {
        ErrorResponse.make(
            .serviceUnavailable,
            "Overloaded",
            "too many requests are under way",
            retryAfter: .seconds(1)
        )
    }
}
