import FreshetTesting
import Logging
import Testing

@testable import FreshetServer

@Suite("Looking at Airtable tables")
struct AirtableInspectionTests {
    @Test("two views of a table are asked for their records, and the table once for its columns")
    func views() async throws {
        try await AirtableStandIn.withStandIn { standIn in
            let configuration = try Configuration.parse(
                """
                fields:
                  people: { ttl: 3h, source: { airtable: { base: appPeople00000001, table: Personas } } }
                  agents: { ttl: 3h, source: { airtable: { base: appPeople00000001, table: Personas, view: Activos } } }
                """,
                file: "f.yaml",
                environment: Environment(["AIRTABLE_TOKEN": standIn.token, "AIRTABLE_ENDPOINT": standIn.url])
            )
            let findings = await configuration.inspectTables(
                origin: "f.yaml",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            #expect(standIn.statistics.requests == 3)
            #expect(findings.problems.isEmpty)
            #expect(
                findings.warnings.map { $0.description.prefix { $0 != "(" } } == [
                    "f.yaml:2:22: field 'people' serves attachment links ",
                    "f.yaml:3:22: field 'agents' serves attachment links ",
                ]
            )
        }
    }
}
