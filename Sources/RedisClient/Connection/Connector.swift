import NIOCore
import NIOPosix
import NIOSSL
import RESP

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Opens connections: TCP or Unix socket, TLS, handshake, all within one time limit.
struct Connector: Sendable {
    let configuration: RedisClient.Configuration
    var names = HostNames.system

    /// Must be called on the event loop, which is also the connection's.
    ///
    /// - Parameter began: told at once of what can be closed while it is not ready, which ends the attempt.
    func connect(
        on eventLoop: any EventLoop,
        began: (NIOLoopBound<ConnectionHandler>) -> Void = { _ in }
    ) -> EventLoopFuture<NIOLoopBound<ConnectionHandler>> {
        let ready = eventLoop.makePromise(of: RESPProtocol.self)
        let handler = NIOLoopBound(
            ConnectionHandler(handshake: Handshake(configuration), ready: ready),
            eventLoop: eventLoop
        )
        began(handler)
        let security: TLSFactory?
        do {
            security = try TLSFactory(configuration)
        } catch {
            ready.fail(error)
            return ready.futureResult.map { _ in handler }
        }
        let limit = TimeAmount(clamping: configuration.connectTimeout)
        let addresses = addresses(eventLoop, limit)
        ready.futureResult.whenFailure { _ in addresses?.cancelQueries() }
        let bootstrap = bootstrap(on: eventLoop, addresses, limit: limit).channelInitializer { socket in
            // The handler does not know of one that has no answer yet.
            ready.futureResult.whenFailure { _ in socket.close(promise: nil) }
            return eventLoop.makeSucceededVoidFuture()
        }
        let connected =
            switch configuration.address {
            case .hostname(let host, let port): bootstrap.connect(host: host, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        // Not before: a host with several addresses has a channel for each that is tried, and one of them is kept.
        let equipped = connected.flatMapThrowing { channel in
            do {
                let pipeline = channel.pipeline.syncOperations
                if let security { try pipeline.addHandler(security.makeHandler()) }
                try pipeline.addHandler(handler.value)
            } catch {
                channel.close(promise: nil)
                throw error
            }
        }
        equipped.whenFailure { ready.fail(describe($0)) }
        let timer = eventLoop.scheduleTask(in: limit) {
            // One that is due cannot be cancelled.
            if handler.value.isReady { return }
            let isSilent = security != nil && handler.value.isOpen && !handler.value.hasReceived
            let message =
                isSilent
                ? "The server did not answer over TLS in time; does it speak it here?"
                : "No connection was made in time."
            let error = RedisClientError(.connectFailed, message)
            ready.fail(error)
            handler.value.close(error)
        }
        ready.futureResult.whenComplete { _ in timer.cancel() }
        return ready.futureResult.map { _ in handler }
    }

    private func bootstrap(
        on eventLoop: any EventLoop,
        _ addresses: HostAddresses?,
        limit: TimeAmount
    ) -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .resolver(addresses)
            .connectTimeout(limit)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16_384, maximum: 65_536)
            )
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
        guard case .hostname = configuration.address else { return bootstrap }
        let options = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        #if os(Linux)
        guard configuration.keepAliveInterval > .zero else { return options }
        // A peer that vanished acknowledges nothing; without this the kernel tries for a quarter of an hour.
        let patience = Int32(clamping: configuration.longestSilence.nanoseconds / 1_000_000)
        // The same goes for a connection on which nothing is sent because the server blocks.
        let pause = ChannelOptions.Types.SocketOption.Value(min(max(1, patience / 3000), mostKeepAliveSeconds))
        return options.channelOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: .init(patience))
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: pause)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: pause)
        #else
        return options
        #endif
    }

    private func addresses(_ eventLoop: any EventLoop, _ limit: TimeAmount) -> HostAddresses? {
        HostAddresses(numeric: configuration.address, eventLoop)
            ?? HostAddresses(named: configuration.address, within: limit, eventLoop, names)
    }

    #if os(Linux)
    /// The kernel refuses more.
    private let mostKeepAliveSeconds: Int32 = 32_767
    #endif

    private func describe(_ error: any Error) -> RedisClientError {
        if let error = error as? RedisClientError { return error }
        if TLSFailure.isFailure(error) {
            let message =
                """
                \(configuration.address): TLS cannot check the server by that name; the TLS options' serverName has to \
                be a host name.
                """
            return RedisClientError(.tlsFailed, message, underlying: error)
        }
        return RedisClientError(.connectFailed, "The server cannot be reached.", underlying: error)
    }
}
