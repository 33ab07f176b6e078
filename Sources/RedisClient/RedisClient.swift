public import Logging
public import NIOCore
import NIOPosix
public import RESP
import Synchronization

/// A client for Redis-compatible servers: one alone, a cluster, or a primary that sentinels watch.
///
/// ```swift
/// let client = RedisClient(try .init(url: "redis://127.0.0.1:6379"))
/// try await client.execute(RESPCommand("SET", "greeting", "hello"))
/// let greeting = try await client.execute(RESPCommand("GET", "greeting")).string
/// await client.close()
/// ```
///
/// All callers share one connection to a server, which is made at the first command and made again whenever it breaks.
/// Commands of many tasks are written together, so more callers cost less each. Nothing has to be run by the owner.
///
/// A command ends at its deadline, at the latest, with a reply or an error; so does a cancelled one at once. Neither
/// harms the commands beside it. After a lost connection a command is sent again only if it was never written or
/// changes nothing (``RESP/RESPCommand/isReadOnly``).
public final class RedisClient: CommandExecutor, ChannelSubscriber, Sendable {
    private static let maxRetries = 3

    /// What commands are sent through.
    enum Backend {
        case one(RedisNode)
        case several(RoutedExecutor)
    }

    public let configuration: Configuration
    /// Runs tasks on the client's own event loop.
    ///
    /// A task that prefers it saves two changes of thread a command, which is most of the time of commands that are
    /// sent one after the other. It must not compute for long there: replies to others wait meanwhile.
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(client.taskExecutor) { … }
    /// ```
    ///
    /// With several servers it is one of the client's event loops, and the gain less.
    public let taskExecutor: any TaskExecutor
    private let commandTimeout: TimeAmount
    let backend: Backend
    private let subscriber: Subscriber
    /// Whether ``close()`` has returned: behind it the owner may end the event loops.
    private let isClosed = Atomic(false)

    /// Makes a client; connects to nothing yet.
    ///
    /// - Parameters:
    ///   - eventLoopGroup: the client uses one of its event loops for commands, one for subscriptions. `nil` is the
    ///     group that all of the process shares.
    ///   - logger: told at `info` level when a connection is lost or cannot be made, or a subscription is refused, and
    ///     while that lasts, now and then.
    public init(
        _ configuration: Configuration,
        eventLoopGroup: (any EventLoopGroup)? = nil,
        logger: Logger = Logger(label: "freshet.redis", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        let eventLoopGroup = eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        var configuration = configuration
        // Not shared with other clients of the same configuration.
        configuration.rotation = CredentialRotation()
        self.configuration = configuration
        commandTimeout = TimeAmount(clamping: configuration.commandTimeout)
        let router: (any NodeRouter)? =
            switch configuration.topology {
            case .single:
                nil
            case .cluster(let cluster):
                ClusterRouter(
                    configuration: configuration,
                    cluster: cluster,
                    eventLoopGroup: eventLoopGroup,
                    logger: logger
                )
            case .sentinel(let sentinel):
                SentinelRouter(
                    configuration: configuration,
                    sentinel: sentinel,
                    eventLoopGroup: eventLoopGroup,
                    logger: logger
                )
            }
        var untracked = configuration
        untracked.clientSideCaching = false
        let subscriber = Subscriber(
            configuration: untracked,
            place: router?.subscriptionPlace ?? SubscriptionPlace(untracked),
            eventLoop: eventLoopGroup.next(),
            logger: logger
        )
        self.subscriber = subscriber
        let eventLoop = eventLoopGroup.next()
        taskExecutor = EventLoopTaskExecutor(eventLoop)
        if let router {
            backend = .several(RoutedExecutor(router: router, eventLoop: eventLoop))
            router.change.set { [weak subscriber] isGap in subscriber?.recheckPlace(isGap: isGap) }
        } else {
            // All connections are to follow where the first of them finds another server.
            let node = RedisNode(
                configuration: configuration,
                eventLoop: eventLoop,
                logger: logger,
                followsAddress: true
            ) { [weak subscriber] event in
                switch event {
                case .leaving: subscriber?.recheckPlace(isGap: true)
                case .connected(after: let loss?): subscriber?.recheckPlace(before: loss)
                case .connected, .failed, .late, .lost, .ended: break
                }
            }
            backend = .one(node)
            subscriber.onConnect { [weak node] reason in node?.recheckServer(reason) }
        }
    }

    deinit {
        if isClosed.load(ordering: .acquiring) { return }
        subscriber.close()
        switch backend {
        case .one(let node):
            node.abandon()
            node.invalidations.finish()
        case .several(let executor): executor.abandon()
        }
    }

    // MARK: Commands

    /// Runs one command within ``Configuration/commandTimeout``.
    ///
    /// - Throws: `RESPError` for an error reply, ``RedisClientError`` when no reply came.
    @discardableResult
    public func execute(_ command: RESPCommand) async throws -> RESPValue {
        try await execute(command, until: .now() + commandTimeout)
    }

    /// Runs one command that has more or less time than others.
    @discardableResult
    public func execute(_ command: RESPCommand, timeout: Duration) async throws -> RESPValue {
        try await execute(command, until: .now() + TimeAmount(clamping: timeout))
    }

    // In line, it has no frame of its own on the task's stack.
    @inline(__always)
    private func execute(_ command: RESPCommand, until deadline: NIODeadline) async throws -> RESPValue {
        if let refusal = SharedConnectionRules.refusal(command) { throw refusal }
        if SharedConnectionRules.endsScript(command) { return try await endScript(command, until: deadline) }
        let node: RedisNode
        switch backend {
        case .one(let only): node = only
        case .several(let executor): return try await executor.run(command, deadline: deadline)
        }
        var retries = 0
        while true {
            do {
                return try await node.run(command, deadline: deadline)
            } catch let error as RESPError {
                node.learn(from: error, to: command)
                throw error
            } catch let error as RedisClientError
                where error.allowsRetry(isReadOnly: command.isReadOnly) && retries < Self.maxRetries
            {
                retries += 1
            }
        }
    }

    /// Runs several commands with one write, within ``Configuration/commandTimeout`` together.
    ///
    /// Commands from `MULTI` to `EXEC` are a transaction if they are the whole pipeline.
    ///
    /// Each server runs them in their order. The nodes of a cluster run theirs at the same time. While a slot moves, a
    /// command that is sent on to its new node may be run after a later one for the same slot. Reads behind a write that a
    /// node sends on which has just become a replica are run once more behind it.
    ///
    /// In a cluster and with sentinels, messages (`PUBLISH`, `SPUBLISH`) are sent when all writes before them are
    /// answered, which costs a second round trip, and no command waits for a message. What a server refuses for the
    /// moment is tried again there, unless a later command that may depend on it, or on which it may depend, was run:
    /// then the refusal is its reply. Commands may depend on each other if they have keys of one slot, and one of them
    /// writes; what concerns all keys (`FLUSHALL`, `KEYS`), and scripts that name none, count for every slot.
    ///
    /// Where a command is too large for the server (`proto-max-bulk-len`), those behind it that went to the same server are
    /// not run. They have its error, or `connectionLost` where that got lost.
    ///
    /// `SCRIPT KILL` and `FUNCTION KILL` are refused here, where they would wait for the script that they are to end.
    @discardableResult
    public func execute(pipeline: [RESPCommand]) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, until: .now() + commandTimeout, tracking: .off)
    }

    /// Runs several commands that have more or less time than others.
    @discardableResult
    public func execute(pipeline: [RESPCommand], timeout: Duration) async throws -> [RESPValue] {
        try await execute(pipeline: pipeline, until: .now() + TimeAmount(clamping: timeout), tracking: .off)
    }

    func execute(pipeline: [RESPCommand], until deadline: NIODeadline, tracking: Tracking) async throws -> [RESPValue] {
        if pipeline.isEmpty { return [] }
        if let refusal = SharedConnectionRules.refusal(pipeline) { throw refusal }
        let node: RedisNode
        switch backend {
        case .one(let only): node = only
        case .several(let executor):
            return try await executor.run(pipeline, deadline: deadline, tracking: tracking)
        }
        let isTracked = tracking != .off && node.tracksKeys.load(ordering: .relaxed)
        let tracked = isTracked ? pipeline.flatMap { [RedisTrackedExecutor.caching, $0] } : pipeline
        var retries = 0
        while true {
            do {
                let replies = try await node.run(tracked, deadline: deadline, isTracked: isTracked)
                node.learn(from: replies, to: tracked)
                guard isTracked else { return replies }
                if tracking == .preferred, let error = replies.first?.error, error.code != .busy {
                    node.tracksKeys.store(false, ordering: .relaxed)
                }
                return try RedisTrackedExecutor.separate(replies, tracking)
            } catch let error as RedisClientError
                where error.allowsRetry(isReadOnly: pipeline.allSatisfy(\.isReadOnly)) && retries < Self.maxRetries
            {
                retries += 1
            }
        }
    }

    // MARK: Connection

    /// Connects now, to learn now whether it works. Without it the first command connects.
    ///
    /// - Throws: ``RedisClientError``: why the attempt failed. The client goes on trying by itself, until it is closed.
    public func connect() async throws {
        switch backend {
        case .one(let node): try await node.connect()
        case .several(let executor):
            let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
            try await executor.router.connect(until: deadline)
        }
    }

    /// Whether there is a connection at the moment; in a cluster, to any node.
    public var isConnected: Bool {
        switch backend {
        case .one(let node): node.isConnected
        case .several(let executor): executor.router.isConnected
        }
    }

    /// Tells of every connection made and lost from now on, until the client is closed.
    public var connectionEvents: AsyncStream<RedisConnectionEvent> {
        switch backend {
        case .one(let node): node.observers.observe()
        case .several(let executor): executor.router.observers.observe()
        }
    }

    /// Takes no more commands, gives those under way ``Configuration/commandTimeout`` to end, and closes the connections.
    public func close() async {
        if isClosed.load(ordering: .acquiring) { return }
        subscriber.close()
        switch backend {
        case .one(let node):
            await node.close()
            node.invalidations.finish()
        case .several(let executor): await executor.close()
        }
        isClosed.store(true, ordering: .releasing)
    }

    // MARK: Publish and subscribe

    /// Listens to channels.
    ///
    /// Returns when the server has confirmed. Subscriptions have a connection of their own, so that neither a flood of
    /// messages delays commands nor a large reply counts against the server's limit for subscribers. They are renewed
    /// after a lost connection; see `RedisSubscription`.
    ///
    /// - Throws: `RESPError` if the server refuses; ``RedisClientError``, with ``RedisClientError/Code/timedOut`` after
    ///   ``Configuration/connectTimeout``.
    public func subscribe(to channels: [String]) async throws -> RedisSubscription {
        try await subscriber.subscribe(to: channels.map { .channel($0) })
    }

    /// Listens to all channels that match glob-style patterns.
    public func psubscribe(to patterns: [String]) async throws -> RedisSubscription {
        try await subscriber.subscribe(to: patterns.map { .pattern($0) })
    }
}

/// What happened to the connection that commands share.
public enum RedisConnectionEvent: Sendable, Hashable {
    case connected
    case disconnected
}

extension RedisClientError {
    fileprivate func allowsRetry(isReadOnly: @autoclosure () -> Bool) -> Bool {
        code == .connectionLost && (!mayHaveExecuted || isReadOnly())
    }
}
