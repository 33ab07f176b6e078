public import Freshet
import HTTPTypes
public import Hummingbird

/// The routes of fields, for any Hummingbird router.
///
/// ```swift
/// let router = Router()
/// FieldRoutes(cache: fieldCache, access: AccessPolicy(adminToken: token)).addRoutes(to: router)
/// ```
///
/// | | |
/// |---|---|
/// | `GET`, `HEAD /api/fields/{name}` | the value |
/// | `GET`, `HEAD /api/fields` | the catalogue |
/// | `POST /api/fields/{name}/refresh` | a forced refresh |
/// | `DELETE /api/fields/{name}` | removes, or expires with `?soft=true` |
/// | `GET`, `HEAD /api/fields/{name}/explain` | why the last reads and loads did what they did |
///
/// A field with a further path answers there to `GET`, `HEAD` and `POST …/refresh`.
public struct FieldRoutes: Sendable {
    private let cache: FieldCache
    private let access: AccessPolicy
    private let prefix: String
    private let paths: [String: String]

    /// - Parameters:
    ///   - cache: whose fields are served.
    ///   - access: who may read and change. The default lets everybody read and nobody change.
    ///   - prefix: where the routes begin.
    ///   - paths: further paths, by the name of their field.
    public init(
        cache: FieldCache,
        access: AccessPolicy = AccessPolicy(),
        prefix: String = "/api/fields",
        paths: [String: String] = [:]
    ) {
        self.cache = cache
        self.access = access
        self.prefix = prefix
        self.paths = paths
    }

    /// Adds the routes of every field in the cache's catalogue.
    public func addRoutes<Context>(to router: some RouterMethods<Context>) {
        let catalogue = CatalogueRoute(cache: cache, access: access, paths: paths)
        router.get(RouterPath(prefix)) { request, _ in await catalogue.respond(to: request) }
        router.head(RouterPath(prefix)) { request, _ in await catalogue.respond(to: request).createHeadResponse() }
        for field in cache.catalog.fields {
            let endpoint = FieldEndpoint(field, cache: cache, access: access)
            let path = "\(prefix)/\(field.name)"
            Self.addReads(of: endpoint, at: path, to: router)
            router.delete(RouterPath(path)) { request, _ in await endpoint.invalidate(request) }
            let explain = RouterPath("\(path)/explain")
            router.get(explain) { request, _ in await endpoint.explain(request) }
            router.head(explain) { request, _ in await endpoint.explain(request).createHeadResponse() }
            if let path = paths[field.name] { Self.addReads(of: endpoint, at: path, to: router) }
        }
        addUnknown(to: router)
    }

    private static func addReads<Context>(
        of endpoint: FieldEndpoint,
        at path: String,
        to router: some RouterMethods<Context>
    ) {
        router.get(RouterPath(path)) { request, _ in await endpoint.read(request) }
        router.head(RouterPath(path)) { request, _ in await endpoint.read(request).createHeadResponse() }
        router.post(RouterPath("\(path)/refresh")) { request, _ in await endpoint.refresh(request) }
    }

    /// A name that is no field's gets an answer that says so.
    private func addUnknown<Context>(to router: some RouterMethods<Context>) {
        let access = access
        @Sendable func unknown(_ request: Request, _ context: Context) -> Response {
            if let refusal = access.refusalToRead(request) { return refusal }
            let name = context.parameters.get("name") ?? ""
            return ErrorResponse.make(
                CacheError(.unknownField, "there is no field '\(name)'"),
                "load",
                field: name
            )
        }
        for (path, methods) in [
            ("\(prefix)/:name", [HTTPRequest.Method.get, .head, .delete]),
            ("\(prefix)/:name/refresh", [.post]),
            ("\(prefix)/:name/explain", [.get, .head]),
        ] as [(String, [HTTPRequest.Method])] {
            for method in methods {
                router.on(RouterPath(path), method: method) {
                    method == .head ? unknown($0, $1).createHeadResponse() : unknown($0, $1)
                }
            }
        }
    }
}
