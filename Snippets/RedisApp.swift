// A whole application over Redis: what is needed is started in order, kept fresh, and stopped in reverse.

import Freshet
import FreshetRedis
import Logging
import RedisClient
import ServiceLifecycle

struct Agent: Codable, Sendable {
    var id: Int
    var name: String
}

func fetchAgents() async throws -> [Agent] { [Agent(id: 1, name: "Ada")] }  // asks a slow source

/// Something of the application's that needs the cache.
final class Mailer: CoreService {
    let cache: CacheService

    init(cache: CacheService) { self.cache = cache }

    func initialize() async throws {}
}

let logger = Logger(label: "app")
let client = RedisClient(try RedisClient.Configuration(url: "redis://127.0.0.1:6379"), logger: logger)

let registry = ServiceRegistry(logger: logger)
try registry.register(.cache) { _ in CacheService(store: RedisStore(client), logger: logger) }
try registry.register("mailer", dependsOn: [.cache]) { registry in
    Mailer(cache: try await registry.service(.cache))
}
try await registry.initializeCoreServices([.cache, "mailer"])  // throws if Redis does not answer

let agents = Field("agents", ttl: .seconds(600)) { try await fetchAgents() }
// The type is named where a fetcher may answer that there is nothing.
let first = Field<Agent>("first_agent", policy: FieldPolicy(ttl: .seconds(60))) { _ in
    guard let agent = try await fetchAgents().first else { return .absent }
    return .value(agent)
}
let fields = FieldCache(
    cache: try await registry.service(.cache),
    catalog: try FieldCatalog([agents, first]),
    backplane: RedisBackplane(client: client, logger: logger) { client.connectionEvents },
    logger: logger
)
print(try await fields.value(of: agents), try await fields.value(of: first))

// A server of yours comes last here, and so stops first.
let group = ServiceGroup(services: [registry, fields], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
await client.close()
