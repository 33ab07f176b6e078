import NIOCore
import NIOPosix

/// Finds the address of a host that is given as one.
///
/// The system's resolver would look it up behind whatever else is looked up on the event loop, for whomever, and be held
/// up by a name server that does not answer.
struct NumericHost: Resolver, Sendable {
    private let address: SocketAddress
    private let eventLoop: any EventLoop

    /// - Returns: `nil` for a name.
    init?(_ address: RedisClient.Configuration.Address, _ eventLoop: any EventLoop) {
        guard case .hostname(let host, let port) = address, (0...65_535).contains(port),
            let address = try? SocketAddress(ipAddress: host, port: port)
        else { return nil }
        (self.address, self.eventLoop) = (address, eventLoop)
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet) }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet6) }

    func cancelQueries() {}

    private func addresses(of family: NIOBSDSocket.ProtocolFamily) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(address.protocol == family ? [address] : [])
    }
}
