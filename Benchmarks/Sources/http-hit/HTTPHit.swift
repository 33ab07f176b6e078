import Dispatch
import Foundation
import FreshetServer
import Hummingbird
import Logging
import NIOCore

/// Serves one body of 6 KB, either as a field or from a bare Hummingbird route, for `Benchmarks/http-hit/compare.py` to
/// measure from outside.
///
///     http-hit field|bare PORT BODY.json
@main
enum HTTPHit {
    struct Usage: Error {}

    /// Not `async`, whose runtime lets the main thread end: valgrind 3.19 does not survive that.
    static func main() {
        let isOver = DispatchSemaphore(value: 0)
        Task.detached {
            do { try await run() } catch { print("http-hit: \(error)") }
            isOver.signal()
        }
        isOver.wait()
    }

    private static func run() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 3, let kind = arguments.first, let port = Int(arguments[2]) else { throw Usage() }
        var logger = Logger(label: "http-hit")
        logger.logLevel = .error
        switch kind {
        case "field": try await field(port, arguments[3], logger)
        case "bare": try await bare(port, arguments[3], logger)
        default: throw Usage()
        }
    }

    private static func field(_ port: Int, _ file: String, _ logger: Logger) async throws {
        let configuration = try Configuration.parse(
            "fields: { agents: { ttl: 1h, source: { file: { path: \(file) } } } }",
            file: "benchmark",
            environment: Environment([:]),
            overrides: Configuration.Overrides(port: port)
        )
        let service = try await buildApplication(configuration: configuration, logger: logger) { _ in print("ready") }
        try await service.run()
    }

    private static func bare(_ port: Int, _ file: String, _ logger: Logger) async throws {
        let body = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: file)))
        let router = Router()
        router.get("/api/fields/agents") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json; charset=utf-8"],
                body: ResponseBody(byteBuffer: body)
            )
        }
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { _ in print("ready") },
            logger: logger
        )
        try await application.runService()
    }
}
