import Freshet
import FreshetAirtable
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import ServiceLifecycle

/// Puts a service together: store, cache, sources, fields, routes. The store must answer; the application is ready to
/// run.
///
/// ```swift
/// let service = try await buildApplication(configuration: .load(file: "freshet.yaml"), logger: logger)
/// try await service.run()
/// ```
///
/// - Parameters:
///   - metrics: shown at `/metrics`. Bootstrap `MetricsSystem` with it before anything else is made.
///   - onReady: called once the listener accepts connections, with its port.
/// - Throws: ``ConfigurationError``; `CacheError` if the store does not answer within seconds, or does not let its user
///   publish.
public func buildApplication(
    configuration: Configuration,
    metrics: PrometheusRegistry = PrometheusRegistry(),
    logger: Logger,
    onReady: @escaping @Sendable (Int) async -> Void = { _ in }
) async throws -> FreshetService {
    try await buildApplication(
        configuration: configuration,
        metrics: metrics,
        limits: ServerLimits(),
        logger: logger,
        onReady: onReady
    )
}

package func buildApplication(
    configuration: Configuration,
    metrics: PrometheusRegistry,
    limits: ServerLimits,
    logger: Logger,
    onReady: @escaping @Sendable (Int) async -> Void
) async throws -> FreshetService {
    let sources = try SourceFactory(configuration: configuration, logger: logger)
    let registry = try CoreServices.register(configuration, sources: sources, logger: logger)
    try await registry.initializeCoreServices(CoreServices.needed(by: configuration))
    let fields: FieldCache
    do {
        fields = try await makeFields(configuration, sources, registry, logger)
    } catch {
        // What has been started has connections of its own.
        try? await registry.shutdown()
        throw error
    }
    let state = ServiceState()
    let router = makeRouter(
        fields: fields,
        access: configuration.server.access,
        paths: configuration.paths,
        metrics: metrics,
        state: state
    )
    let crossOrigin = CrossOrigin(origins: configuration.server.cors)
    let responder = ServiceResponder(
        routes: router.buildResponder(),
        crossOrigin: crossOrigin,
        maxConcurrentRequests: limits.maxConcurrentRequests
    )
    var connectionLimits = limits
    if let crossOrigin { connectionLimits.refusalFields = crossOrigin.fields }
    let application = Application(
        responder: responder,
        server: HTTPServerBuilder { [connectionLimits] responder in
            ClientConnections(
                HTTP1Channel(responder: responder, configuration: connectionLimits.channelConfiguration)
            )
        },
        configuration: ApplicationConfiguration(
            address: .hostname(ServerSettings.bare(configuration.server.host), port: configuration.server.port),
            backlog: 1024,
            availableConnectionsDelegate: .maximum(limits.maxConnections, logger: logger)
        ),
        services: [FieldService(fields: fields, registry: registry)],
        onServerRunning: { channel in
            state.move(to: .running)
            await onReady(channel.localAddress?.port ?? configuration.server.port)
        },
        logger: logger
    )
    return FreshetService(
        application: application,
        fields: fields,
        registry: registry,
        state: state,
        drainTime: limits.drainTime
    )
}

/// The fields, and behind them what they stand on, however the end comes: a group whose listener fails cancels all its
/// services at once.
struct FieldService: Service {
    let fields: FieldCache
    let registry: ServiceRegistry

    func run() async throws {
        try await fields.run()
        try await registry.shutdown()
    }
}

private func makeFields(
    _ configuration: Configuration,
    _ sources: SourceFactory,
    _ registry: ServiceRegistry,
    _ logger: Logger
) async throws -> FieldCache {
    let store = try await registry.service(CoreServices.store, as: OpenStore.self)
    try await store.checkChannel()
    let cache = try await registry.service(.cache, as: CacheService.self)
    // `AirtableService` has taken it by itself; the fields have clients of their own.
    var sources = sources
    sources.airtable?.pace = cache.pace
    let fields = FieldCache(
        cache: cache,
        catalog: try FieldCatalog(configuration.fields.map(sources.field)),
        configuration: configuration.l1.fieldCacheConfiguration,
        backplane: store.backplane,
        logger: logger
    )
    if configuration.notifications != nil {
        try await registry.service(.notifications, as: NotificationService.self).watch(fields)
    }
    return fields
}

func makeRouter(
    fields: FieldCache,
    access: AccessPolicy,
    paths: [String: String],
    metrics: PrometheusRegistry,
    state: ServiceState
) -> Router<BasicRequestContext> {
    let fieldRoutes = FieldRoutes(cache: fields, access: access, paths: paths)
    let router = Router(context: BasicRequestContext.self)
    fieldRoutes.addNamedRoutes(to: router)
    HealthRoutes(cache: fields, state: state).addRoutes(to: router)
    MetricsRoute(registry: metrics, cache: fields, access: access).addRoutes(to: router)
    router.add(middleware: FieldPaths(fieldRoutes))
    router.add(middleware: NotFoundMiddleware(routes: router.routes))
    return router
}

extension Configuration {
    /// Further paths, by the name of their field.
    fileprivate var paths: [String: String] {
        Dictionary(fields.compactMap { field in field.route.map { (field.name, $0) } }) { first, _ in first }
    }
}

extension ServerSettings {
    fileprivate var access: AccessPolicy {
        AccessPolicy(adminToken: adminToken, readToken: readToken, listensOnLoopback: isLoopback)
    }
}

extension L1Settings {
    fileprivate var fieldCacheConfiguration: FieldCache.Configuration {
        var configuration = FieldCache.Configuration()
        configuration.l1MaxBytes = maxBytes
        configuration.l1Recheck = recheck
        configuration.nodeName = NodeName.current
        return configuration
    }
}
