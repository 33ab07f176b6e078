import Foundation
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
    private let endpoints: [(String, FieldEndpoint)]

    typealias Respond = @Sendable (Request) async -> Response

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
        endpoints = cache.catalog.fields.map { ($0.name, FieldEndpoint($0, cache: cache, access: access)) }
    }

    /// Adds the routes of every field in the cache's catalogue.
    public func addRoutes<Context>(to router: some RouterMethods<Context>) {
        addNamedRoutes(to: router)
        forEachFurtherRoute { path, method, respond in
            router.on(RouterPath(path), method: method) { request, _ in await respond(request) }
        }
    }

    /// Adds all but those at further paths.
    func addNamedRoutes<Context>(to router: some RouterMethods<Context>) {
        let catalogue = CatalogueRoute(cache: cache, access: access, paths: paths)
        addEndpoints(Dictionary(endpoints) { first, _ in first }, to: router)
        router.get(RouterPath(prefix)) { request, _ in await catalogue.respond(to: request) }
        router.head(RouterPath(prefix)) { request, _ in await catalogue.respond(to: request).createHeadResponse() }
    }

    /// Goes through the routes at further paths.
    func forEachFurtherRoute(_ body: (_ path: String, HTTPRequest.Method, @escaping Respond) -> Void) {
        for (name, endpoint) in endpoints {
            guard let path = paths[name] else { continue }
            body(path, .get) { await endpoint.read($0) }
            body(path, .head) { await endpoint.read($0).createHeadResponse() }
            body("\(path)/refresh", .post) { await endpoint.refresh($0) }
        }
    }

    /// The name is looked up in a dictionary: a router goes through all that can follow a part of a path.
    private func addEndpoints<Context>(
        _ endpoints: [String: FieldEndpoint],
        to router: some RouterMethods<Context>
    ) {
        let access = access
        func add(
            _ method: HTTPRequest.Method,
            _ suffix: String = "",
            _ respond: @escaping @Sendable (FieldEndpoint, Request) async -> Response
        ) {
            router.on(RouterPath("\(prefix)/:name\(suffix)"), method: method) { request, context in
                let name = Self.decoded(context.parameters.get("name") ?? "")
                guard let endpoint = endpoints[name] else { return Self.unknown(name, request, access) }
                return await respond(endpoint, request)
            }
        }
        add(.get) { await $0.read($1) }
        add(.head) { await $0.read($1).createHeadResponse() }
        add(.delete) { await $0.invalidate($1) }
        add(.post, "/refresh") { await $0.refresh($1) }
        add(.get, "/explain") { await $0.explain($1) }
        add(.head, "/explain") { await $0.explain($1).createHeadResponse() }
    }

    /// Routers give the parts of a path as they came.
    private static func decoded(_ part: String) -> String {
        part.utf8.contains(UInt8(ascii: "%")) ? part.removingPercentEncoding ?? part : part
    }

    /// A name that is no field's gets an answer that says so.
    private static func unknown(_ name: String, _ request: Request, _ access: AccessPolicy) -> Response {
        let answer =
            access.refusalToRead(request)
            ?? ErrorResponse.make(CacheError(.unknownField, "there is no field '\(name)'"), "load", field: name)
        return request.method == .head ? answer.createHeadResponse() : answer
    }
}
