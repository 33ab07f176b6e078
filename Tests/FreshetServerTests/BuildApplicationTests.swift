import Freshet
import NIOHTTP1
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Putting a service together")
struct BuildApplicationTests {
    @Test("what was started is shut down, and its connections closed, where a later step fails")
    func takesBack() async throws {
        let server = try await RedisServer.start()
        var configuration = Configuration(store: StoreLocation(url: server.url, origin: .flag))
        configuration.fields = ["a", "b"].map { name in
            FieldSettings(name: name, key: "same", policy: FieldPolicy(ttl: .seconds(1)), source: .file(path: "x"))
        }
        let logs = RecordedLogs()
        let error = await #expect(throws: CacheError.self) {
            _ = try await buildApplication(configuration: configuration, logger: logs.logger)
        }
        #expect(error?.code == .configuration)
        func services(_ message: String) -> [String?] {
            logs.entries.filter { $0.message == message }.map { $0.metadata["service.key"] }
        }
        #expect(services("Service started") == ["store", "cache"])
        #expect(services("Service shut down") == ["cache", "store"])
        #expect(try server.command("INFO commandstats").contains("cmdstat_hello"))
        let isGone = try await eventually { try !server.command("CLIENT LIST").contains(" name=freshet ") }
        #expect(isGone)
    }

    @Test("connections beyond the limit wait until others have ended", arguments: [1, 100])
    func connections(limit: Int) async throws {
        var limits = ServerLimits()
        limits.maxConnections = limit
        var configuration = Configuration()
        configuration.server.port = 0
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await buildApplication(
            configuration: configuration,
            metrics: PrometheusRegistry(),
            limits: limits,
            logger: RecordedLogs().logger,
            onReady: { listening.yield($0) }
        )
        try await withRunning(service) {
            guard let port = await ports.first(where: { _ in true }) else { return }
            // Its connection stays open.
            let answer = try await HTTPAnswer(.GET, "http://127.0.0.1:\(port)/healthz")
            #expect(answer.status == 200)
            let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            if limit == 1 {
                #expect(LoopbackSocket.exchange(request, port: port).isEmpty)
            } else {
                let isTaken = await eventually {
                    LoopbackSocket.exchange(request, port: port).hasPrefix("HTTP/1.1 200")
                }
                #expect(isTaken)
            }
        }
    }
}
