import ArgumentParser
import Foundation
import Freshet
import FreshetServer
import Logging

/// Which store to talk to.
struct StoreOptions: ParsableArguments {
    /// Those that are in no other process.
    private static let forms = StoreForm.allCases.filter { $0 != .memory }

    @Option(
        help: """
            The store: \(StoreForm.list(forms)). (default: $FRESHET_STORE, \
            store: of $FRESHET_CONFIG or freshet.yaml, $UPSTASH_REDIS_REST_URL, $KV_REST_API_URL, $REDIS_URL)
            """
    )
    var store: String?

    /// Opens the store, hands it over, and closes it if nothing has failed.
    ///
    /// - Throws: ``ConfigurationError`` where no store is named, or one that lives in another process.
    func withStore(_ body: (any CacheStore) async throws -> Void) async throws {
        let environment = Environment()
        let logger = try Logs.start(environment, quiet: true)
        let location = try locate(environment)
        // Shorter than the cache's, so that the driver says why there is no answer.
        let open = try OpenStore(location, among: Self.forms, timeout: .seconds(4), logger: logger)
        let cache = CacheService(store: open.store, timeout: .seconds(5), logger: logger)
        // What fails ends the process: nothing waits for what has no answer yet.
        try await cache.initialize()
        try await body(open.store)
        try await open.shutdown()
    }

    private func locate(_ environment: Environment) throws -> StoreLocation {
        var location = StoreLocation.resolve(flag: store, file: nil, environment: environment)
        if store == nil, environment["FRESHET_STORE"] == nil {
            let file = environment["FRESHET_CONFIG"] ?? "freshet.yaml"
            if environment["FRESHET_CONFIG"] != nil || FileManager.default.fileExists(atPath: file) {
                location = try StoreLocation.load(file: file, environment: environment)
            }
        }
        guard !location.isMemory else {
            throw ConfigurationError([
                ConfigurationProblem(
                    origin: location.origin.description,
                    message: "memory:// is inside the service, and cannot be reached from here",
                    advice: "name a store with --store or FRESHET_STORE"
                )
            ])
        }
        return location
    }
}
