import ArgumentParser
import FreshetServer
import Logging

struct Upstash: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the REST API of Upstash in front of a Redis, until told to stop."
    )

    @Option(
        help: """
            The store: \(StoreForm.list(UpstashEndpointConfiguration.storeForms)). \
            (default: $FRESHET_STORE, $REDIS_URL, else memory://)
            """
    )
    var store: String?

    @Option(help: "The token that may do everything. (default: $UPSTASH_REDIS_REST_TOKEN)")
    var token: String?

    @Option(help: "A token that may only read.")
    var readOnlyToken: String?

    @Option(help: "The address to listen on. (default: $FRESHET_HOST, else 127.0.0.1)")
    var host: String?

    @Option(help: "The port to listen on; 0 picks one. (default: $FRESHET_PORT, else 8080)")
    var port: Int?

    func validate() throws { try Port.check(port) }

    func run() async throws {
        let environment = Environment()
        let configuration = try configuration(environment)
        let host = configuration.host
        let logger = try Logs.start(environment)
        warn(of: configuration, logger)
        try await ServiceRunner.run(host: host, port: configuration.port, logger: logger) {
            try await buildUpstashEndpoint(configuration: configuration, logger: logger) { port in
                Output.announce("freshet: listening on \(ServiceRunner.url(host: host, port: port))")
            }
        }
    }

    /// - Throws: ``ConfigurationError``, which names variables, not the flags in whose place they are.
    private func configuration(_ environment: Environment) throws -> UpstashEndpointConfiguration {
        let variable = environment["UPSTASH_REDIS_REST_TOKEN"]
        do {
            return try UpstashEndpointConfiguration(
                store: locate(environment),
                token: token ?? variable,
                readOnlyToken: readOnlyToken,
                host: host ?? environment["FRESHET_HOST"] ?? "127.0.0.1",
                port: port ?? Port.of(environment) ?? 8080
            )
        } catch var error as ConfigurationError {
            for index in error.problems.indices {
                switch error.problems[index].origin {
                case "--host" where host == nil: error.problems[index].origin = "FRESHET_HOST"
                case "--token" where token == nil && variable != nil:
                    error.problems[index].origin = "UPSTASH_REDIS_REST_TOKEN"
                default: break
                }
            }
            throw error
        }
    }

    /// Not the environment's Upstash, which is what the endpoint stands in for.
    private func locate(_ environment: Environment) -> StoreLocation {
        if let store { return StoreLocation(url: store, origin: .flag) }
        for name in ["FRESHET_STORE", "REDIS_URL"] {
            if let url = environment[name] { return StoreLocation(url: url, origin: .environment(name)) }
        }
        return .memory
    }

    private func warn(of configuration: UpstashEndpointConfiguration, _ logger: Logger) {
        if configuration.store.isFallback {
            logger.warning(
                "NO STORE IS CONFIGURED: few commands work, and values are lost when the process ends. Set --store."
            )
        }
        if !configuration.isLoopback {
            logger.warning(
                "Tokens and values cross the network in plain text. Put TLS in front, or listen on 127.0.0.1.",
                metadata: ["server.host": "\(configuration.host)"]
            )
        }
    }
}
