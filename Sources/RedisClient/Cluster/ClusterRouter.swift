import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// The nodes of a cluster, and which of them has which slot.
final class ClusterRouter: NodeRouter {
    private let configuration: RedisClient.Configuration
    private let cluster: RedisClient.Cluster
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let state = NIOLockedValueBox(ClusterState())
    private let refresher: TopologyRefresher
    let observers = ConnectionObservers()
    let change = ChangeNotice()
    let invalidations = InvalidationBroadcast()

    /// A replica that is not ready to answer is not asked for so long.
    private static let restOfReplicas = TimeAmount.seconds(1)

    init(
        configuration: RedisClient.Configuration,
        cluster: RedisClient.Cluster,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) {
        self.configuration = configuration
        self.cluster = cluster
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        refresher = TopologyRefresher(eventLoop: eventLoopGroup.next(), interval: configuration.topologyInterval)
        refresher.use { [weak self] in await self?.look() ?? true }
    }

    private func makeNode(_ address: Address) -> RedisNode {
        RedisNode(
            configuration: configuration.server(
                at: address,
                peer: readsFromReplicas ? .readReplica : .any,
                isTracking: true
            ),
            eventLoop: eventLoopGroup.next(),
            logger: logger,
            invalidations: invalidations,
            watch: { [weak self] event in self?.linkChanged(event, of: address) }
        )
    }

    private func linkChanged(_ event: LinkEvent, of address: Address) {
        switch event {
        case .connected:
            observers.notify(.connected)
            let stuck = state.withLockedValue { state in
                state.nodes.filter { $0.value.isFailing && !state.isAlone($0.key) }.values
            }
            for node in stuck { node.releaseOffline { $0.mayMove } }
        case .lost:
            observers.notify(.disconnected)
            refresher.request()
        case .ended:
            observers.notify(.disconnected)
        case .leaving:
            break
        case .failed, .late:
            let node = state.withLockedValue { $0.isAlone(address) ? nil : $0.nodes[address] }
            node?.releaseOffline { $0.mayMove }
            refresher.request()
        }
    }

    // MARK: Routes

    var readsFromReplicas: Bool { cluster.reads == .replicas }

    func route(_ command: RESPCommand) throws(RedisClientError) -> CommandRoute {
        try .inCluster(command)
    }

    func route(transaction: ArraySlice<RESPCommand>) throws(RedisClientError) -> Place {
        var place = Place.anyPrimary
        for command in transaction {
            switch try CommandRoute.inCluster(command) {
            case .one(let next):
                guard let both = place.joined(with: next) else { throw .crossSlot("The keys of the transaction") }
                place = both
            case .parts:
                throw .crossSlot("The keys of the transaction")
            case .everyPrimary, .primariesInTurn:
                throw RedisClientError(
                    .unsupportedCommand,
                    "\(command.name) is for all nodes of a cluster, and a transaction for one."
                )
            }
        }
        return place
    }

    func node(for place: Place, fromReplica: Bool) throws(RedisClientError) -> RedisNode? {
        let (node, isClosed) = state.withLockedValue { state -> (RedisNode?, Bool) in
            if state.isClosed { return (nil, true) }
            if case .node(let address) = place { return (state.node(at: address, make: makeNode), false) }
            return (state.node(for: place, fromReplica: fromReplica) { Int.random(in: 0..<$0) }, false)
        }
        if isClosed { throw RedisClientError.clientClosed }
        return node
    }

    func isReplica(_ node: RedisNode) -> Bool {
        state.withLockedValue { $0.isReplica(node.configuration.address) }
    }

    var servers: [RedisNode] { state.withLockedValue { Array($0.nodes.values) } }

    var primaries: [Primary] { state.withLockedValue { $0.map }?.primaries ?? [] }

    private var lastFailure: RedisClientError? { state.withLockedValue { $0.lastFailure } }

    private var isKnown: Bool { state.withLockedValue { $0.map != nil } }

    func discover(until deadline: NIODeadline) async throws(RedisClientError) {
        try await refresher.discover(until: deadline, orThrow: "No node of the cluster answered in time.") {
            self.state.withLockedValue {
                (isKnown: $0.map != nil, isClosed: $0.isClosed, failure: $0.lastFailure)
            }
        }
    }

    // MARK: Changes

    func follow(_ redirect: Redirect) {
        guard !redirect.isAsk else { return }
        let isNews = state.withLockedValue { state in
            guard !state.isClosed else { return false }
            state.informants.insert(redirect.target)
            return state.move(redirect.slot, to: redirect.target, make: makeNode)
        }
        if isNews { slotsMoved() }
        refresher.request(isNews: isNews)
    }

    /// Who had a slot no longer tells what becomes of its keys.
    private func slotsMoved() {
        if configuration.clientSideCaching { invalidations.put(.everything(.moved)) }
    }

    func turnedAway(by node: RedisNode, _ reason: FollowUp.Reason, fromReplica: Bool) -> Bool {
        let address = node.configuration.address
        let reason = state.withLockedValue { state -> FollowUp.Reason? in
            let isReplica = state.isReplica(address)
            if isReplica, fromReplica {
                state.rest(address, until: .now() + Self.restOfReplicas)
                return nil
            }
            // What a server takes for a primary has become one, so that the map is old.
            let reason = isReplica && reason == .busy ? .changed : reason
            switch reason {
            case .busy: break
            case .unavailable: state.suspects.insert(address)
            case .changed: state.informants.insert(address)
            }
            return reason
        }
        guard let reason else { return true }
        if reason != .busy { refresher.request(isNews: reason == .changed) }
        return false
    }

    func suspect(_ node: RedisNode) {
        state.withLockedValue { _ = $0.suspects.insert(node.configuration.address) }
        refresher.request()
    }

    /// Asks nodes until one knows the cluster.
    private func look() async -> Bool {
        let candidates = state.withLockedValue { state in
            defer {
                state.informants = []
                state.suspects = []
            }
            return state.informants(seeds: cluster.seeds) { $0.shuffled() }
        }
        let findings = await ClusterSurvey(eventLoop: eventLoopGroup.next(), ask: ask).run(candidates)
        // Whoever let this look wait is asked last by the next.
        state.withLockedValue { $0.suspects.formUnion(findings.late) }
        if let map = findings.map { return apply(map) }
        let failure =
            findings.answers > 0
            ? RedisClientError(.connectFailed, "The cluster has no slots assigned.") : findings.failure
        let (isNews, isClosed) = state.withLockedValue { state in
            state.lastFailure = failure
            return (state.reports.take(failure), state.isClosed)
        }
        logger.report("The cluster's nodes are not known.", failure, of: configuration, isNews: isNews)
        return isClosed
    }

    @Sendable
    private func ask(_ address: Address) async throws -> SlotMap {
        guard let node = try node(for: .node(address), fromReplica: false) else { throw RedisClientError.clientClosed }
        let deadline = NIODeadline.now() + configuration.surveyPatience
        try await node.connect(until: deadline)
        let reply = try await node.run(RESPCommand("CLUSTER", "SLOTS"), deadline: deadline)
        return try SlotMap(clusterSlots: reply, from: address)
    }

    /// - Returns: whether all primaries can be reached, as far as is known.
    private func apply(_ map: SlotMap) -> Bool {
        let (change, stranded) = state.withLockedValue { state -> (ClusterState.Change, [RedisNode]) in
            guard !state.isClosed else { return (ClusterState.Change(), []) }
            let away = state.nodes.values.filter { !$0.isConnected }
            let change = state.apply(map, make: makeNode)
            return (change, change.isNew ? away : away.filter { state.isReplica($0.configuration.address) })
        }
        if change.hasMovedSlots { slotsMoved() }
        for node in change.unneeded { node.abandon(because: .serverLeft) }
        // What waits for a node that is away may have another node now. It may also come to that only behind its new map.
        let isNew = change.isNew
        for node in stranded {
            node.releaseOffline { isNew || !$0.mayMove }
            if isNew { node.leases.releaseWaiting() }
        }
        if change.isNew {
            logger.debug("The cluster's slots are known.", metadata: ["redis.cluster.primaries": "\(map.shards.count)"])
            self.change.tell(isGap: change.hasLostPrimary)
        }
        return state.withLockedValue { state in
            state.isClosed || map.shards.allSatisfy { state.nodes[$0.primary]?.isFailing != true }
        }
    }

    // MARK: Connections

    var isConnected: Bool { state.withLockedValue { $0.nodes.values.contains { $0.isConnected } } }

    /// Any primary hears what is published anywhere in the cluster.
    var subscriptionPlace: SubscriptionPlace {
        SubscriptionPlace(
            connector: { [weak self] in
                guard let self else { return nil }
                let known = state.withLockedValue { state in
                    state.node(for: .anyPrimary, fromReplica: false) { Int.random(in: 0..<$0) }?.configuration.address
                }
                if known == nil { refresher.request() }
                return (known ?? cluster.seeds.randomElement()).map {
                    Connector(configuration: self.configuration.server(at: $0, peer: .any))
                }
            },
            isRight: { [weak self] address in
                self?.state.withLockedValue { $0.map?.addresses.contains(address) } ?? true
            }
        )
    }

    func connect(until deadline: NIODeadline) async throws {
        await refresher.find(until: deadline, isKnown: { self.isKnown }, failure: { self.lastFailure })
        while true {
            guard let node = try node(for: .anyPrimary, fromReplica: false) else {
                if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
                throw lastFailure
                    ?? RedisClientError(.timedOut, "No node of the cluster answered in time.")
            }
            let isAlone = state.withLockedValue { $0.isAlone(node.configuration.address) }
            do {
                return try await node.connect(until: min(deadline, .now() + configuration.surveyPatience))
            } catch {
                // Another may be back by now.
                let isOver = isAlone && (error as? RedisClientError)?.code != .timedOut
                if isOver || Task.isCancelled || NIODeadline.now() >= deadline { throw error }
            }
        }
    }

    func takeNodes() -> [RedisNode] {
        let nodes = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.nodes.values)
        }
        refresher.close()
        return nodes
    }
}
