import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import FreshetServer

/// Never reuses a connection that the endpoint closed.
private let client = HTTPClient(eventLoopGroupProvider: .singleton)

/// A running endpoint and what is needed to ask it.
struct Endpoint: Sendable {
    static let token = "full-token"
    static let readOnlyToken = "read-token"

    let url: String
    let port: Int

    /// Serves while the body runs.
    static func serving(
        _ store: String,
        limits: UpstashEndpointLimits = UpstashEndpointLimits(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: @Sendable (Endpoint) async throws -> Void
    ) async throws {
        let configuration = try UpstashEndpointConfiguration(
            store: StoreLocation(url: store, origin: .flag),
            token: token,
            readOnlyToken: readOnlyToken,
            port: 0
        )
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let endpoint = try await buildUpstashEndpoint(
            configuration: configuration,
            limits: limits,
            logger: logger,
            onReady: { continuation.yield($0) }
        )
        try await withRunning(endpoint) {
            let port = try #require(await ports.first { _ in true })
            try await body(Endpoint(url: "http://127.0.0.1:\(port)", port: port))
        }
    }

    /// Serves a Redis of its own while the body runs.
    static func overRedis(
        limits: UpstashEndpointLimits = UpstashEndpointLimits(),
        _ body: @Sendable (Endpoint, RedisServer) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start()
        try await serving(server.url, limits: limits) { try await body($0, server) }
    }

    /// Asks with the full token unless the headers or the path have one.
    func ask(
        _ method: HTTPMethod = .POST,
        _ path: String = "/",
        _ body: String = "",
        headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        try await ask(method, path, ByteBuffer(string: body), headers: headers)
    }

    func ask(
        _ method: HTTPMethod,
        _ path: String,
        _ body: ByteBuffer,
        headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        let response = try await open(method, path, body, headers: headers)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            bytes: try await response.body.collect(upTo: 64 << 20)
        )
    }

    func open(
        _ method: HTTPMethod,
        _ path: String,
        _ body: ByteBuffer = ByteBuffer(),
        headers: HTTPHeaders = [:]
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        request.headers = headers
        if !headers.contains(name: "Authorization"), !path.contains("_token=") {
            request.headers.add(name: "Authorization", value: "Bearer \(Self.token)")
        }
        if body.readableBytes > 0 { request.body = .bytes(body) }
        return try await client.execute(request, timeout: .seconds(30))
    }
}

struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let bytes: ByteBuffer

    var body: String { String(buffer: bytes) }

    /// Of `{"error":"…"}`.
    var error: String? {
        (try? JSONDecoder().decode([String: String].self, from: Data(bytes.readableBytesView)))?["error"]
    }

    subscript(name: String) -> String? { headers.first(name: name) }
}

let base64: HTTPHeaders = ["Upstash-Encoding": "base64"]
let resp2: HTTPHeaders = ["Upstash-Response-Format": "resp2"]
let readOnly: HTTPHeaders = ["Authorization": "Bearer \(Endpoint.readOnlyToken)"]
