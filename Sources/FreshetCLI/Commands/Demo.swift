import ArgumentParser
import FreshetServer
import FreshetTesting
import Logging

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve 400 people of a pretended Airtable from memory, and say what to try."
    )

    /// What a user would write for a real base.
    private static let yaml = """
        store: memory://
        fields:
          agents:
            key: agents_list
            ttl: 1m
            staleWhileRevalidate: 5m
            staleIfError: 1h
            route: /api/airtable/agents
            source:
              airtable: { base: ${AIRTABLE_BASE_ID}, table: Personas, view: Agentes de venta }
            where: { Nombre: { notIn: ["", "N/A"], trim: true } }
            select: { id: id, name: { from: Nombre, default: Unnamed Agent } }
            sort: [name]
            locale: es
          people:
            key: people
            ttl: 10m
            source:
              airtable: { base: ${AIRTABLE_BASE_ID}, table: Personas }
        """

    @Option(
        help: "The port to listen on; 0 picks one. (default: $FRESHET_PORT, else 8080, or a free one if that is taken)"
    )
    var port: Int?

    func validate() throws { try Port.check(port) }

    func run() async throws {
        let logger = try Logs.start(quiet: true)
        let standIn = AirtableStandIn(logger: logger)
        try await standIn.start()
        do {
            try await serve(standIn, logger)
        } catch {
            await standIn.stop()
            throw error
        }
        await standIn.stop()
    }

    private func serve(_ standIn: AirtableStandIn, _ logger: Logger) async throws {
        let environment = Environment()
        var variables = [
            "AIRTABLE_TOKEN": standIn.token,
            "AIRTABLE_ENDPOINT": standIn.url,
            "AIRTABLE_BASE_ID": AirtableStandIn.Base.people.id,
        ]
        for name in ["FRESHET_HOST", "FRESHET_PORT", "FRESHET_ADMIN_TOKEN"] { variables[name] = environment[name] }
        var configuration = try Configuration.parse(
            Self.yaml,
            file: "the demo's configuration",
            environment: Environment(variables),
            overrides: Configuration.Overrides(port: port)
        )
        let server = configuration.server
        if port == nil, environment["FRESHET_PORT"] == nil {
            configuration.server.port = await FreePort.preferred(server.port, host: server.host)
        }
        // The variable, and not the token, which is in no output.
        let authorization = server.adminToken == nil ? "" : #" -H "Authorization: Bearer $FRESHET_ADMIN_TOKEN""#
        try await ServiceRunner.run(configuration, logger: logger) { url in
            Output.announce("freshet: listening on \(url)")
            Output.announce(Self.introduction(url, standIn.url, authorization))
        }
    }

    private static func introduction(_ url: String, _ airtable: String, _ authorization: String) -> String {
        """

        A pretended Airtable with 400 people answers at \(airtable), five requests a second as the real one.
        This is its configuration:

        \(yaml.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))

        Try:
            curl -i \(url)/api/fields/agents                       # loaded: Cache-Status: freshet; fwd=miss; stored
            curl -i \(url)/api/fields/agents                       # from memory: Cache-Status: freshet; hit; ttl=…
            curl -i \(url)/api/airtable/agents                     # the same, under a path of its own
            curl -i -X POST\(authorization) \(url)/api/fields/agents/refresh       # loaded anew
            curl -i -X DELETE\(authorization) '\(url)/api/fields/agents?soft=true' # stale: served while it is loaded again
            curl \(url)/api/fields                                 # every field and its state
            curl \(url)/metrics                                    # figures for Prometheus
            swift run freshet fields --url \(url)

        Stop with Ctrl-C.
        """
    }
}
