import HTTPTypes
import Hummingbird

/// Answers what no route answers as every other error is answered, and names the methods of a path that has some. Added
/// behind all routes, it costs them nothing.
struct NotFoundMiddleware<Context: RequestContext>: RouterMiddleware {
    private let routes: [(path: RouterPath, method: HTTPRequest.Method)]

    /// - Parameter routes: those that there are.
    init(routes: [Router<Context>.RouteDescription]) { self.routes = routes.map { ($0.path, $0.method) } }

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        return ErrorResponse.noRoute(request, otherMethods: routes.filter { $0.path.matches(path) }.map(\.method))
    }
}

extension ErrorResponse {
    /// - Parameter otherMethods: those that the path has.
    static func noRoute(_ request: Request, otherMethods: some Sequence<HTTPRequest.Method>) -> Response {
        let methods = Set(otherMethods.map(\.rawValue)).sorted()
        let message = "there is no route \(request.method.rawValue) \(request.uri.path)"
        guard !methods.isEmpty else { return make(.notFound, "Not found", message) }
        var answer = make(.methodNotAllowed, "Method not allowed", message)
        answer.headers[.allow] = methods.joined(separator: ", ")
        return answer
    }
}

extension RouterPath {
    fileprivate func matches(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        return parts.count == components.count && zip(components, parts).allSatisfy { $0 ~= $1 }
    }
}
