import NIOCore
import NIOSSL

/// Makes the TLS side of connections.
struct TLSFactory: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?

    /// - Returns: `nil` if plain text is spoken.
    init?(_ configuration: RedisClient.Configuration) throws(RedisClientError) {
        guard let tls = configuration.tls else { return nil }
        context = try configuration.tlsContexts.context(for: tls)
        serverName = tls.serverName ?? Self.name(of: configuration.address)
    }

    func makeHandler() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: serverName)
    }

    /// The name to announce. Addresses are no names: certificates are then checked against the address itself.
    private static func name(of address: RedisClient.Configuration.Address) -> String? {
        guard case .hostname(let host, _) = address else { return nil }
        return (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
