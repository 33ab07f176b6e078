import AsyncHTTPClient
import CertificateChecks
import Foundation
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix
import NIOSSL

extension HTTPAsking {
    /// Why a request got no whole answer. Readers see it: the words are these alone, since a driver's may hold anything.
    package static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            (error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError).map { reason($0) } ?? broken
        case is SocketAddressError.UnknownHost: "its host's name is not found"
        case let error as IOError: reason(errno: error.errnoCode)
        case NIOSSLError.uncleanShutdown: broken
        case NIOSSLError.failedToLoadCertificate, BoringSSLError.unknownError: noAuthorities
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            "its certificate was made for another host"
        case let error as NIOSSLExtraError where error == .serverHostnameImpossibleToMatch:
            "no certificate can be checked for a host with other characters than letters, digits, - and ."
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: reason(tls: error)
        case let error as HTTPClientError: error == .tlsHandshakeTimeout ? noTLS : broken
        case is HTTPParserError: isNoHTTP(error) ? noHTTP : broken
        case is NIOHTTPDecompression.DecompressionError, is NIOHTTPDecompression.ExtraDecompressionError:
            "the compressed body cannot be read"
        default: broken
        }
    }

    private static func reason(errno: CInt) -> String {
        switch errno {
        case ECONNREFUSED: "the connection is refused"
        case EHOSTUNREACH, ENETUNREACH: "no way leads to its host"
        default: broken
        }
    }

    private static func reason(tls error: any Error) -> String {
        switch HandshakeFault(error) {
        case .clientCertificate: "it asks for a client's certificate, or does not accept the one it got"
        case .refused: "it refused the secure connection; it may ask for a client's certificate"
        case .oldVersion: "it speaks no TLS of 1.2 or newer"
        case .untrusted: "its certificate is not trusted"
        case nil: noTLS
        }
    }

    private static let broken = "the connection broke"
    private static let noTLS = "TLS could not be agreed on; the port may be one for plain HTTP"
    private static let noAuthorities = "this machine has no certificates of authorities that can be read"
    private static let noHTTP = "what it answers is no HTTP; the port may be one for TLS"
}
