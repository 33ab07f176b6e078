import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Connections to one server that are leased to one caller each. Makes them when they are asked for.
final class ConnectionPool: Sendable {
    private typealias Place = UnsafeContinuation<RedisNode?, any Error>

    private static let idleLimit = TimeAmount.seconds(60)

    private let configuration: RedisClient.Configuration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let maxWaiting: Int
    private let state: NIOLockedValueBox<PoolState<RedisNode, Place>>
    private let tokens = NIOLockedValueBox<UInt64>(0)

    init(configuration: RedisClient.Configuration, eventLoop: any EventLoop, logger: Logger) {
        maxWaiting = configuration.maxQueuedOffline
        state = NIOLockedValueBox(PoolState(limit: configuration.maxLeasedConnections))
        var leased = configuration
        leased.clientSideCaching = false
        // Whoever leases one asks for the primary: a server that is none any longer is to say so.
        if leased.peer == .readReplica { leased.peer = .any }
        // Whoever has a connection alone delays nobody else with a long pipeline.
        leased.maxInFlight = .max / 2
        self.configuration = leased
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// A connection for the caller alone, at the latest at the deadline.
    ///
    /// A new one has yet to be connected.
    func lease(until deadline: NIODeadline) async throws -> RedisNode {
        if let leased = try leaseNow() { return leased }
        let token = tokens.withLockedValue { token in
            token += 1
            return token
        }
        let timer = eventLoop.scheduleTask(deadline: deadline) { self.giveUp(token, Self.noneFree) }
        defer { timer.cancel() }
        let reused = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: Place) in
                enqueue(token, continuation)
                if Task.isCancelled { giveUp(token, RedisNode.cancelled(mayHaveExecuted: false)) }
                if NIODeadline.now() >= deadline { giveUp(token, Self.noneFree) }
            }
        } onCancel: {
            giveUp(token, RedisNode.cancelled(mayHaveExecuted: false))
        }
        return try reused ?? make()
    }

    /// A connection if one is free, or can be made.
    func leaseNow() throws -> RedisNode? {
        switch state.withLockedValue({ $0.take(isUsable: \.isConnected) }) {
        case .reuse(let node): return node
        case .make: return try make()
        case .full: return nil
        case .closed(let reason): throw reason
        }
    }

    private func make() throws -> RedisNode {
        let node = RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
        return try state.withLockedValue { state in
            guard state.made(node) else { throw state.ending ?? .clientClosed }
            return node
        }
    }

    private func enqueue(_ token: UInt64, _ continuation: Place) {
        let refusal = state.withLockedValue { state -> RedisClientError? in
            if let reason = state.ending { return reason }
            if state.waitingCount >= maxWaiting {
                return RedisClientError(.overloaded, "Too many callers are waiting for a connection of their own.")
            }
            state.wait(token, continuation)
            return nil
        }
        if let refusal { return continuation.resume(throwing: refusal) }
        // One may have become free since it was looked for.
        serveWaiting()
    }

    private func serveWaiting() {
        let (place, node) = state.withLockedValue { state -> (Place?, RedisNode?) in
            guard state.waitingCount > 0 else { return (nil, nil) }
            switch state.take(isUsable: \.isConnected) {
            case .reuse(let node): return (state.nextWaiter(), node)
            case .make: return (state.nextWaiter(), nil)
            case .full, .closed: return (nil, nil)
            }
        }
        place?.resume(returning: node)
    }

    /// Lets those go who wait for a connection, so that they may try elsewhere.
    func releaseWaiting() {
        let error = RedisClientError(.connectionLost, "There was no connection.")
        while let waiter = state.withLockedValue({ $0.nextWaiter() }) { waiter.resume(throwing: error) }
    }

    private func giveUp(_ token: UInt64, _ error: RedisClientError) {
        state.withLockedValue { $0.leave(token) }?.resume(throwing: error)
    }

    /// - Parameter isClean: whether the next one finds it as a new connection would be; otherwise it is closed.
    func giveBack(_ node: RedisNode, isClean: Bool) {
        if isClean, node.isConnecting {
            Task {
                try? await node.connect()
                giveBack(node, isClean: true)
            }
            return
        }
        let now = NIODeadline.now()
        switch state.withLockedValue({ $0.giveBack(node, isClean: isClean && node.isConnected, at: now) }) {
        case .keep(let isFirst):
            if isFirst { expire(unusedSince: now) }
        case .hand(let waiter):
            waiter.resume(returning: node)
        case .discard:
            // Whoever waited for a reply has left.
            node.abandon(within: .zero)
        case .discardAndMake(let waiter):
            node.abandon(within: .zero)
            waiter.resume(returning: nil)
        }
    }

    /// Closes a connection that nobody used for a while, and so on as long as there are others.
    private func expire(unusedSince time: NIODeadline) {
        eventLoop.scheduleTask(deadline: time + Self.idleLimit) { [weak self] in
            guard let self else { return }
            let (expired, next) = state.withLockedValue { $0.expire(unusedSince: .now() - Self.idleLimit) }
            for node in expired { node.abandon() }
            if let next { expire(unusedSince: next) }
        }
    }

    /// Has new connections made: those that nobody has are closed now, those on lease when they are given back.
    func renew() {
        for node in state.withLockedValue({ $0.renew() }) { node.abandon() }
    }

    /// Closes all connections; those on lease when their commands under way have ended.
    func close() async {
        let connections = end(.clientClosed)
        await withDiscardingTaskGroup { group in
            for node in connections { group.addTask { await node.close() } }
        }
    }

    /// The same without waiting for it.
    func abandon(because reason: RedisClientError) {
        for node in end(reason) { node.abandon(because: reason) }
    }

    private func end(_ reason: RedisClientError) -> [RedisNode] {
        let (connections, waiters) = state.withLockedValue { $0.close(reason) }
        for waiter in waiters { waiter.resume(throwing: reason) }
        return connections
    }

    private static let noneFree = RedisClientError(
        .timedOut,
        "No connection became free in time: all that may be leased are in use (maxLeasedConnections)."
    )
}
