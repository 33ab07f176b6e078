import HTTPTypes
import Hummingbird

/// The further paths of fields, looked up in a dictionary: a router goes through all that can follow a part of a path, and
/// where none fits once more from each of them on. Added behind all routes, it costs them nothing.
struct FieldPaths<Context: RequestContext>: RouterMiddleware {
    private let routes: [[Substring]: [HTTPRequest.Method: FieldRoutes.Respond]]

    init(_ fields: FieldRoutes) {
        var routes: [[Substring]: [HTTPRequest.Method: FieldRoutes.Respond]] = [:]
        fields.forEachFurtherRoute { path, method, respond in
            routes[path.split(separator: "/"), default: [:]][method] = respond
        }
        self.routes = routes
    }

    @concurrent
    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let methods = routes[request.uri.path.split(separator: "/")] else {
            return try await next(request, context)
        }
        guard let respond = methods[request.method] else {
            return ErrorResponse.noRoute(request, otherMethods: methods.keys)
        }
        return await respond(request)
    }
}
