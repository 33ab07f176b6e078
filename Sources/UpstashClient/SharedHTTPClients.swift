import AsyncHTTPClient
import HTTPAsking
import NIOConcurrencyHelpers
import NIOCore

/// The HTTP clients of an event loop, for those who bring none; never shut down.
///
/// A request never goes over a connection of another event loop: where a connection closes while the word that it is
/// free goes from one to the other, the client ends the process.
struct SharedHTTPClients {
    let ofCommands: HTTPClient
    /// Their own, since each subscription keeps a connection to itself.
    let ofSubscriptions: HTTPClient

    private static let clients = NIOLockedValueBox<[ObjectIdentifier: SharedHTTPClients]>([:])

    static func on(_ eventLoop: any EventLoop) -> SharedHTTPClients {
        clients.withLockedValue { clients in
            if let made = clients[ObjectIdentifier(eventLoop)] { return made }
            let made = SharedHTTPClients(eventLoop)
            clients[ObjectIdentifier(eventLoop)] = made
            return made
        }
    }

    private init(_ eventLoop: any EventLoop) {
        ofCommands = Self.client(eventLoop, connections: 8)
        ofSubscriptions = Self.client(eventLoop, connections: 1024)
    }

    private static func client(_ eventLoop: any EventLoop, connections: Int) -> HTTPClient {
        HTTPClient(eventLoopGroupProvider: .shared(eventLoop), configuration: configuration(connections: connections))
    }

    static func configuration(connections: Int) -> HTTPClient.Configuration {
        var configuration = HTTPAsking.configuration(connectTimeout: .seconds(5))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        return configuration
    }
}
