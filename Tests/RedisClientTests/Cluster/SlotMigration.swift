import TestSupport

/// A slot that moves from one node of a cluster to another as `redis-cli --cluster reshard` has it move, step by step.
struct SlotMigration {
    let slot: Int
    let from: RedisServer
    let to: RedisServer
    /// All primaries.
    private let servers: [RedisServer]

    /// Begins.
    init(of slot: Int, from: RedisServer, to: RedisServer, among servers: [RedisServer]) throws {
        self.slot = slot
        self.from = from
        self.to = to
        self.servers = servers
        try to.command("CLUSTER SETSLOT \(slot) IMPORTING \(from.clusterID)")
        try from.command("CLUSTER SETSLOT \(slot) MIGRATING \(to.clusterID)")
    }

    func move(_ key: some StringProtocol) throws {
        try from.command("MIGRATE 127.0.0.1 \(to.port) \(key) 0 5000")
    }

    /// All keys are moved.
    func end() throws {
        let id = try to.clusterID
        try to.command("CLUSTER SETSLOT \(slot) NODE \(id)")
        for server in servers where server !== to { try server.command("CLUSTER SETSLOT \(slot) NODE \(id)") }
    }
}
