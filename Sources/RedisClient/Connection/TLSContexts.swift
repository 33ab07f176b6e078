import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// Certificates and keys as TLS uses them; read when they are first needed, and again when their files have changed.
final class TLSContexts: Sendable {
    private struct Entry {
        let tls: RedisClient.TLS
        let files: [FileVersion?]
        let context: NIOSSLContext
    }

    private let latest = NIOLockedValueBox<Entry?>(nil)

    func context(for tls: RedisClient.TLS) throws(RedisClientError) -> NIOSSLContext {
        // Before they are read, so that no change is missed meanwhile.
        let files = Self.files(of: tls).map(FileVersion.init)
        if let entry = latest.withLockedValue({ $0 }), entry.tls == tls, entry.files == files { return entry.context }
        do {
            let context = try NIOSSLContext(configuration: Self.configuration(tls))
            latest.withLockedValue { $0 = Entry(tls: tls, files: files, context: context) }
            return context
        } catch {
            throw RedisClientError(.tlsFailed, "The certificates configured cannot be read.", underlying: error)
        }
    }

    /// Where systems keep whom they trust.
    private static let systemFiles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]

    private static func files(of tls: RedisClient.TLS) -> [String] {
        let trusted =
            switch tls.trust {
            case .system: systemFiles
            case .file(let path): [path]
            case .pem: [String]()
            }
        return trusted + (tls.identity.map { [$0.certificateChainFile, $0.privateKeyFile] } ?? [])
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
}

extension RedisClient.TLS {
    /// Reads the files that are named.
    package func check() throws(RedisClientError) {
        _ = try TLSContexts().context(for: self)
    }
}
