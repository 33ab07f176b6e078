import FreshetServer
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Runs a service in this process until it is told to stop.
enum ServiceRunner {
    static func run(
        _ configuration: Configuration,
        logger: Logger,
        onReady: @escaping @Sendable (String) async -> Void
    ) async throws {
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        let server = configuration.server
        try await run(host: server.host, port: server.port, logger: logger) {
            try await buildApplication(configuration: configuration, metrics: metrics, logger: logger) { port in
                await onReady(Self.url(host: server.host, port: port))
            }
        }
    }

    /// Runs what listens there.
    static func run(
        host: String,
        port: Int,
        logger: Logger,
        building build: @escaping @Sendable () async throws -> some Service
    ) async throws {
        OpenFiles.raiseLimit()
        try await GracefulServing.run(logger: logger, building: build) { service in
            do {
                try await service.run()
            } catch let error where isOfAddress(error) {
                throw Failure(.unavailable, "cannot listen on \(url(host: host, port: port)): \(Reason.text(error))")
            }
        }
    }

    private static func isOfAddress(_ error: any Error) -> Bool {
        error is IOError || error is NIOConnectionError || error is SocketAddressError
            || error is SocketAddressError.UnknownHost
    }

    static func url(host: String, port: Int) -> String {
        "http://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host):\(port)"
    }

    /// Says what is allowed but probably not meant.
    static func warn(of configuration: Configuration, _ logger: Logger) {
        for warning in configuration.warnings {
            logger.warning("doubtful configuration", metadata: ["configuration.problem": "\(warning)"])
        }
        if configuration.store.isFallback {
            logger.warning(
                "NO STORE IS CONFIGURED: values are kept in this process only and are lost when it ends. Set FRESHET_STORE or store:."
            )
        }
        if !configuration.server.isLoopback, configuration.server.readToken == nil {
            logger.warning(
                "Everybody who can reach this listener can read every field. Set server.readToken, or listen on 127.0.0.1.",
                metadata: ["server.host": "\(configuration.server.host)"]
            )
        }
    }
}
