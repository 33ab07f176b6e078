import NIOCore
import NIOSSL

/// Makes the TLS side of connections.
struct TLSFactory: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?

    init(_ tls: RedisClient.TLS, address: RedisClient.Configuration.Address) throws(RedisClientError) {
        do {
            context = try NIOSSLContext(configuration: Self.configuration(tls))
        } catch {
            throw RedisClientError(.tlsFailed, "The certificates configured cannot be read.", underlying: error)
        }
        serverName = tls.serverName ?? Self.name(of: address)
    }

    func makeHandler() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: serverName)
    }

    private static func configuration(_ tls: RedisClient.TLS) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // For a peer that vanished the socket need not be kept for long.
        configuration.shutdownTimeout = .seconds(1)
        switch tls.trust {
        case .system: configuration.trustRoots = .default
        case .file(let path): configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
        case .pem(let text):
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)))
        }
        configuration.certificateVerification =
            switch tls.verification {
            case .full: .fullVerification
            case .certificateOnly: .noHostnameVerification
            case .none: .none
            }
        if let identity = tls.identity {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(identity.certificateChainFile)
                .map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity.privateKeyFile, format: .pem))
        }
        return configuration
    }

    /// The name to announce. Addresses are no names: certificates are then checked against the address itself.
    private static func name(of address: RedisClient.Configuration.Address) -> String? {
        guard case .hostname(let host, _) = address else { return nil }
        return (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}

enum TLSFailure {
    /// Whether TLS itself failed, and not the connection under it.
    static func isFailure(_ error: any Error) -> Bool {
        switch error {
        case let error as NIOSSLError: ![.uncleanShutdown, endedInHandshake].contains(error)
        case is NIOSSLExtraError, is BoringSSLError: true
        default: false
        }
    }

    private static let endedInHandshake = NIOSSLError.handshakeFailed(.sslError([.eofDuringHandshake]))

    static func message(for error: any Error) -> String {
        if (error as? NIOSSLExtraError) == .failedToValidateHostname {
            return "The server's certificate was made for another host."
        }
        if "\(error)".contains("CERTIFICATE_VERIFY_FAILED") {
            return "The server's certificate is not trusted or has expired."
        }
        return "No secure connection could be agreed on; the server may not speak TLS on this port."
    }
}
