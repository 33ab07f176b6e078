import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Looks host names up, each once at a time, whoever asks for it.
///
/// NIO has the names of an event loop wait for each other, and each attempt to connect look anew. Where the first name
/// server is away, systems take as long to turn to the next as an attempt may: then none would ever come to something.
final class HostNames: Sendable {
    private struct Name: Hashable {
        let host: String
        let port: Int
    }

    private struct State {
        var asking: [Name: [EventLoopPromise<[SocketAddress]>]] = [:]
        /// What came so late that whoever asked may have gone.
        var late: [Name: (addresses: [SocketAddress], end: NIODeadline)] = [:]
    }

    static let system = HostNames()

    /// More names than these wait for each other.
    private static let threads = {
        let threads = NIOThreadPool(numberOfThreads: 8)
        threads.start()
        return threads
    }()
    private static let timeOfLate = TimeAmount.seconds(10)

    private let patience: TimeAmount
    private let lookUp: @Sendable (_ host: String, _ port: Int) throws -> [SocketAddress]
    private let state = NIOLockedValueBox(State())

    /// - Parameter patience: what takes longer is kept for the next to ask.
    init(
        patience: TimeAmount = .seconds(1),
        lookUp: @escaping @Sendable (_ host: String, _ port: Int) throws -> [SocketAddress] = HostNames.askSystem
    ) {
        (self.patience, self.lookUp) = (patience, lookUp)
    }

    func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let name = Name(host: host, port: port)
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        let (late, isFirst) = state.withLockedValue { state -> ([SocketAddress]?, Bool) in
            if let late = state.late[name], .now() < late.end { return (late.addresses, false) }
            state.asking[name, default: []].append(promise)
            return (nil, state.asking[name]?.count == 1)
        }
        if let late { promise.succeed(late) }
        if isFirst { look(for: name) }
        return promise.futureResult
    }

    private func look(for name: Name) {
        let began = NIODeadline.now()
        Self.threads.submit { _ in
            let result = Result { try self.lookUp(name.host, name.port) }
            let promises = self.state.withLockedValue { state in
                let now = NIODeadline.now()
                state.late = state.late.filter { $0.key != name && now < $0.value.end }
                if now - began >= self.patience, let found = try? result.get() {
                    state.late[name] = (found, now + Self.timeOfLate)
                }
                return state.asking.removeValue(forKey: name) ?? []
            }
            for promise in promises { promise.completeWith(result) }
        }
    }

    @Sendable
    private static func askSystem(_ host: String, _ port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &first)
        guard code == 0, let first else { throw UnknownHost(description: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(first) }
        return sequence(first: first) { $0.pointee.ai_next }.compactMap { entry in
            guard let address = UnsafeRawPointer(entry.pointee.ai_addr) else { return nil }
            return switch entry.pointee.ai_family {
            case AF_INET: SocketAddress(address.loadUnaligned(as: sockaddr_in.self), host: host)
            case AF_INET6: SocketAddress(address.loadUnaligned(as: sockaddr_in6.self), host: host)
            default: nil
            }
        }
    }
}

/// In the system's words.
struct UnknownHost: Error, CustomStringConvertible {
    let description: String
}

/// The addresses of a host that has a name.
struct NamedHost: Resolver, Sendable {
    private let addresses: EventLoopFuture<[SocketAddress]>

    /// - Returns: `nil` for a socket's path.
    init?(_ address: RedisClient.Configuration.Address, _ eventLoop: any EventLoop, _ names: HostNames) {
        guard case .hostname(let host, let port) = address else { return nil }
        addresses = names.addresses(of: host, port: port, on: eventLoop)
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet) }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { addresses(of: .inet6) }

    func cancelQueries() {}

    private func addresses(of family: NIOBSDSocket.ProtocolFamily) -> EventLoopFuture<[SocketAddress]> {
        addresses.map { $0.filter { $0.protocol == family } }
    }
}
