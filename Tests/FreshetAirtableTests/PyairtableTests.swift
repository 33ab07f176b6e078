import FreshetTesting
import TestSupport
import Testing

@Suite("Airtable stand-in: pyairtable, a client by other people")
struct PyairtableTests {
    @Test("pyairtable lists, filters, sorts, posts and understands the errors")
    func pyairtable() async throws {
        let script = PythonScript("pyairtable_check.py")
        var configuration = AirtableStandIn.Configuration()
        configuration.requestsPerSecond = 1000
        let standIn = AirtableStandIn(configuration: configuration)
        try await AirtableStandIn.withStandIn(standIn) { standIn in
            let (status, output) = try await script.run([standIn.url, standIn.token])
            #expect(status == 0, "\(output)\nIf pyairtable is missing, run scripts/install-test-tools")
            #expect(output.contains("pyairtable agrees"))
            #expect(standIn.statistics.posts == 4)
        }
    }
}
