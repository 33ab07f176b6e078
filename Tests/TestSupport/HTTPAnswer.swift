import AsyncHTTPClient
public import NIOCore
public import NIOHTTP1

/// Fails at once where nobody listens.
private let client: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
}()

/// One answer of a running service.
public struct HTTPAnswer: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    public let body: String

    public init(
        _ method: HTTPMethod = .GET,
        _ url: String,
        headers: HTTPHeaders = [:],
        timeout: TimeAmount = .seconds(20)
    ) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers = headers
        let response = try await client.execute(request, timeout: timeout)
        status = Int(response.status.code)
        self.headers = response.headers
        body = String(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    public subscript(name: String) -> String? { headers.first(name: name) }
}
