package import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix
import NIOSSL

extension HTTPAsking {
    /// Of clients that leave redirects and retries to those who use them.
    ///
    /// - Parameter unpacks: whether answers may be compressed.
    package static func configuration(connectTimeout: TimeAmount, unpacks: Bool = false) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        configuration.tlsConfiguration = tls
        configuration.timeout.connect = connectTimeout
        // A deadline ends only a stream of HTTP/2; its connection, though dead, would be used on and on.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // Before the other side does, often after 30 seconds: a request that crosses that end is lost, and nobody knows
        // whether what it asked for was done.
        configuration.connectionPool.idleTimeout = .seconds(20)
        // Whoever reads an answer bounds what comes out.
        if unpacks { configuration.decompression = .enabled(limit: .none) }
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.eventLoop.makeCompletedFuture {
                try addGuards(to: channel)
                if unpacks { try readLittle(from: channel) }
            }
        }
        return configuration
    }

    /// Behind the parser of a connection that is made.
    private static func addGuards(to channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let parser = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
        try pipeline.addHandler(StatusGuard(), position: .after(parser))
        if let certificate = try? pipeline.nioSSL_peerCertificate() {
            try pipeline.addHandler(HostGuard(certificate), position: .after(parser))
        }
    }

    /// What is read at once is unpacked at once, on the event loop, and may become a thousand times as large.
    private static func readLittle(from channel: any Channel) throws {
        // Network.framework's channels read less as it is, and end the process at options that are not theirs.
        guard ClientBootstrap(validatingGroup: channel.eventLoop) != nil else { return }
        let options = channel.syncOptions
        try options?.setOption(.maxMessagesPerRead, value: 1)
        let buffers = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 2 << 10, maximum: 32 << 10)
        try options?.setOption(.recvAllocator, value: buffers)
    }
}
