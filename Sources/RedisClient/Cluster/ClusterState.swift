import NIOCore

/// What a client knows of a cluster, and its connections to the nodes.
struct ClusterState {
    typealias Address = RedisClient.Configuration.Address

    /// The nodes of one shard of the map.
    struct Members {
        let primary: RedisNode
        let replicas: [RedisNode]
    }

    /// `nil` until some node has told.
    private(set) var map: SlotMap?
    private(set) var nodes: [Address: RedisNode] = [:]
    /// In the order of the map's shards.
    private var members: [Members] = []
    /// Nodes that were asked for and are not in the map: they may have no slots yet, or none any longer.
    private var strangers: Set<Address> = []
    /// Why the last look came to nothing.
    var lastFailure: RedisClientError?
    var reports = OutageReports()
    /// Nodes to ask first, since they know something new; and last, since they failed.
    var informants: Set<Address> = []
    var suspects: Set<Address> = []
    /// Replicas that are of no use until then.
    private var resting: [Address: NIODeadline] = [:]
    var isClosed = false

    mutating func node(at address: Address, make: (Address) -> RedisNode) -> RedisNode {
        if let node = nodes[address] { return node }
        let node = make(address)
        nodes[address] = node
        return node
    }

    /// - Parameter random: picks one of so many.
    func node(for place: Place, fromReplica: Bool, random: (Int) -> Int) -> RedisNode? {
        guard let map, !members.isEmpty else { return nil }
        let shard: Int?
        switch place {
        case .slot(let slot): shard = map.shard(of: slot)
        case .primary(let address, let slot):
            shard = map.shards.firstIndex { $0.primary == address } ?? map.shard(of: slot)
        case .channel(let slot): return pick(members.count, from: map.shard(of: slot) ?? 0) { members[$0].primary }
        case .anyPrimary, .node: shard = nil
        }
        // Whoever is asked for a slot that nobody has says so.
        guard let shard else {
            let start = random(members.count)
            return connectedPrimary(from: start) ?? pick(members.count, from: start) { members[$0].primary }
        }
        let nodes = members[shard]
        guard fromReplica, case .slot = place, !nodes.replicas.isEmpty else { return nodes.primary }
        let replica = pick(nodes.replicas.count, from: random(nodes.replicas.count)) { nodes.replicas[$0] }
        return isOfUse(replica) ? replica : nodes.primary
    }

    /// The first of several, from one on, that answers; if none does, that one.
    private func pick(_ count: Int, from start: Int, _ node: (Int) -> RedisNode) -> RedisNode {
        for offset in 0..<count {
            let candidate = node((start + offset) % count)
            if isOfUse(candidate) { return candidate }
        }
        return node(start)
    }

    /// The first from one on that need not be connected to, and has failed nobody since the last look.
    private func connectedPrimary(from start: Int) -> RedisNode? {
        (start..<start + members.count).lazy.map { members[$0 % members.count].primary }.first {
            $0.isConnected && isOfUse($0) && !suspects.contains($0.configuration.address)
        }
    }

    /// Whether no other node is of use for what this one could do with others: a replica's primary, or any primary.
    func isAlone(_ address: Address) -> Bool {
        if isReplica(address), let shard = map?.shards.firstIndex(where: { $0.replicas.contains(address) }) {
            return !isOfUse(members[shard].primary)
        }
        return !members.contains { $0.primary.configuration.address != address && isOfUse($0.primary) }
    }

    private func isOfUse(_ node: RedisNode) -> Bool {
        if let end = resting[node.configuration.address], NIODeadline.now() < end { return false }
        return !node.isFailing
    }

    /// Whether a node is a replica only. What another told of a moved slot may have made it a primary beside.
    func isReplica(_ address: Address) -> Bool {
        guard let map else { return false }
        return map.shards.contains { $0.replicas.contains(address) } && !map.shards.contains { $0.primary == address }
    }

    /// Turns to a replica no more for a while.
    mutating func rest(_ address: Address, until end: NIODeadline) {
        resting = resting.filter { $0.value > .now() }
        resting[address] = end
    }

    /// - Returns: whether that was not known.
    mutating func move(_ slot: Int, to address: Address, make: (Address) -> RedisNode) -> Bool {
        let isNew = map?.move(slot, to: address) ?? false
        updateMembers(make)
        return isNew
    }

    struct Change {
        /// Whether anything is another than it was.
        var isNew = false
        /// Whether a slot has another primary than it had.
        var hasMovedSlots = false
        /// Whether a primary is one no longer, so that what it did last may be lost.
        var hasLostPrimary = false
        /// Nodes that are needed no longer.
        var unneeded: [RedisNode] = []
    }

    /// Takes over what a node told.
    mutating func apply(_ new: SlotMap, make: (Address) -> RedisNode) -> Change {
        let primaries = Set(new.shards.map(\.primary))
        let hasLostPrimary = map?.shards.contains { !primaries.contains($0.primary) } ?? false
        let isNew = map != new
        let replicas = Set(map?.shards.flatMap(\.replicas) ?? [])
        let hasMovedSlots = isNew && map.map { !$0.hasSameOwners(as: new) } ?? false
        map = new
        lastFailure = nil
        reports.end()
        updateMembers(make)
        let absent = Set(nodes.keys).subtracting(new.addresses)
        // Those that slots are moving to are not in the map yet; they are given the time until the next look. What was
        // read from a replica that left is told of no longer.
        let unneeded = absent.intersection(strangers.union(replicas)).compactMap { nodes.removeValue(forKey: $0) }
        strangers = absent.subtracting(unneeded.map(\.configuration.address))
        return Change(isNew: isNew, hasMovedSlots: hasMovedSlots, hasLostPrimary: hasLostPrimary, unneeded: unneeded)
    }

    private mutating func updateMembers(_ make: (Address) -> RedisNode) {
        guard let map else { return }
        members = map.shards.map { shard in
            Members(
                primary: node(at: shard.primary, make: make),
                replicas: shard.replicas.map { node(at: $0, make: make) }
            )
        }
    }

    /// Whom to ask about the cluster, best first.
    func informants(seeds: [Address], shuffle: ([Address]) -> [Address]) -> [Address] {
        func rank(_ address: Address) -> Int {
            if suspects.contains(address) { return 4 }
            if informants.contains(address) { return 0 }
            guard let node = nodes[address] else { return 3 }
            return node.isConnected ? 1 : node.isFailing ? 3 : 2
        }
        var known = Set(nodes.keys)
        if let map { known.formIntersection(map.addresses.union(informants)) }
        let all = shuffle(Array(known)) + shuffle(seeds.filter { !known.contains($0) })
        var order = all.enumerated()
            .sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
        // All that are known may be gone at once.
        if let seed = order.firstIndex(where: seeds.contains), seed > 2 { order.insert(order.remove(at: seed), at: 2) }
        return order
    }
}
