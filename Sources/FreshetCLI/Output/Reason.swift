import AsyncHTTPClient
import Foundation
import Freshet
import HTTPAsking
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import RESP
import RedisClient
import UpstashClient

/// Why a store, a connection or a file is of no use, in the system's words rather than a driver's.
enum Reason {
    static func text(_ error: any Error) -> String {
        switch error {
        case let error as CacheError: error.underlying.map(text) ?? error.message
        case let error as RedisClientError: text(error.message, error.hint, error.underlying)
        case let error as UpstashError: text(error.message, error.hint, error.underlying)
        case let error as RESPError: error.description
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            (error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError).map(text) ?? "cannot connect"
        case let error as SocketAddressError.UnknownHost: error.errorDescription
        case let error as HTTPClientError: error.shortDescription
        case is HTTPParserError, is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: HTTPAsking.reason(error)
        default: "\(error)"
        }
    }

    private static func text(_ message: String, _ hint: String?, _ cause: (any Error)?) -> String {
        if let refusal = cause as? RESPError {
            return refusal.description == message ? message : "\(message) (\(refusal))"
        }
        if let cause = cause as? NIOConnectionError {
            let address = RedisClient.Configuration.Address.hostname(cause.host, port: cause.port)
            return "\(address): \(text(cause))"
        }
        return hint ?? cause.map(text) ?? message
    }
}
