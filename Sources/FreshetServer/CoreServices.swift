import Freshet
import FreshetAirtable
import Logging

/// Registers the store, and the services on it, in the order in which they need each other.
enum CoreServices {
    static let store: ServiceKey = "store"

    static func register(
        _ configuration: Configuration,
        sources: SourceFactory,
        logger: Logger
    ) throws -> ServiceRegistry {
        let registry = ServiceRegistry(running: needed(by: configuration), logger: logger)
        try registry.register(store) { _ in
            try OpenStore(configuration.store, timeout: configuration.storeTimeout, logger: logger)
        }
        try registry.register(.cache, dependsOn: [store]) { registry in
            let open = try await registry.service(store, as: OpenStore.self)
            return CacheService(store: open.store, timeout: configuration.storeTimeout, logger: logger)
        }
        if let airtable = sources.airtable { try registry.registerAirtable(airtable) }
        if let settings = configuration.notifications {
            try registry.registerNotifications(settings, logger: logger)
        }
        return registry
    }

    static func needed(by configuration: Configuration) -> [ServiceKey] {
        [.cache] + (configuration.airtable.token == nil ? [] : [.airtable])
            + (configuration.notifications == nil ? [] : [.notifications])
    }
}
