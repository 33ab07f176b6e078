import AsyncHTTPClient
import NIOCore

/// The HTTP clients of this process for those who bring none; never shut down.
enum SharedHTTPClients {
    static let ofCommands = HTTPClient(
        eventLoopGroupProvider: .shared(HTTPClient.defaultEventLoopGroup),
        configuration: configuration(connections: 8)
    )

    /// Their own, since each subscription keeps a connection to itself.
    static let ofSubscriptions = HTTPClient(
        eventLoopGroupProvider: .shared(HTTPClient.defaultEventLoopGroup),
        configuration: configuration(connections: 1024)
    )

    static func configuration(connections: Int) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        // A deadline ends only a stream of HTTP/2; its connection, though dead, would be used on and on.
        configuration.httpVersion = .http1Only
        // Retries are the business of those who know their deadline.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Before the other side does, often after 30 seconds: a request that crosses that end is lost, and if it is a write,
        // nobody knows whether it was run.
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        return configuration
    }
}
