import Freshet
import FreshetServer
import Logging
import NIOConcurrencyHelpers
import TestSupport
import UpstashClient

/// Our own endpoint in front of a redis-server, both for the tests of this module that keep to keys of their own.
actor Endpoint {
    static let shared = Endpoint()
    static let token = "sesame"

    private struct Running {
        let server: RedisServer
        let client: UpstashClient
    }

    private var running: Task<Running, any Error>?

    func client() async throws -> UpstashClient {
        let running = self.running ?? Task { try await Self.start() }
        self.running = running
        return try await running.value.client
    }

    private static func start() async throws -> Running {
        let server = try await RedisServer.start()
        let port = try await serve(server.url)
        return Running(server: server, client: try client(port: port))
    }

    /// Serves until the process ends, or the task that it runs in is cancelled.
    ///
    /// - Returns: the port.
    static func serve(
        _ store: String,
        limits: UpstashEndpointLimits = UpstashEndpointLimits()
    ) async throws -> Int {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let endpoint = try await buildUpstashEndpoint(
            configuration: try UpstashEndpointConfiguration(
                store: StoreLocation(url: store, origin: .flag),
                token: token,
                port: 0
            ),
            limits: limits,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onReady: { continuation.yield($0) }
        )
        Task {
            try? await endpoint.run()
            continuation.finish()
        }
        guard let port = await ports.first(where: { _ in true }) else {
            throw CacheError(.storeUnavailable, "the endpoint did not start")
        }
        return port
    }

    static func client(
        port: Int,
        _ change: (inout UpstashClient.Configuration) -> Void = { _ in }
    ) throws -> UpstashClient {
        try .patient("http://127.0.0.1:\(port)", change)
    }
}
