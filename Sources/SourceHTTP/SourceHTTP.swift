package import AsyncHTTPClient
import NIOCore
import NIOHTTPCompression

/// What sources that are asked over HTTP share.
package enum SourceHTTP {
    /// Never shut down, as `HTTPClient.shared`, which follows redirects with all headers.
    package static let client = HTTPClient(
        eventLoopGroupProvider: .shared(HTTPClient.defaultEventLoopGroup),
        configuration: {
            var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
            configuration.timeout.connect = .seconds(10)
            configuration.connectionPool.retryConnectionEstablishment = false
            // Loads are limited elsewhere. What waits for a connection would take the time it has to be made in.
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
            // Whoever reads an answer bounds what comes out; one read from a connection is a thousand times that at most.
            configuration.decompression = .enabled(limit: .none)
            return configuration
        }()
    )

    /// What to send as `Accept-Encoding`; nil for another client, which sends it by itself if it decompresses.
    package static func acceptEncoding(for client: HTTPClient) -> String? { client === Self.client ? "gzip" : nil }

    /// Whether there was no place for the request beside others to the same host: the other side was not asked.
    package static func isPoolFull(_ error: any Error) -> Bool {
        error as? HTTPClientError == .getConnectionFromPoolTimeout
    }

    /// Whether the other side took too long, rather than that the connection broke.
    package static func isTimeout(_ error: any Error) -> Bool {
        let timeouts: [HTTPClientError] = [.deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout]
        return (error as? HTTPClientError).map(timeouts.contains) ?? false
    }
}
