package import AsyncHTTPClient
package import NIOCore

extension HTTPAsking {
    /// Of clients that leave redirects and retries to those who use them.
    package static func configuration(connectTimeout: TimeAmount) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = connectTimeout
        // A deadline ends only a stream of HTTP/2; its connection, though dead, would be used on and on.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // Before the other side does, often after 30 seconds: a request that crosses that end is lost, and nobody knows
        // whether what it asked for was done.
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.http1_1ConnectionDebugInitializer = StatusGuard.add
        return configuration
    }
}
