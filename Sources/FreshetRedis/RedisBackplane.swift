public import Freshet
public import Logging
import NIOConcurrencyHelpers
import NIOCore
public import RESP

/// Hears what the store's scripts publish, over a client's subscription.
///
/// ```swift
/// let fields = FieldCache(
///     cache: cache,
///     catalog: catalog,
///     backplane: RedisBackplane(client: client, logger: logger) {
///         client.connectionEvents
///     } invalidations: {
///         client.invalidations
///     },
///     logger: logger
/// )
/// ```
/// One that does not come up is asked for again after pauses from a second to half a minute, later where the server says
/// so with `Retry-After`, which is followed for up to ten minutes.
///
/// Pub/sub knows no databases: nodes on different databases of one server hear of each other's keys. Where these have the
/// same names, loads under way are begun anew, and readers of stale values may wait for them: give such nodes keys or
/// servers of their own.
public struct RedisBackplane: Backplane {
    /// Between attempts at a subscription that the server refuses; a lost connection the client renews by itself.
    private static let pauses = Duration.seconds(1)...Duration.seconds(30)
    /// No server is believed that says to wait longer.
    private static let longestWait = Duration.seconds(600)
    /// Between questions that the server does not answer.
    private static let pause = Duration.seconds(1)

    private let client: any ChannelSubscriber
    private let spawner: any Spawner
    private let logger: Logger
    private let watchServer: @Sendable (Link) async -> Void
    private let watchKeys: @Sendable () -> @Sendable (Link) async -> Void

    /// A backplane over a client that has no connection to watch, as over REST.
    ///
    /// - Parameter logger: told once when there is no subscription, and when there is one (again). Of lost connections the
    ///   client tells.
    public init(
        client: any ChannelSubscriber,
        spawner: any Spawner = SystemSpawner(),
        logger: Logger = Logger(label: "freshet.backplane", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.client = client
        self.spawner = spawner
        self.logger = logger
        watchServer = { _ in }
        watchKeys = { { _ in } }
    }

    /// A backplane that asks, whenever connections come and go, whether it is still the same servers that answer: after
    /// a failover the subscription may go on while what was written last is gone from the store.
    ///
    /// - Parameters:
    ///   - logger: told once when there is no subscription, and when there is one (again). Of lost connections the client
    ///     tells.
    ///   - connectionEvents: tells of the client's connections from when it is called; what it tells does not matter.
    ///   - invalidations: tells of keys that were read through a ``RedisStore``'s `tracked` and have changed, whoever it was.
    public init<Events: AsyncSequence, Invalidations: AsyncSequence>(
        client: some ChannelSubscriber & PrimariesExecutor,
        spawner: any Spawner = SystemSpawner(),
        logger: Logger = Logger(label: "freshet.backplane", factory: { _ in SwiftLogNoOpLogHandler() }),
        connectionEvents: @escaping @Sendable () -> Events,
        invalidations: @escaping @Sendable () -> Invalidations = { AsyncStream<RedisInvalidation> { $0.finish() } }
    )
    where
        Events: SendableMetatype, Events.AsyncIterator: SendableMetatype, Events.Failure == Never,
        Invalidations: Sendable, Invalidations.AsyncIterator: SendableMetatype,
        Invalidations.Failure == Never, Invalidations.Element == RedisInvalidation
    {
        self.client = client
        self.spawner = spawner
        self.logger = logger
        watchServer = { link in
            let events = connectionEvents()
            link.serversAre(await Self.replicationIDs(client, spawner))
            for await _ in events { link.serversAre(await Self.replicationIDs(client, spawner)) }
        }
        watchKeys = {
            let invalidations = invalidations()
            return { link in for await invalidation in invalidations { Self.translate(invalidation, link) } }
        }
    }

    public func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async {
        let link = Link(receive: receive, logger: logger)
        // Before anything is read that is to be told of.
        let watchKeys = watchKeys()
        await withTaskGroup { group in
            group.addTask { await watchServer(link) }
            group.addTask { await watchKeys(link) }
            await subscribe(link)
            group.cancelAll()
        }
    }

    private func subscribe(_ link: Link) async {
        var backoff = Backoff(Self.pauses)
        while !Task.isCancelled {
            do {
                let subscription = try await client.subscribe(to: [InvalidationMessage.channel])
                backoff.succeeded()
                link.tell(.live)
                for try await event in subscription { Self.translate(event, link) }
                // It ended with the client, or with this task.
                return link.tell(.lost)
            } catch {
                link.tell(.lost)
                if Task.isCancelled { return }
                link.report(error)
                let pause = Duration.nanoseconds(backoff.next(jitter: spawner.fraction()).nanoseconds)
                let wait = (error as? any CommandTransportError)?.retryAfter ?? .zero
                try? await spawner.sleep(for: pause + min(wait, Self.longestWait))
            }
        }
    }

    private static func translate(_ event: RedisSubscriptionEvent, _ link: Link) {
        switch event {
        case .message(let message):
            guard
                let message = InvalidationMessage(payload: String(buffer: message.payload))
            else { return }
            link.tell(message.event)
        case .disconnected: link.tell(.lost)
        case .resubscribed: link.tell(.live)
        // What comes is complete again; what was dropped is a gap.
        case .overflowed: link.tellGap()
        }
    }

    private static func translate(_ invalidation: RedisInvalidation, _ link: Link) {
        switch invalidation {
        case .keys(let keys): for key in keys { link.tell(.written(key: key)) }
        case .everything(.flushed), .everything(.overflowed): link.tell(.everythingWritten)
        // What this client and others of its kind change goes by the subscription. For the rest nobody is on the watch
        // until it is read again.
        case .everything(.disconnected), .everything(.moved): break
        }
    }
}

extension RedisBackplane {
    /// What the servers' data descend from; changes when a replica takes over, and when a server starts anew.
    ///
    /// - Returns: empty for a server that does not tell, nil where one does not answer for long.
    private static func replicationIDs(_ client: some PrimariesExecutor, _ spawner: any Spawner) async -> [String]? {
        for _ in 0..<10 {
            if let replies = try? await client.executeOnPrimaries(RESPCommand("INFO", "replication")) {
                return replies.map(replicationID).sorted()
            }
            guard (try? await spawner.sleep(for: pause)) != nil else { return nil }
        }
        return nil
    }

    private static func replicationID(_ info: RESPValue) -> String {
        let name = "master_replid:"
        let line = info.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name) }
        return line.map { String($0.dropFirst(name.count)) } ?? ""
    }

    /// Passes on events from both connections, one at a time.
    private final class Link: Sendable {
        private struct State {
            /// nil before anything was told.
            var isLive: Bool?
            var isReported = false
            var replicationIDs: [String]?
        }

        private let state = NIOLockedValueBox(State())
        private let receive: @Sendable (BackplaneEvent) -> Void
        private let logger: Logger

        init(receive: @escaping @Sendable (BackplaneEvent) -> Void, logger: Logger) {
            self.receive = receive
            self.logger = logger
        }

        func tell(_ event: BackplaneEvent) {
            let news: Logger.Level? = state.withLockedValue { state in
                var news: Logger.Level?
                switch event {
                case .live:
                    if state.isLive != true { news = state.isReported ? .notice : .info }
                    state.isLive = true
                    state.isReported = false
                case .lost where state.isLive == false: return nil
                case .lost: state.isLive = false
                case .changed, .written, .everythingWritten: break
                }
                receive(event)
                return news
            }
            guard let news else { return }
            logger.log(level: news, "the backplane is live: changes of other processes are told at once")
        }

        /// Says that there is no subscription, and why, unless that was said.
        func report(_ error: any Error) {
            let isNews = state.withLockedValue { state in
                defer { state.isReported = true }
                return !state.isReported
            }
            guard isNews else { return }
            var metadata: Logger.Metadata = ["error": "\(error)"]
            if (error as? RESPError)?.code == .noPermission {
                metadata["advice"] = "let the user or token subscribe to \(InvalidationMessage.channel)"
            }
            logger.warning(
                "the backplane is not live: until it is, values are checked every l1.recheck, ten times as often",
                metadata: metadata
            )
        }

        /// Something was missed, and nothing will be from now on.
        func tellGap() {
            state.withLockedValue { state in
                guard state.isLive == true else { return }
                receive(.lost)
                receive(.live)
            }
        }

        /// - Parameter ids: nil where nobody knows.
        func serversAre(_ ids: [String]?) {
            let areOthers = state.withLockedValue { state in
                defer { state.replicationIDs = ids ?? state.replicationIDs }
                return state.replicationIDs.map { $0 != ids } ?? false
            }
            if areOthers { tellGap() }
        }
    }
}
