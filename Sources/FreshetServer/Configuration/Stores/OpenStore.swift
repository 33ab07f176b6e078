package import Freshet
import FreshetRedis
package import Logging
import RedisClient
import UpstashClient

/// A store with the connection it owns.
package final class OpenStore: CoreService {
    package let store: any CacheStore
    /// nil where no other process can change the store.
    let backplane: (any Backplane)?
    private let close: @Sendable () async -> Void

    /// - Parameter forms: what to advise.
    /// - Throws: ``ConfigurationError`` for a URL that no store is at.
    package init(
        _ location: StoreLocation,
        among forms: [StoreForm] = StoreForm.allCases,
        timeout: Duration,
        logger: Logger
    ) throws {
        if let problem = location.problem(among: forms) {
            throw ConfigurationError([
                ConfigurationProblem(
                    origin: location.origin.description,
                    message: problem.message,
                    advice: problem.advice
                )
            ])
        }
        if location.isMemory {
            store = MemoryStore()
            backplane = nil
            close = {}
        } else if var configuration = try location.upstash {
            configuration.commandTimeout = timeout
            let client = try UpstashClient(configuration, logger: logger)
            store = RedisStore(client, dialect: .upstash)
            backplane = RedisBackplane(client: client, logger: logger)
            close = { await client.close() }
        } else {
            var configuration = try RedisClient.Configuration(url: location.url)
            configuration.clientName = "freshet"
            // Shorter than what waits for a first connection, so that its error says why there is none.
            configuration.connectTimeout = .seconds(3)
            configuration.commandTimeout = timeout
            // Upstash counts what it takes.
            configuration.clientSideCaching = !configuration.isUpstash
            configuration.requiresClientSideCaching = false
            let client = RedisClient(configuration, logger: logger)
            if configuration.clientSideCaching {
                store = RedisStore(client, tracked: client.tracked)
            } else {
                store = RedisStore(client, dialect: .upstash)
            }
            backplane = RedisBackplane(client: client, logger: logger) {
                client.connectionEvents
            } invalidations: {
                client.invalidations
            }
            close = { await client.close() }
        }
    }

    package func initialize() async throws {}

    /// - Throws: `CacheError` where other processes may not be told of what changes.
    func checkChannel() async throws { try await (store as? RedisStore)?.checkChannel() }

    package func shutdown() async throws {
        await close()
    }
}

extension RedisClient.Configuration {
    /// Whether the server is Upstash's, reached over TCP.
    var isUpstash: Bool {
        guard case .hostname(let host, _) = address else { return false }
        let name = host.lowercased()
        return name.hasSuffix(".upstash.io") || name.hasSuffix(".upstash.io.")
    }
}
