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
    /// What those get who ask for one name at a time.
    private struct Lookup {
        var promises: [UInt64: EventLoopPromise<[SocketAddress]>] = [:]
        let began = NIODeadline.now()
        /// The shortest limit of the attempts.
        var limit: TimeAmount
    }

    private struct State {
        var lookups: [String: Lookup] = [:]
        /// What came too late for an attempt, or left it little time, for those that follow.
        var late: [String: (addresses: [SocketAddress], end: NIODeadline)] = [:]
        var lastID: UInt64 = 0
    }

    static let system = HostNames()

    /// More names than these wait for each other.
    private static let threads = {
        let threads = NIOThreadPool(numberOfThreads: 8)
        threads.start()
        return threads
    }()
    private static let timeOfLate = TimeAmount.seconds(10)

    private let lookUp: @Sendable (_ host: String) throws -> [SocketAddress]
    private let state = NIOLockedValueBox(State())

    /// - Parameter lookUp: finds addresses, whatever their port; may block.
    init(lookUp: @escaping @Sendable (_ host: String) throws -> [SocketAddress] = HostNames.askSystem) {
        self.lookUp = lookUp
    }

    /// - Parameter limit: time for the attempt that they are for.
    /// - Returns: the addresses, and who asks for them.
    func addresses(
        of host: String,
        within limit: TimeAmount,
        on eventLoop: any EventLoop
    ) -> (EventLoopFuture<[SocketAddress]>, id: UInt64) {
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        let (id, late, isFirst) = state.withLockedValue { state -> (UInt64, [SocketAddress]?, Bool) in
            state.lastID += 1
            if let late = state.late[host], .now() < late.end { return (state.lastID, late.addresses, false) }
            let isFirst = state.lookups[host] == nil
            var lookup = state.lookups[host] ?? Lookup(limit: limit)
            lookup.limit = min(lookup.limit, limit)
            lookup.promises[state.lastID] = promise
            state.lookups[host] = lookup
            return (state.lastID, nil, isFirst)
        }
        if let late { promise.succeed(late) }
        if isFirst { look(for: host) }
        return (promise.futureResult, id)
    }

    /// The attempt of whoever asked is over.
    func giveUp(_ id: UInt64, of host: String) {
        let promise = state.withLockedValue { $0.lookups[host]?.promises.removeValue(forKey: id) }
        promise?.fail(ChannelError.connectTimeout(.zero))
    }

    private func look(for host: String) {
        Self.threads.submit { _ in
            let result = Result { try self.lookUp(host) }
            let promises = self.state.withLockedValue { state -> [UInt64: EventLoopPromise<[SocketAddress]>] in
                let now = NIODeadline.now()
                state.late = state.late.filter { now < $0.value.end }
                guard let lookup = state.lookups.removeValue(forKey: host) else { return [:] }
                if now - lookup.began > .nanoseconds(lookup.limit.nanoseconds / 2), let found = try? result.get() {
                    state.late[host] = (found, now + Self.timeOfLate)
                }
                return lookup.promises
            }
            for promise in promises.values { promise.completeWith(result) }
        }
    }

    @Sendable
    private static func askSystem(_ host: String) throws -> [SocketAddress] {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &first)
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

/// Why a name leads to no address, in the system's words.
struct UnknownHost: Error, CustomStringConvertible {
    let description: String
}
