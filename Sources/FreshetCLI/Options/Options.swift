import ArgumentParser
import FreshetServer

/// Where the service's configuration is, and what the command line puts in its place.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: "The configuration file. (default: $FRESHET_CONFIG, else freshet.yaml)")
    var config: String?

    @Option(
        help: """
            The store: \(StoreForm.list(StoreForm.allCases)). (default: $FRESHET_STORE, the file's store:, \
            $UPSTASH_REDIS_REST_URL, $KV_REST_API_URL, $REDIS_URL, else memory://)
            """
    )
    var store: String?

    @Option(help: "The address to listen on. (default: $FRESHET_HOST, the file's server.host, else 127.0.0.1)")
    var host: String?

    @Option(help: "The port to listen on; 0 picks one. (default: $FRESHET_PORT, the file's server.port, else 8080)")
    var port: Int?

    func validate() throws { try Port.check(port) }

    func file(_ environment: Environment) -> String {
        config ?? environment["FRESHET_CONFIG"] ?? "freshet.yaml"
    }

    func load(_ environment: Environment = Environment()) throws -> Configuration {
        try Configuration.load(
            file: file(environment),
            environment: environment,
            overrides: Configuration.Overrides(store: store, host: host, port: port)
        )
    }
}

/// Which running service to talk to.
struct ServiceOptions: ParsableArguments {
    @Option(help: "Where the service listens.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "Its admin or read token. (default: $FRESHET_ADMIN_TOKEN)")
    var token: String?

    var client: ServiceClient {
        get throws { try ServiceClient(url: url, token: token ?? Environment()["FRESHET_ADMIN_TOKEN"]) }
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false
}
