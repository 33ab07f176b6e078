import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// The primary that sentinels name.
final class SentinelRouter: NodeRouter {
    private struct State {
        var view: SentinelView
        var primary: RedisNode?
        var sentinels: [Address: RedisNode] = [:]
        /// Who is the primary now by what one sentinel said, as long as neither it nor most others were found to say so.
        var announced: Address?
        var lastFailure: RedisClientError?
        var isClosed = false
    }

    private let configuration: RedisClient.Configuration
    private let sentinel: RedisClient.Sentinel
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    /// Serves pauses only.
    private let eventLoop: any EventLoop
    private let state: NIOLockedValueBox<State>
    private let refresher: TopologyRefresher
    private let alarm: FailoverAlarm
    let observers = ConnectionObservers()
    let change = ChangeNotice()
    let invalidations = InvalidationBroadcast()

    /// Once most sentinels have answered, the others have so long.
    private static let grace = TimeAmount.milliseconds(100)

    init(
        configuration: RedisClient.Configuration,
        sentinel: RedisClient.Sentinel,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) {
        self.configuration = configuration
        self.sentinel = sentinel
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        eventLoop = eventLoopGroup.next()
        state = NIOLockedValueBox(State(view: SentinelView(sentinels: sentinel.sentinels)))
        refresher = TopologyRefresher(eventLoop: eventLoopGroup.next(), interval: configuration.topologyInterval)
        alarm = FailoverAlarm(
            configuration: Self.sentinelConfiguration(configuration, sentinel),
            primaryName: sentinel.primaryName,
            eventLoop: eventLoopGroup.next(),
            logger: logger
        )
        refresher.use { [weak self] in await self?.look() ?? true }
    }

    private static func sentinelConfiguration(
        _ configuration: RedisClient.Configuration,
        _ sentinel: RedisClient.Sentinel
    ) -> RedisClient.Configuration {
        var configuration = configuration.server(at: configuration.address, peer: .any)
        configuration.username = sentinel.username
        configuration.password = sentinel.password
        configuration.database = 0
        configuration.rotation = CredentialRotation()
        return configuration
    }

    // MARK: Routes

    var readsFromReplicas: Bool { false }

    func route(_ command: RESPCommand) throws(RedisClientError) -> CommandRoute { .one(.anyPrimary) }

    func route(transaction: ArraySlice<RESPCommand>) throws(RedisClientError) -> Place { .anyPrimary }

    func node(for place: Place, fromReplica: Bool) throws(RedisClientError) -> RedisNode? {
        let (primary, isClosed) = state.withLockedValue { ($0.primary, $0.isClosed) }
        if isClosed { throw RedisClientError.clientClosed }
        return primary
    }

    func isReplica(_ node: RedisNode) -> Bool { false }

    var servers: [RedisNode] { state.withLockedValue { $0.primary.map { [$0] } ?? [] } }

    var primaries: [Primary] {
        state.withLockedValue { $0.view.primary.map { [Primary(address: $0, place: .anyPrimary)] } ?? [] }
    }

    private var lastFailure: RedisClientError? { state.withLockedValue { $0.lastFailure } }

    private var isKnown: Bool { state.withLockedValue { $0.primary != nil } }

    func discover(until deadline: NIODeadline) async throws(RedisClientError) {
        try await refresher.discover(until: deadline, orThrow: "No sentinel named the primary in time.") {
            self.state.withLockedValue {
                (isKnown: $0.primary != nil, isClosed: $0.isClosed, failure: $0.lastFailure)
            }
        }
    }

    // MARK: Changes

    /// There are no slots here, so that no server redirects.
    func follow(_ redirect: Redirect) {}

    func turnedAway(by node: RedisNode, _ reason: FollowUp.Reason, fromReplica: Bool) -> Bool {
        if reason != .busy { refresher.request(isNews: reason == .changed) }
        // Its address may be that of the next primary too.
        if reason == .changed { node.renewConnections() }
        return false
    }

    func suspect(_ node: RedisNode) {
        refresher.request()
    }

    /// Asks all sentinels that can be reached.
    private func look() async -> Bool {
        let (sentinels, announced) = state.withLockedValue { state in
            state.view.beginRound()
            return (state.view.sentinels, state.announced)
        }
        listen(to: sentinels)
        let failure = await ask(sentinels)
        let isLost = state.withLockedValue { $0.primary?.isFailing ?? true }
        update { $0.endRound(isLost: isLost) }
        for node in takeForgotten() { node.abandon(because: .serverLeft) }
        listen(to: state.withLockedValue { $0.view.sentinels })
        return state.withLockedValue { state in
            if state.isClosed { return true }
            guard let primary = state.primary else {
                state.lastFailure =
                    failure as? RedisClientError
                    ?? RedisClientError(.connectFailed, "No sentinel names the primary.", underlying: failure)
                return false
            }
            // What was announced since they may not have known.
            let isAnswered = state.view.hasMajority && state.announced == announced
            if isAnswered || state.announced == state.view.primary { state.announced = nil }
            return !primary.isFailing && state.announced == nil
        }
    }

    private func listen(to sentinels: [Address]) {
        alarm.listen(to: sentinels) { [weak self] notice in self?.heard(notice) }
    }

    private func heard(_ notice: FailoverAlarm.Notice) {
        switch notice {
        case .switched(let primary):
            // What the others say after the first is no news.
            let isKnown = state.withLockedValue { state in
                let isKnown = primary != nil && state.view.primary == primary
                state.announced = isKnown ? nil : primary
                return isKnown
            }
            if !isKnown { refresher.request(isNews: true) }
        case .gap:
            refresher.request()
        }
    }

    /// Hears all that answer; those that do not, only until most have.
    ///
    /// - Returns: why one of them did not.
    private func ask(_ sentinels: [Address]) async -> (any Error)? {
        await withTaskGroup(of: Result<SentinelView.Answer?, Failure>.self) { group in
            for address in sentinels { group.addTask { await self.ask(address) } }
            var failure: Failure?
            var asked = sentinels.count
            var isEnding = false
            for await result in group {
                asked -= 1
                switch result {
                case .success(let answer?): update { $0.hear(answer) }
                case .success(nil): asked = 0
                case .failure(let next):
                    if failure.map({ $0.weight < next.weight }) ?? true { failure = next }
                }
                if asked == 0 { group.cancelAll() }
                guard asked > 0, !isEnding, state.withLockedValue({ $0.view.hasMajority }) else { continue }
                isEnding = true
                group.addTask {
                    await self.eventLoop.pause(Self.grace)
                    return .success(nil)
                }
            }
            return failure?.error
        }
    }

    private struct Failure: Error {
        let error: any Error
        let weight: FailureWeight
    }

    /// Connections to sentinels that are none any longer.
    private func takeForgotten() -> [RedisNode] {
        state.withLockedValue { state in
            let forgotten = Set(state.sentinels.keys).subtracting(state.view.sentinels)
            return forgotten.compactMap { state.sentinels.removeValue(forKey: $0) }
        }
    }

    private func ask(_ address: Address) async -> Result<SentinelView.Answer?, Failure> {
        var isAnswered = false
        do {
            let node = try state.withLockedValue { state in
                if state.isClosed { throw RedisClientError.clientClosed }
                if let node = state.sentinels[address] { return node }
                let settings = Self.sentinelConfiguration(configuration, sentinel).server(at: address, peer: .any)
                let node = RedisNode(configuration: settings, eventLoop: eventLoopGroup.next(), logger: logger)
                state.sentinels[address] = node
                return node
            }
            let deadline = NIODeadline.now() + configuration.surveyPatience
            try await node.connect(until: deadline)
            let replies = try await node.run(SentinelView.Answer.questions(sentinel.primaryName), deadline: deadline)
            isAnswered = true
            return .success(try SentinelView.Answer(replies, from: address))
        } catch {
            let error = Self.naming(address, error)
            return .failure(Failure(error: error, weight: FailureWeight(error, isAnswered: isAnswered)))
        }
    }

    /// Sentinels have credentials of their own; what a connection says does not tell whose it misses.
    private static func naming(_ address: Address, _ error: any Error) -> any Error {
        guard let error = error as? RedisClientError, error.code == .authenticationFailed else { return error }
        return RedisClientError(
            error.code,
            "\(error.message) That is the sentinel \(address); in a URL its user and password are sentinelUser and "
                + "sentinelPassword.",
            underlying: error.underlying
        )
    }

    /// Changes the view, and with it the primary if that is another now.
    private func update(_ change: (inout SentinelView) -> Bool) {
        let (old, new) = state.withLockedValue { state -> (RedisNode?, RedisNode?) in
            guard !state.isClosed, change(&state.view), let address = state.view.primary else { return (nil, nil) }
            let new = RedisNode(
                configuration: configuration.server(at: address, peer: .primary, isTracking: true),
                eventLoop: eventLoopGroup.next(),
                logger: logger,
                invalidations: invalidations,
                watch: { [weak self] event in self?.linkChanged(event) }
            )
            defer { state.primary = new }
            return (state.primary, new)
        }
        guard let new else { return }
        logger.info("The sentinels name a primary.", metadata: ["redis.server": "\(new.configuration)"])
        // The old one does not tell what becomes of the keys at the new one.
        if old != nil, configuration.clientSideCaching { invalidations.put(.everything(.moved)) }
        // What waits for it goes to the new one; what is on its connection is answered or fails.
        old?.abandon(because: .serverLeft)
        refresher.announce()
        self.change.tell(isGap: old != nil)
    }

    private func linkChanged(_ event: LinkEvent) {
        switch event {
        case .connected:
            observers.notify(.connected)
        case .lost:
            observers.notify(.disconnected)
            refresher.request()
        case .ended:
            observers.notify(.disconnected)
        case .leaving:
            change.tell(isGap: true)
        case .failed, .late:
            refresher.request()
        }
    }

    // MARK: Connections

    var isConnected: Bool { state.withLockedValue { $0.primary?.isConnected ?? false } }

    var subscriptionPlace: SubscriptionPlace {
        SubscriptionPlace(
            connector: { [weak self] in
                guard let self else { return nil }
                guard let primary = state.withLockedValue({ $0.view.primary }) else {
                    refresher.request()
                    return nil
                }
                return Connector(configuration: self.configuration.server(at: primary, peer: .primary))
            },
            isRight: { [weak self] address in
                self?.state.withLockedValue { $0.view.primary == address } ?? true
            }
        )
    }

    func connect(until deadline: NIODeadline) async throws {
        await refresher.find(until: deadline, isKnown: { self.isKnown }, failure: { self.lastFailure })
        while true {
            guard let node = try node(for: .anyPrimary, fromReplica: false) else {
                if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
                throw lastFailure
                    ?? RedisClientError(.timedOut, "No sentinel named the primary in time.")
            }
            do {
                return try await node.connect(until: deadline)
            } catch let error as RedisClientError where error.code == .connectionLost {
                // It was left: there is another primary.
            }
        }
    }

    func takeNodes() -> [RedisNode] {
        let nodes = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.sentinels.values) + (state.primary.map { [$0] } ?? [])
        }
        refresher.close()
        alarm.close()
        return nodes
    }
}
