import Foundation
import NIOCore
import NIOSSL

/// Why there is no secure connection.
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

    static func message(for error: any Error, in pipeline: ChannelPipeline) -> String {
        if (error as? NIOSSLExtraError) == .failedToValidateHostname {
            return "The server's certificate was made for another host."
        }
        guard "\(error)".contains("CERTIFICATE_VERIFY_FAILED") else {
            return "No secure connection could be agreed on; the server may not speak TLS on this port."
        }
        // The error does not say what is wrong with it.
        let certificate = try? pipeline.syncOperations.nioSSL_peerCertificate()
        let isExpired = certificate.map { TimeInterval($0.notValidAfter) < Date().timeIntervalSince1970 } ?? false
        return isExpired ? "The server's certificate has expired." : "The server's certificate is not trusted."
    }
}
