import NIOCore
import NIOPosix

/// The addresses of a host, as what connects asks for them.
struct HostAddresses: Resolver, Sendable {
    private let addresses: EventLoopFuture<[SocketAddress]>
    private let giveUp: @Sendable () -> Void

    /// A host that is given by its address.
    ///
    /// The system's resolver would look it up behind whatever else is looked up on the event loop, for whomever, and be
    /// held up by a name server that does not answer.
    ///
    /// - Returns: `nil` for a name.
    init?(numeric address: RedisClient.Configuration.Address, _ eventLoop: any EventLoop) {
        guard case .hostname(let host, let port) = address, (0...65_535).contains(port),
            let address = try? SocketAddress(ipAddress: host, port: port)
        else { return nil }
        addresses = eventLoop.makeSucceededFuture([address])
        giveUp = {}
    }

    /// A host that has a name.
    ///
    /// - Returns: `nil` for a socket's path.
    init?(
        named address: RedisClient.Configuration.Address,
        within limit: TimeAmount,
        _ eventLoop: any EventLoop,
        _ names: HostNames
    ) {
        guard case .hostname(let host, let port) = address else { return nil }
        let (found, id) = names.addresses(of: host, within: limit, on: eventLoop)
        addresses = found.flatMapThrowing { found in
            guard (0...65_535).contains(port) else { throw UnknownHost(description: "\(port) is no port") }
            return found.map { address in
                var address = address
                address.port = port
                return address
            }
        }
        giveUp = { names.giveUp(id, of: host) }
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet) }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet6) }

    func cancelQueries() { giveUp() }

    private func addresses(of family: NIOBSDSocket.ProtocolFamily) -> EventLoopFuture<[SocketAddress]> {
        addresses.map { $0.filter { $0.protocol == family } }
    }
}
