import Hummingbird
import NIOCore
import TestSupport
import Testing

@Suite("A service that runs while a test does")
struct RunningServiceTests {
    @Test("one that fails before it listens ends the test with its error", .timeLimit(.minutes(1)))
    func fails() async throws {
        try await TestServer.with({ _ in Response("1") }) { server in
            let (ports, _) = AsyncStream.makeStream(of: Int.self)
            let application = Application(
                router: Router(),
                configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: server.port))
            )
            await #expect(throws: IOError.self) {
                try await withRunning(application) { for await _ in ports { return } }
            }
        }
    }
}
