import Freshet
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
}
