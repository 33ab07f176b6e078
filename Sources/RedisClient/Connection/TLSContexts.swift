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
        let configuration = try Self.configuration(tls)
        do {
            let context = try NIOSSLContext(configuration: configuration)
            latest.withLockedValue { $0 = Entry(tls: tls, files: files, context: context) }
            return context
        } catch {
            let message =
                tls.trust == .system && error is BoringSSLError
                ? "The system's certificates of authorities cannot be read; are they installed (ca-certificates)?"
                : "The certificates configured cannot be used."
            throw RedisClientError(.tlsFailed, message, underlying: error)
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

    private static func configuration(_ tls: RedisClient.TLS) throws(RedisClientError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        // For a peer that vanished the socket need not be kept for long.
        configuration.shutdownTimeout = .seconds(1)
        switch tls.trust {
        case .system: configuration.trustRoots = .default
        case .file(let path):
            let certificates = try read(path) { try NIOSSLCertificate.fromPEMFile(path) }
            configuration.trustRoots = .certificates(certificates)
        case .pem(let text):
            let certificates = try read("the text configured") { try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)) }
            configuration.trustRoots = .certificates(certificates)
        }
        configuration.certificateVerification =
            switch tls.verification {
            case .full: .fullVerification
            case .certificateOnly: .noHostnameVerification
            case .none: .none
            }
        if let identity = tls.identity {
            let (chain, key) = (identity.certificateChainFile, identity.privateKeyFile)
            configuration.certificateChain = try read(chain) {
                try NIOSSLCertificate.fromPEMFile(chain).map { .certificate($0) }
            }
            configuration.privateKey = try read(key, as: "private key") {
                .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            }
        }
        return configuration
    }

    private static func read<Content>(
        _ place: String,
        as kind: String = "certificate",
        _ content: () throws -> Content
    ) throws(RedisClientError) -> Content {
        do {
            return try content()
        } catch {
            throw RedisClientError(.tlsFailed, "No \(kind) can be read from \(place).", underlying: error)
        }
    }
}

extension RedisClient.TLS {
    /// Reads the files that are named.
    package func check() throws(RedisClientError) {
        _ = try TLSContexts().context(for: self)
    }
}
