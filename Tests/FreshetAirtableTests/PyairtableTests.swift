import FreshetTesting
import TestSupport
import Testing

@Suite("Airtable stand-in: pyairtable, a client by other people")
struct PyairtableTests {
    @Test("pyairtable lists, filters, sorts, posts and understands the errors")
    func reading() async throws {
        let statistics = try await check("reading", AirtableStandIn.Configuration())
        #expect(statistics.posts == 4)
    }

    @Test("pyairtable waits until a base takes requests again")
    func rateLimit() async throws {
        var configuration = AirtableStandIn.Configuration()
        configuration.lockout = .milliseconds(100)
        let statistics = try await check("rate-limit", configuration, fault: .rateLimit)
        #expect(statistics.statuses[200] == 4)
        #expect(statistics.statuses[429, default: 0] >= 1)
    }

    @Test("pyairtable is told that the month's calls are spent, however often it tries")
    func quota() async throws {
        var configuration = AirtableStandIn.Configuration()
        configuration.monthlyCalls = 1
        let statistics = try await check("quota", configuration)
        #expect(statistics.statuses == [200: 1, 429: 4])
    }

    private func check(
        _ what: String,
        _ configuration: AirtableStandIn.Configuration,
        fault: AirtableStandIn.Fault? = nil
    ) async throws -> AirtableStandIn.Statistics {
        var configuration = configuration
        configuration.requestsPerSecond = 1000
        configuration.requestsPerSecondOfUser = 1000
        let standIn = AirtableStandIn(configuration: configuration)
        if let fault { standIn.inject(fault, skipping: 1) }
        try await AirtableStandIn.withStandIn(standIn) { standIn in
            let (status, output) = try await PythonScript("pyairtable_check.py").run([what, standIn.url, standIn.token])
            #expect(status == 0, "\(output)\nIf pyairtable is missing, run scripts/install-test-tools")
            #expect(output.contains("pyairtable agrees"))
        }
        return standIn.statistics
    }
}
