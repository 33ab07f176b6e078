import CertificateChecks
import NIOCore
import NIOSSL

/// Makes the TLS side of connections.
struct TLSFactory: Sendable {
    private let context: NIOSSLContext
    /// The name to announce and to check; `nil` where certificates are checked against the address itself.
    let serverName: String?
    private let checksName: Bool

    /// - Returns: `nil` if plain text is spoken.
    init?(_ configuration: RedisClient.Configuration) throws(RedisClientError) {
        guard let tls = configuration.tls else { return nil }
        context = try configuration.tlsContexts.context(for: tls)
        serverName = tls.serverName.map(Self.announced) ?? Self.name(of: configuration.address)
        checksName = tls.verification == .full
    }

    func makeHandler() throws -> NIOSSLClientHandler {
        guard checksName, let serverName else {
            return try NIOSSLClientHandler(context: context, serverHostname: serverName)
        }
        return try ._makeSSLClientHandler(context: context, serverHostname: serverName) { certificate, channel in
            certificate.isMade(forHost: serverName)
                ? channel.eventLoop.makeSucceededVoidFuture()
                : channel.eventLoop.makeFailedFuture(NIOSSLExtraError.failedToValidateHostname)
        }
    }

    private static func name(of address: RedisClient.Configuration.Address) -> String? {
        guard case .hostname(let host, _) = address else { return nil }
        let name = announced(host)
        return (try? SocketAddress(ipAddress: name, port: 0)) == nil ? name : nil
    }

    /// Without the dot that a name may end with (RFC 6066, 3).
    private static func announced(_ name: String) -> String {
        name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
