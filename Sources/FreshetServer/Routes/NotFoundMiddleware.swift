import Hummingbird

/// Answers what no route answers as every other error is answered. Added behind all routes, it costs them nothing.
struct NotFoundMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        ErrorResponse.make(.notFound, "Not found", "there is no route \(request.method.rawValue) \(request.uri.path)")
    }
}
