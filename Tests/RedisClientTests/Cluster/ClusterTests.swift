import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// One cluster for the tests that leave it as it was.
private actor Fixture {
    static let shared = Fixture()
    private var started: Task<RedisCluster, any Error>?

    func cluster() async throws -> RedisCluster {
        let task = started ?? Task { try await RedisCluster.start() }
        started = task
        return try await task.value
    }
}

extension RedisClient {
    /// A client that knows of one node only, to begin with.
    convenience init(cluster: RedisCluster, seed: Int = 0, _ change: (inout Configuration) -> Void = { _ in }) {
        self.init(port: cluster.servers[seed].port) { configuration in
            configuration.topology = .cluster(.init(seeds: [configuration.address]))
            change(&configuration)
        }
    }
}

@Suite(.serialized) struct ClusterTests {
    /// Keys that are spread over all nodes.
    private let keys = (0..<30).map { "key-\($0)" }

    @Test(arguments: RESPProtocol.allCases)
    func findsTheNodeOfEachKey(version: RESPProtocol) async throws {
        let client = RedisClient(cluster: try await Fixture.shared.cluster(), seed: 4) { $0.version = version }
        #expect(!client.isConnected)
        try await client.connect()
        #expect(client.isConnected)
        for key in keys { try await client.execute(RESPCommand("SET", key, "value of \(key)")) }
        for key in keys { #expect(try await client.execute(RESPCommand("GET", key)).string == "value of \(key)") }
        #expect(try await client.execute(RESPCommand("PING")).string == "PONG")
        await client.close()
        #expect(try await clientError { try await client.execute(RESPCommand("GET", "a")) }?.code == .closed)
    }

    @Test func whatLacksAValueIsNotDoneInPart() async throws {
        let client = RedisClient(cluster: try await Fixture.shared.cluster())
        let incomplete = RESPCommand("MSET", arguments: ["half:1", "a", "half:2", "b", "half:3"])
        await #expect(throws: RESPError.self) { try await client.execute(incomplete) }
        let replies = try await client.execute(pipeline: [incomplete, RESPCommand("EXISTS", "half:1", "half:2")])
        #expect(replies.first?.error != nil && replies.last?.integer == 0)
    }

    @Test func answersPipelinesAndCommandsOverManyNodesInOrder() async throws {
        let client = RedisClient(cluster: try await Fixture.shared.cluster())
        let pairs = keys.flatMap { [$0, "value of \($0)"] }
        #expect(try await client.execute(RESPCommand("MSET", arguments: pairs)).string == "OK")
        let values = try await client.execute(RESPCommand("MGET", arguments: keys + ["absent"]))
        #expect(values.array?.map(\.string) == keys.map { "value of \($0)" } + [nil])
        #expect(try await client.execute(RESPCommand("EXISTS", arguments: keys + ["absent"])).integer == keys.count)
        let pipeline = keys.map { RESPCommand("GET", $0) } + [RESPCommand("LPUSH", keys[0], 1), RESPCommand("PING")]
        let replies = try await client.execute(pipeline: pipeline)
        #expect(replies.prefix(keys.count).map(\.string) == keys.map { "value of \($0)" })
        #expect(replies[keys.count].error?.code == .wrongType)
        #expect(replies.last?.string == "PONG")
        #expect(try await client.execute(RESPCommand("DBSIZE")).integer ?? 0 >= keys.count)
        #expect(try await client.execute(RESPCommand("KEYS", "key-*")).array?.count == keys.count)
        var scanned: Set<String> = []
        for try await key in client.scan(matching: "key-*", count: 3) { scanned.insert(key.string ?? "") }
        #expect(scanned == Set(keys))
        #expect(try await client.execute(RESPCommand("DEL", arguments: keys)).integer == keys.count)
    }

    @Test func keepsTransactionsOnOneNode() async throws {
        let client = RedisClient(cluster: try await Fixture.shared.cluster())
        let replies = try await client.execute(pipeline: [
            RESPCommand("MULTI"), RESPCommand("SET", "{t}1", "1"), RESPCommand("INCR", "{t}1"), RESPCommand("EXEC"),
        ])
        #expect(replies.last?.array?.last?.integer == 2)
        // Channels are in no slot.
        let telling = try await client.execute(pipeline: [
            RESPCommand("MULTI"), RESPCommand("PUBLISH", "a", "m"), RESPCommand("INCR", "{t}1"),
            RESPCommand("PUBLISH", "b", "m"), RESPCommand("EXEC"),
        ])
        #expect(telling.last?.array?.map(\.integer) == [0, 3, 0])
        for commands in [
            [RESPCommand("MULTI"), RESPCommand("SET", "a", "1"), RESPCommand("SET", "b", "1"), RESPCommand("EXEC")],
            [RESPCommand("MULTI"), RESPCommand("MGET", "a", "b"), RESPCommand("EXEC")],
            [RESPCommand("RENAME", "a", "b")],
        ] {
            let error = try await clientError { try await client.execute(pipeline: commands) }
            #expect(error?.code == .crossSlot)
            #expect(error?.mayHaveExecuted == false)
        }
        for command in [RESPCommand("DBSIZE"), RESPCommand("SCAN", 0)] {
            let error = try await clientError {
                try await client.execute(pipeline: [RESPCommand("MULTI"), command, RESPCommand("EXEC")])
            }
            #expect(error?.code == .unsupportedCommand)
            #expect(error?.message.contains(command.name) == true)
        }
    }

    @Test func runsScriptsWhereTheirKeysAre() async throws {
        let client = RedisClient(cluster: try await Fixture.shared.cluster())
        let script = RedisScript("return {KEYS[1], redis.call('INCR', KEYS[1])}")
        for round in 1...2 {
            for key in keys {
                let reply = try await client.evaluate(script, keys: ["count-\(key)"])
                #expect(reply.array?.first?.string == "count-\(key)")
                #expect(reply.array?.last?.integer == round)
            }
            try await client.execute(RESPCommand("SCRIPT", "FLUSH"))
        }
    }

    @Test func loadsScriptsAndFunctionsEverywhere() async throws {
        let cluster = try await Fixture.shared.cluster()
        let client = RedisClient(cluster: cluster)
        let library = "#!lua name=everywhere\nredis.register_function('everywhere', function(keys) return keys[1] end)"
        try await client.execute(RESPCommand("FUNCTION", "LOAD", "REPLACE", library))
        for key in keys {
            #expect(try await client.execute(RESPCommand("FCALL", "everywhere", 1, key)).string == key)
        }
        try await client.execute(RESPCommand("function", "delete", "everywhere"))
        for key in keys {
            await #expect(throws: RESPError.self) {
                try await client.execute(RESPCommand("FCALL", "everywhere", 1, key))
            }
        }
        let (known, unknown) = (RedisScript("return 'known'"), RedisScript("return 'unknown'"))
        try await client.execute(RESPCommand("SCRIPT", "LOAD", known.source))
        // One that has it is not all.
        try cluster.servers[0].command("SCRIPT LOAD \"\(unknown.source)\"")
        for _ in 0..<9 {
            let reply = try await client.execute(RESPCommand("SCRIPT", "EXISTS", known.sha1, unknown.sha1))
            #expect(reply.array?.map(\.integer) == [1, 0])
        }
    }

    @Test func readsFromReplicasWhereThatIsWanted() async throws {
        let cluster = try await Fixture.shared.cluster()
        let client = RedisClient(cluster: cluster) {
            var options = RedisClient.Cluster(seeds: [$0.address])
            options.reads = .replicas
            $0.topologyInterval = .milliseconds(50)
            $0.topology = .cluster(options)
        }
        try await client.execute(RESPCommand("SET", "replicated", "yes"))
        #expect(try await eventually { try await client.execute(RESPCommand("GET", "replicated")).string == "yes" })
        // The nodes tell of their replicas once these have acknowledged something. Then no primary is asked.
        let areSpared = try await eventually {
            for server in cluster.servers.prefix(3) { try server.command("CONFIG RESETSTAT") }
            for _ in 0..<20 { try await client.execute(RESPCommand("GET", "replicated")) }
            let replies = try await client.execute(pipeline: [
                RESPCommand("GET", "replicated"), RESPCommand("GET", "x"),
            ])
            #expect(replies.map(\.string) == ["yes", nil])
            return try cluster.servers.prefix(3).allSatisfy {
                try !$0.command("INFO commandstats").contains("cmdstat_get:")
            }
        }
        #expect(areSpared)
        // A write that says it is none is sent on by the replica.
        var write = RESPCommand("SET", "disguised", "1")
        write.isReadOnly = true
        #expect(try await client.execute(write).string == "OK")
    }

    @Test func hashesKeysAsTheServersDo() async throws {
        let server = try await Fixture.shared.cluster().servers[0]
        let characters = Array("ab{}ñ€")
        for _ in 0..<300 {
            let key = String((0..<Int.random(in: 1...9)).compactMap { _ in characters.randomElement() })
            let answer = try server.command("CLUSTER KEYSLOT \(key)")
            #expect(answer == ":\(HashSlot.of(.string(key)))\r\n", "\(key)")
        }
    }

    @Test func hearsWhatIsPublishedOnAnyNode() async throws {
        let cluster = try await Fixture.shared.cluster()
        let client = RedisClient(cluster: cluster)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        for (index, server) in cluster.servers.enumerated() {
            try server.command("PUBLISH news from-\(index)")
            guard case .message(let message) = try await events.next() else { return #expect(Bool(false)) }
            #expect(String(buffer: message.payload) == "from-\(index)")
        }
    }

    @Test func tellsWhatIsWrong() async throws {
        let single = try await RedisServer.start()
        let noCluster = RedisClient(port: single.port) {
            $0.topology = .cluster(.init(seeds: [$0.address]))
            $0.commandTimeout = .milliseconds(200)
        }
        let onConnect = try await clientError { try await noCluster.connect() }
        #expect(onConnect?.code == .connectFailed)
        #expect("\(onConnect, default: "")".contains("cluster support disabled"))
        let onCommand = try await clientError { try await noCluster.execute(RESPCommand("GET", "a")) }
        #expect(onCommand?.code == .timedOut)
        #expect(onCommand?.mayHaveExecuted == false)
        let task = Task { try await noCluster.execute(RESPCommand("GET", "a"), timeout: .seconds(60)) }
        task.cancel()
        #expect(try await clientError { try await task.value }?.code == .cancelled)
        await noCluster.close()
        let nobody = RedisClient(port: try LoopbackSocket.freePort()) {
            $0.topology = .cluster(.init(seeds: [$0.address]))
        }
        #expect(try await clientError { try await nobody.connect() }?.code == .connectFailed)
    }

    @Test(.timeLimit(.minutes(2))) func connectionsOnLeaseAreToPrimariesThoughReplicasAreRead() async throws {
        let cluster = try await RedisCluster.start(primaries: 1, replicas: 1)
        let (old, new) = (cluster.servers[0], cluster.servers[1])
        let client = RedisClient(cluster: cluster) { configuration in
            guard case .cluster(var options) = configuration.topology else { return }
            options.reads = .replicas
            configuration.topology = .cluster(options)
            configuration.topologyInterval = .seconds(3600)
        }
        try await client.execute(RESPCommand("SET", "k", "before"))
        try new.command("CLUSTER FAILOVER TAKEOVER")
        let isReplaced = try await eventually {
            // Both know it; the client does not yet.
            try !old.isPrimary && old.isServing && new.command("CLUSTER NODES").contains("slave")
        }
        #expect(isReplaced)
        let replies = try await client.withTransaction(watching: ["k"]) { _ in [RESPCommand("SET", "k", "after")] }
        #expect(replies?.map(\.string) == ["OK"])
        // What is read apart from others is read from replicas, too.
        guard case .several(let executor) = client.backend else { return #expect(Bool(false)) }
        let place = Place.slot(HashSlot.of("k"))
        let isKnown = try await eventually {
            try executor.router.node(for: place, fromReplica: true)?.configuration.address
                == .hostname("127.0.0.1", port: old.port)
        }
        #expect(isKnown)
        let redirections = try old.errors("MOVED")
        let values = try await client.execute(pipeline: Array(repeating: RESPCommand("GET", "k"), count: 3000))
        #expect(values.allSatisfy { ["before", "after"].contains($0.string) })
        #expect(try old.errors("MOVED") == redirections)
    }

    @Test func speaksTLSToTheHostNamesThatAreAnnounced() async throws {
        let certificates = try await TestCertificates(names: "DNS:localhost")
        let cluster = try await RedisCluster.start(
            replicas: 0,
            arguments: ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"],
            certificates: certificates
        )
        let port = try #require(cluster.servers[0].tlsPort)
        let url = "redis+clusters://localhost:\(port)?cacert=\(certificates.authority)"
        var configuration = try RedisClient.Configuration(url: url)
        configuration.commandTimeout = .seconds(20)
        let client = RedisClient(configuration)
        for key in keys { try await client.execute(RESPCommand("SET", key, key)) }
        for key in keys { #expect(try await client.execute(RESPCommand("GET", key)).string == key) }
    }
}
