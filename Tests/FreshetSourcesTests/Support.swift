import Freshet
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

/// An HTTP server on a free port, for as long as the closure takes. It keeps the requests it gets.
final class TestServer: Sendable {
    let port: Int
    private let received: NIOLockedValueBox<[Request]>

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { received.withLockedValue { $0 } }

    private init(port: Int, received: NIOLockedValueBox<[Request]>) {
        self.port = port
        self.received = received
    }

    static func with(
        _ answer: @escaping @Sendable (Request) async throws -> Response,
        _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let received = NIOLockedValueBox<[Request]>([])
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                received.withLockedValue { $0.append(request) }
                return try await answer(request)
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { listening.yield($0.localAddress?.port ?? 0) },
            logger: logger
        )
        try await withRunning(application) {
            let port = try #require(await ports.first { _ in true })
            try await body(TestServer(port: port, received: received))
        }
    }
}

extension Response {
    init(_ body: String, status: Int = 200, type: String? = "application/json", _ headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = type
        self.init(
            status: HTTPResponse.Status(code: status),
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: body))
        )
    }
}

/// The value that a load brings.
func value(_ result: LoadResult<JSONValue>) throws -> JSONValue {
    guard case .value(let value, _) = result else { throw CacheError(.absent, "no value but \(result)") }
    return value
}

/// The `CacheError` that an operation throws.
func cacheError(_ operation: () async throws -> some Any) async -> CacheError? {
    await #expect(throws: CacheError.self) { _ = try await operation() }
}
