import CertificateChecks
import NIOCore
import NIOHTTP1
import NIOSSL

/// Sends nothing to a server whose certificate was made for its address rather than for the host that is asked.
final class HostGuard: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart

    private let certificate: NIOSSLCertificate
    private var hasRefused = false

    init(_ certificate: NIOSSLCertificate) {
        self.certificate = certificate
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .head(let head) = unwrapOutboundIn(data), !isRight(head.headers.first(name: "host") ?? "") {
            hasRefused = true
            // The client closes the connection at that.
            context.fireErrorCaught(NIOSSLExtraError.failedToValidateHostname)
        }
        if hasRefused {
            promise?.fail(NIOSSLExtraError.failedToValidateHostname)
        } else {
            context.write(data, promise: promise)
        }
    }

    /// Addresses are checked by NIOSSL; those of IPv6 are in brackets.
    private func isRight(_ host: String) -> Bool {
        let name = String(host.prefix { $0 != ":" })
        return host.hasPrefix("[") || (try? SocketAddress(ipAddress: name, port: 0)) != nil
            || certificate.isMade(forHost: name)
    }
}
