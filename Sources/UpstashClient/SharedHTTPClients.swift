import AsyncHTTPClient
import HTTPAsking
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
        var configuration = HTTPAsking.configuration(connectTimeout: .seconds(5))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        return configuration
    }
}
