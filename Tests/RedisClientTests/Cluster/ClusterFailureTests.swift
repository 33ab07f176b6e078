import RESP
import TestSupport
import Testing

@testable import RedisClient

/// What clients do that meet a dead node before they know who took its place.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClusterFailureTests {
    private func client(
        _ cluster: RedisCluster,
        _ change: (inout RedisClient.Configuration) -> Void = { _ in }
    ) -> RedisClient {
        RedisClient(cluster: cluster) {
            // So that nothing but the failure itself makes the client look.
            $0.topologyInterval = .seconds(3600)
            change(&$0)
        }
    }

    /// A client that knows the cluster and is not connected to a node. On a busy machine it may have asked that, too.
    private func client(_ cluster: RedisCluster, without node: RedisServer) async throws -> RedisClient {
        while true {
            let name = "client-\(UInt64.random(in: 0...UInt64.max))"
            let client = client(cluster) { $0.clientName = name }
            try await client.execute(RESPCommand("GET", "foo"))
            if try !node.command("CLIENT LIST").contains("name=\(name)") { return client }
            await client.close()
        }
    }

    @Test func otherNodesTakeOver() async throws {
        let cluster = try await RedisCluster.start()
        // A node that freezes before there is a connection: its kernel takes one, and nothing answers.
        let frozen = cluster.servers[1]
        let freezing = try await client(cluster, without: frozen)
        let key = try #require(
            (0...).lazy.map { "k\($0)" }.first { (6000...10_000).contains(HashSlot.of(.string($0))) }
        )
        frozen.pause()
        #expect(await eventually { cluster.servers[4].isPrimary && cluster.servers[0].isServing })
        let start = ContinuousClock.now
        #expect(try await freezing.execute(RESPCommand("SET", key, "1")).string == "OK")
        // Far less than it has to connect and to answer.
        #expect(ContinuousClock.now - start < .seconds(10))
        frozen.resume()
        await freezing.close()

        // What is for all primaries goes to the new one, too.
        let counting = client(cluster)
        #expect(try await counting.execute(RESPCommand("DBSIZE")).integer == 1)
        await cluster.servers[2].stop()
        async let size = counting.execute(RESPCommand("DBSIZE"))
        async let keys = counting.execute(RESPCommand("KEYS", "*"))
        async let scanned = counting.scan(count: 100).reduce(into: 0) { count, _ in count += 1 }
        #expect(try await size.integer == 1)
        #expect(try await keys.array?.count == 1)
        #expect(try await scanned == 1)
        #expect(cluster.servers[5].isPrimary)
        await counting.close()
    }

    @Test func readsGoOnWithoutAReplica() async throws {
        let cluster = try await RedisCluster.start(primaries: 1, replicas: 2)
        let client = client(cluster) { configuration in
            var options = RedisClient.Cluster(seeds: [configuration.address])
            options.reads = .replicas
            configuration.topology = .cluster(options)
            // Nodes tell of their replicas once these have acknowledged something.
            configuration.topologyInterval = .milliseconds(50)
        }
        try await client.execute(RESPCommand("SET", "a", "1"))
        let read = RESPCommand("GET", "a")
        // Both replicas are connected.
        #expect(
            try await eventually {
                _ = try await client.execute(read)
                return try cluster.servers.dropFirst().allSatisfy {
                    try $0.command("INFO commandstats").contains("cmdstat_get:")
                }
            }
        )
        await cluster.servers[1].stop()
        for _ in 0..<100 { #expect(try await client.execute(read).string == "1") }
        await cluster.servers[2].stop()
        for _ in 0..<100 { #expect(try await client.execute(read).string == "1") }
    }

    @Test func aNodeThatLoadsItsDataIsWaitedFor() async throws {
        let cluster = try await RedisCluster.start(
            primaries: 1,
            replicas: 0,
            arguments: [
                "--enable-debug-command", "yes", "--rdbcompression", "no",
                "--loading-process-events-interval-bytes", "1024",
            ]
        )
        let (client, server) = (client(cluster) { $0.commandTimeout = .seconds(30) }, cluster.servers[0])
        let values = (0..<50).map { "\($0)" + String(repeating: "x", count: 1024) }
        for (key, value) in values.enumerated() { try await client.execute(RESPCommand("SET", key, value)) }
        // So many microseconds for each key.
        try server.command("CONFIG SET key-load-delay 40000")
        async let loading = server.command("DEBUG RELOAD")
        #expect(await eventually { (try? server.command("INFO persistence"))?.contains("loading:1") == true })
        for (key, value) in values.enumerated() {
            #expect(try await client.execute(RESPCommand("GET", key)).string == value)
        }
        #expect(try server.errors("LOADING") > 0)
        _ = try await loading
    }

    @Test func nodesComeAndGo() async throws {
        let cluster = try await RedisCluster.start(primaries: 3, replicas: 0)
        let client = client(cluster) { $0.topologyInterval = .milliseconds(50) }
        try await client.execute(RESPCommand("SET", "foo", "1"))
        let (bus, first) = (try LoopbackSocket.freePort(), cluster.servers[0])
        let joined = try await RedisServer.start(arguments: [
            "--cluster-enabled", "yes", "--cluster-port", "\(bus)", "--cluster-allow-replica-migration", "no",
        ])
        try first.command("CLUSTER MEET 127.0.0.1 \(joined.port) \(bus)")
        #expect(
            try await eventually {
                try cluster.servers.allSatisfy { try $0.command("CLUSTER NODES").contains(":\(joined.port)@") }
                    && joined.isServing
            }
        )
        func knowsIt() -> Bool {
            guard case .several(let executor) = client.backend else { return false }
            return executor.router.servers.contains {
                $0.configuration.address == .hostname("127.0.0.1", port: joined.port)
            }
        }
        let servers = cluster.servers + [joined]
        for (from, to) in [(servers[2], joined), (joined, servers[2])] {
            let migration = try SlotMigration(of: 12_182, from: from, to: to, among: servers)
            try migration.move("foo")
            #expect(try await client.execute(RESPCommand("INCR", "foo")).integer ?? 0 > 1)
            try migration.end()
            #expect(try await client.execute(RESPCommand("GET", "foo")).integer ?? 0 > 1)
            // As long as it has a slot; later it may be seen to be of no use.
            if to === joined { #expect(knowsIt()) }
        }
        let id = try joined.clusterID
        await joined.stop()
        for server in cluster.servers { try server.command("CLUSTER FORGET \(id)") }
        #expect(await eventually { !knowsIt() })
        #expect(try await client.execute(RESPCommand("GET", "foo")).string == "3")
    }
}
