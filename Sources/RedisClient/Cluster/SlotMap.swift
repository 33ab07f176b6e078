import RESP

/// Which node has which slot of a cluster. Pure.
struct SlotMap: Equatable {
    typealias Address = RedisClient.Configuration.Address

    /// A primary and its replicas.
    struct Shard: Hashable {
        let primary: Address
        var replicas: [Address] = []
    }

    /// A part of what a node answers: consecutive slots and who has them.
    struct Assignment: Equatable {
        let slots: ClosedRange<Int>
        let shard: Shard
    }

    private(set) var shards: [Shard] = []
    /// For each slot an index of ``shards``; `unassigned` where nobody has it.
    private var owners: [UInt16]
    private(set) var assignedCount = 0

    private static let unassigned = UInt16.max

    init(_ assignments: [Assignment]) {
        owners = Array(repeating: Self.unassigned, count: HashSlot.count)
        var indices: [Address: UInt16] = [:]
        for assignment in assignments {
            let primary = assignment.shard.primary
            let index = indices[primary] ?? UInt16(shards.count)
            if indices[primary] == nil {
                indices[primary] = index
                shards.append(assignment.shard)
            }
            for slot in assignment.slots where owners[slot] == Self.unassigned {
                owners[slot] = index
                assignedCount += 1
            }
        }
    }

    var isComplete: Bool { assignedCount == HashSlot.count }

    /// The index in ``shards`` of whoever has a slot.
    func shard(of slot: Int) -> Int? {
        let owner = owners[slot]
        return owner == Self.unassigned ? nil : Int(owner)
    }

    /// A server said that a slot is elsewhere now.
    ///
    /// - Returns: whether that was not known.
    @discardableResult
    mutating func move(_ slot: Int, to primary: Address) -> Bool {
        if let current = shard(of: slot), shards[current].primary == primary { return false }
        let index = shards.firstIndex { $0.primary == primary } ?? shards.count
        if index == shards.count {
            guard shards.count < HashSlot.count else { return false }
            shards.append(Shard(primary: primary))
        }
        if owners[slot] == Self.unassigned { assignedCount += 1 }
        owners[slot] = UInt16(index)
        return true
    }

    /// Whether each slot has the primary that it has in another map.
    func hasSameOwners(as other: SlotMap) -> Bool {
        owners.indices.allSatisfy { slot in
            shard(of: slot).map { shards[$0].primary } == other.shard(of: slot).map { other.shards[$0].primary }
        }
    }

    /// All primaries that have slots.
    var primaries: [Primary] {
        var found: [Primary?] = Array(repeating: nil, count: shards.count)
        var missing = shards.count
        for slot in owners.indices {
            if missing == 0 { break }
            guard let shard = shard(of: slot), found[shard] == nil else { continue }
            let address = shards[shard].primary
            found[shard] = Primary(address: address, place: .primary(address, ofSlot: slot))
            missing -= 1
        }
        return found.compactMap { $0 }
    }

    /// All nodes there are.
    var addresses: Set<Address> { Set(shards.flatMap { [$0.primary] + $0.replicas }) }
}

extension SlotMap {
    /// Reads the answer to `CLUSTER SLOTS`: `[[first, last, primary, replica…]…]`.
    ///
    /// A node is `[endpoint, port, id, [name, value…]]`. The endpoint is the address or the host name that the cluster
    /// was told to announce, or null where clients are to use the address that they have.
    ///
    /// Slots whose primary cannot be made out count as nobody's.
    ///
    /// - Parameter node: the one that answered.
    /// - Throws: ``RedisClientError/Code/protocolViolation``, also where no primary can be made out.
    init(clusterSlots reply: RESPValue, from node: Address) throws(RedisClientError) {
        guard let entries = reply.array, entries.count <= HashSlot.count else { throw Self.unreadable }
        var assignments: [Assignment] = []
        for entry in entries {
            guard let parts = entry.array, parts.count >= 2, let first = parts[0].integer, let last = parts[1].integer,
                first >= 0, first <= last, last < HashSlot.count
            else { throw Self.unreadable }
            let nodes = parts[2...].map { Self.address($0, from: node) }
            guard let primary = nodes.first ?? nil else { continue }
            // Nodes list them in orders of their own.
            let replicas = nodes.dropFirst().compactMap { $0 }.sorted { $0.description < $1.description }
            let shard = Shard(primary: primary, replicas: replicas)
            assignments.append(Assignment(slots: first...last, shard: shard))
        }
        if assignments.isEmpty, !entries.isEmpty { throw Self.unreadable }
        self.init(assignments.sorted { $0.slots.lowerBound < $1.slots.lowerBound })
    }

    private static func address(_ value: RESPValue, from node: Address) -> Address? {
        guard let parts = value.array, parts.count >= 2, let port = parts[1].integer, (1...65_535).contains(port) else {
            return nil
        }
        var host = parts[0].string
        // Host names are preferred and this node has none; its address is among what else is told of it.
        if host == "?" {
            host = parts.count > 3 ? parts[3].pairs?.first { $0.key.string == "ip" }?.value.string : nil
        }
        return .announced(host: host.flatMap { $0.isEmpty ? nil : $0 }, port: port, by: node)
    }

    private static var unreadable: RedisClientError {
        RedisClientError(.protocolViolation, "The server's description of the cluster cannot be understood.")
    }
}
