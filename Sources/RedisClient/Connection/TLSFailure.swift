import CertificateChecks
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
        switch error as? NIOSSLExtraError {
        case .failedToValidateHostname?: return "The server's certificate was made for another host."
        case .serverHostnameImpossibleToMatch?:
            return "No certificate can be checked for a host name with other characters than letters, digits, - and ."
        default: break
        }
        switch HandshakeFault(error) {
        case .clientCertificate: return "The server asks for a client's certificate, or does not accept the one it got."
        case .refused: return "The server refused the secure connection; it may ask for a client's certificate."
        case .oldVersion: return "The server speaks no TLS of 1.2 or newer."
        case nil: return "No secure connection could be agreed on; the server may not speak TLS on this port."
        case .untrusted: break
        }
        // The error does not say what is wrong with it.
        let certificate = try? pipeline.syncOperations.nioSSL_peerCertificate()
        let times = certificate.map { certificate in
            let begin = TimeInterval(certificate.notValidBefore)
            return begin...max(begin, TimeInterval(certificate.notValidAfter))
        }
        return distrust(validIn: times, at: Date().timeIntervalSince1970)
    }

    /// - Parameter times: when the certificate is valid; `nil` if that is not known.
    static func distrust(validIn times: ClosedRange<TimeInterval>?, at now: TimeInterval) -> String {
        if let times, now > times.upperBound { return "The server's certificate has expired." }
        if let times, now < times.lowerBound { return "The server's certificate is not valid yet." }
        return "The server's certificate is not trusted."
    }
}
