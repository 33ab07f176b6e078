import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Makes the HTTP requests of an endpoint.
struct RequestFactory: Sendable {
    private let configuration: UpstashClient.Configuration
    private let headers: HTTPHeaders
    private let pipeline: HTTPClient.Request
    private let transaction: HTTPClient.Request

    init(_ configuration: UpstashClient.Configuration) throws {
        self.configuration = configuration
        var headers = HTTPHeaders()
        headers.add(name: "Authorization", value: "Bearer \(configuration.token)")
        headers.add(name: "User-Agent", value: "freshet")
        self.headers = headers
        var ofCommands = headers
        ofCommands.add(name: "Upstash-Encoding", value: "base64")
        ofCommands.add(name: "Content-Type", value: "application/json")
        let endpoint = configuration.endpoint
        do {
            pipeline = try HTTPClient.Request(url: "\(endpoint)/pipeline", method: .POST, headers: ofCommands)
            transaction = try HTTPClient.Request(url: "\(endpoint)/multi-exec", method: .POST, headers: ofCommands)
        } catch {
            throw UpstashError(.invalidConfiguration, "The REST URL cannot be used.", underlying: error)
        }
    }

    func request(for batch: [Piece], syncToken: String?) throws -> HTTPClient.Request {
        var request: HTTPClient.Request
        switch batch.first?.form {
        case .path(let target):
            request = try HTTPClient.Request(url: configuration.endpoint + target, method: .POST, headers: headers)
            request.headers.add(name: "Upstash-Encoding", value: "base64")
            request.body = .byteBuffer(batch[0].body)
        case .transaction:
            request = transaction
            request.body = .byteBuffer(Self.list(batch))
        case .list, nil:
            request = pipeline
            request.body = .byteBuffer(Self.list(batch))
        }
        if let syncToken { request.headers.add(name: "upstash-sync-token", value: syncToken) }
        return request
    }

    /// A request that is answered by a stream of events.
    func subscription(_ path: String) throws -> HTTPClient.Request {
        var request = try HTTPClient.Request(url: configuration.endpoint + path, method: .POST, headers: headers)
        request.headers.add(name: "Accept", value: "text/event-stream")
        return request
    }

    private static func list(_ batch: [Piece]) -> ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(batch.reduce(2) { $0 + $1.body.readableBytes + 1 })
        body.writeInteger(UInt8(ascii: "["))
        for (index, piece) in batch.enumerated() {
            if index > 0 { body.writeInteger(UInt8(ascii: ",")) }
            body.writeImmutableBuffer(piece.body)
        }
        body.writeInteger(UInt8(ascii: "]"))
        return body
    }
}

extension RequestFactory: CustomStringConvertible, CustomReflectable {
    /// The endpoint; never the token.
    var description: String { configuration.description }

    var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
