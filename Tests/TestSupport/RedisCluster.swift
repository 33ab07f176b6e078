import Foundation

/// A Redis Cluster of real servers of the test's own. They end as ``RedisServer`` says.
public final class RedisCluster: Sendable {
    /// The primaries, then for each of them in turn a replica, if there are any.
    public let servers: [RedisServer]
    public let primaryCount: Int
    /// The servers' names in the cluster, in the same order.
    public let ids: [String]

    /// - Parameters:
    ///   - arguments: further options of each `redis-server`.
    ///   - certificates: if given, nodes speak TLS to each other, and announce their TLS ports to those who do.
    public static func start(
        primaries: Int = 3,
        replicas: Int = 3,
        arguments: [String] = [],
        certificates: TestCertificates? = nil
    ) async throws -> RedisCluster {
        let security = certificates == nil ? [] : ["--tls-cluster", "yes", "--tls-replication", "yes"]
        let buses = try (0..<(primaries + replicas)).map { _ in try LoopbackSocket.freePort() }
        let servers = try await withThrowingTaskGroup(of: (Int, RedisServer).self) { group in
            for (index, bus) in buses.enumerated() {
                let options =
                    [
                        "--cluster-enabled", "yes", "--cluster-port", "\(bus)", "--cluster-node-timeout", "1000",
                        "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
                    ] + security + arguments
                group.addTask {
                    (index, try await RedisServer.start(arguments: options, certificates: certificates))
                }
            }
            var servers: [Int: RedisServer] = [:]
            for try await (index, server) in group { servers[index] = server }
            return buses.indices.compactMap { servers[$0] }
        }
        let cluster = try RedisCluster(servers: servers, primaryCount: primaries)
        try await cluster.join(buses)
        return cluster
    }

    private init(servers: [RedisServer], primaryCount: Int) throws {
        self.servers = servers
        self.primaryCount = primaryCount
        ids = try servers.map { server in
            let lines = try server.command("CLUSTER MYID").split(whereSeparator: \.isNewline)
            guard let id = lines.last, lines.count == 2 else { throw Self.failure("A node has no name.") }
            return String(id)
        }
    }

    private func join(_ buses: [Int]) async throws {
        for (index, server) in servers.enumerated() {
            try server.command("CLUSTER SET-CONFIG-EPOCH \(index + 1)")
            if index < primaryCount {
                let first = index * 16_384 / primaryCount
                let last = (index + 1) * 16_384 / primaryCount - 1
                try server.command("CLUSTER ADDSLOTSRANGE \(first) \(last)")
            }
        }
        try await meet(buses)
        for (index, server) in servers.enumerated().dropFirst(primaryCount) {
            try server.command("CLUSTER REPLICATE \(ids[index % primaryCount])")
        }
        try await wait("be ready") { server in
            let nodes = try server.command("CLUSTER NODES")
            let replicas = nodes.split(separator: "\n").filter { $0.contains("slave") }.count
            return try replicas == self.servers.count - self.primaryCount
                && server.command("CLUSTER INFO").contains("cluster_state:ok")
        }
        for server in servers.dropFirst(primaryCount) {
            guard
                await eventually({ (try? server.command("ROLE"))?.contains("connected") == true })
            else { throw Self.failure("A replica did not connect.") }
        }
    }

    /// Servers forget an introduction that takes them longer than a second.
    private func meet(_ buses: [Int]) async throws {
        for _ in 0..<10 {
            for (server, bus) in zip(servers, buses) {
                try servers[0].command("CLUSTER MEET 127.0.0.1 \(server.tlsPort ?? server.port) \(bus)")
            }
            let haveMet = try await eventually(within: .seconds(3)) {
                try servers.allSatisfy { server in
                    let nodes = try server.command("CLUSTER NODES").split(separator: "\n").filter { $0.contains("@") }
                    return nodes.count == servers.count && !nodes.contains { $0.contains("handshake") }
                }
            }
            if haveMet { return }
        }
        throw Self.failure("The cluster's nodes did not meet.")
    }

    private func wait(_ what: String, _ condition: (RedisServer) throws -> Bool) async throws {
        for server in servers {
            guard try await eventually({ try condition(server) }) else {
                throw Self.failure("The cluster's nodes did not \(what).")
            }
        }
    }

    private static func failure(_ what: String) -> RedisServer.StartError { .init(description: what) }
}
