import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix

/// Why a connection or a file is of no use, in the system's words rather than a driver's.
enum Reason {
    static func text(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            (error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError).map(text) ?? "cannot connect"
        case let error as SocketAddressError.UnknownHost: error.errorDescription
        case let error as HTTPClientError: error.shortDescription
        default: "\(error)"
        }
    }
}
