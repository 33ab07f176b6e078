import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// Serves the REST API of Upstash in front of any Redis, for development and tests without an account.
///
/// ```swift
/// let store = StoreLocation(url: "redis://127.0.0.1:6379", origin: .flag)
/// let endpoint = try await buildUpstashEndpoint(configuration: .init(store: store, token: "secret"), logger: logger)
/// try await endpoint.run()
/// ```
public struct UpstashEndpoint: Service {
    let application: Application<UpstashResponder>
    let backend: any UpstashBackend
    let state: ServiceState
    let drainTime: TimeAmount

    /// Serves until SIGTERM, SIGINT or SIGHUP, or the graceful shutdown of a group it is part of: then it refuses new
    /// connections, answers the requests it has, ends streams of messages, and returns. A SIGHUP that the process
    /// ignores stays ignored.
    public func run() async throws {
        do {
            try await GracefulServing.run(application, state: state, drainTime: drainTime, logger: application.logger)
        } catch {
            await backend.close()
            throw error
        }
        await backend.close()
    }
}

/// Puts an endpoint together. The store must answer; the endpoint is ready to run.
///
/// - Parameter onReady: called once the listener accepts connections, with its port.
/// - Throws: ``ConfigurationError``; `CacheError` if the store does not answer within seconds.
public func buildUpstashEndpoint(
    configuration: UpstashEndpointConfiguration,
    logger: Logger,
    onReady: @escaping @Sendable (Int) async -> Void = { _ in }
) async throws -> UpstashEndpoint {
    try await buildUpstashEndpoint(
        configuration: configuration,
        limits: UpstashEndpointLimits(),
        logger: logger,
        onReady: onReady
    )
}

package func buildUpstashEndpoint(
    configuration: UpstashEndpointConfiguration,
    limits: UpstashEndpointLimits,
    logger: Logger,
    onReady: @escaping @Sendable (Int) async -> Void
) async throws -> UpstashEndpoint {
    let backend: any UpstashBackend =
        if configuration.store.isMemory {
            UpstashMemoryBackend(maxBytes: limits.maxStoredBytes)
        } else {
            try UpstashRedisBackend(url: configuration.store.url, limits: limits, logger: logger)
        }
    do {
        try await backend.connect()
    } catch {
        await backend.close()
        throw error
    }
    let state = ServiceState()
    let tokens = UpstashTokens(token: configuration.token, readOnlyToken: configuration.readOnlyToken)
    let serverLimits = limits.server
    let application = Application(
        responder: UpstashResponder(backend: backend, tokens: tokens, limits: limits),
        server: HTTPServerBuilder { responder in
            EventLoopConnections(
                HTTP1Channel(responder: responder, configuration: serverLimits.channelConfiguration)
            )
        },
        configuration: ApplicationConfiguration(
            address: .hostname(ServerSettings.bare(configuration.host), port: configuration.port),
            backlog: 1024,
            availableConnectionsDelegate: .maximum(limits.maxConnections, logger: logger)
        ),
        onServerRunning: { channel in
            state.move(to: .running)
            await onReady(channel.localAddress?.port ?? configuration.port)
        },
        logger: logger
    )
    return UpstashEndpoint(
        application: application,
        backend: backend,
        state: state,
        drainTime: serverLimits.drainTime
    )
}
