package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// What all that ask over HTTP share.
package enum HTTPAsking {
    /// That of sources. Never shut down, as `HTTPClient.shared`, which follows redirects with all headers.
    package static let client = HTTPClient(
        eventLoopGroupProvider: .shared(HTTPClient.defaultEventLoopGroup),
        configuration: {
            // Others wait for a connection that hangs while it is made.
            var configuration = HTTPAsking.configuration(connectTimeout: .seconds(5), unpacks: true)
            // Loads are limited elsewhere. What waits for a connection would take the time it has to be made in.
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
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

    /// Whether a connection, once made, ended before the answer began.
    package static func isConnectionLost(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as IOError: [ECONNRESET, EPIPE].contains(error.errnoCode)
        case let error as NIOSSLError: error == .uncleanShutdown
        case ChannelError.ioOnClosedChannel: true
        default: false
        }
    }

    /// Whether the answer is no HTTP, rather than cut off.
    package static func isNoHTTP(_ error: any Error) -> Bool {
        // What the parser makes of a connection that ends before the answer does.
        let cutOff: [HTTPParserError] = [.invalidEOFState, .closedConnection]
        return (error as? HTTPParserError).map { !cutOff.contains($0) } ?? false
    }
}
