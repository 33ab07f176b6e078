import Freshet
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Draining")
struct DrainTests {
    @Test("a load that is not over when the time to drain is gets 503, which pages may read, and that is logged")
    func cutOff() async throws {
        // Its body never comes.
        let source = try await RawServer.start { _ in .init("200 OK", "Content-Length: 6") }
        var configuration = Configuration()
        configuration.server.port = 0
        configuration.server.cors = ["*"]
        configuration.fields = [
            FieldSettings(
                name: "slow",
                key: "slow",
                policy: FieldPolicy(ttl: .seconds(60)),
                source: .http(url: source.url, headers: [:])
            )
        ]
        var limits = ServerLimits()
        limits.drainTime = .milliseconds(300)
        let logs = RecordedLogs()
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await buildApplication(
            configuration: configuration,
            metrics: PrometheusRegistry(),
            limits: limits,
            logger: logs.logger,
            onReady: { listening.yield($0) }
        )
        let group = ServiceGroup(services: [service], logger: logs.logger)
        async let running: Void = group.run()
        let port = try #require(await ports.first { _ in true })
        async let answer = HTTPAnswer(
            .GET,
            "http://127.0.0.1:\(port)/api/fields/slow",
            headers: ["Origin": "https://app.example"]
        )
        #expect(await eventually { !source.requests.isEmpty })
        await group.triggerGracefulShutdown()
        let refusal = try await answer
        #expect(refusal.status == 503)
        #expect(refusal["Retry-After"] == "1")
        #expect(refusal["Access-Control-Allow-Origin"] == "*")
        #expect(refusal.body.contains("\"error\":\"Shutting down\""))
        try await running
        #expect(logs.entries.contains { $0.level == .warning && $0.message.hasPrefix("The time to drain was over") })
    }
}
