import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Nodes that say what real ones say only for moments, or only in networks of their own.
@Suite struct ScriptedClusterTests {
    @Test func nodesWithoutANameAreFoundByTheirAddress() async throws {
        // Both have the same port, as nodes in containers do.
        let port = NIOLockedValueBox(0)
        let owner = NIOLockedValueBox("127.0.0.1")
        @Sendable func answer(_ command: [String], from own: String) -> String {
            let (port, owner) = (port.withLockedValue { $0 }, owner.withLockedValue { $0 })
            if command.first == "CLUSTER" { return ScriptedCluster.slots(ScriptedCluster.node("?", port, ip: owner)) }
            return own == owner ? "+\(own)\r\n" : "-MOVED 1 ?:\(port)\r\n"
        }
        let first = try await ScriptedServer.start { answer($0, from: "127.0.0.1") }
        port.withLockedValue { $0 = first.port }
        let second = try await ScriptedServer.start(host: "127.0.0.2", port: first.port) {
            answer($0, from: "127.0.0.2")
        }
        let client = ScriptedCluster.client(first.port)
        for host in ["127.0.0.1", "127.0.0.2", "127.0.0.1"] {
            owner.withLockedValue { $0 = host }
            #expect(try await client.execute(RESPCommand("GET", "a")).string == host)
        }
        for server in [first, second] { try await server.stop() }
    }

    @Test(arguments: ["LOADING Redis is loading", "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN x"])
    func aReplicaThatCannotAnswerIsSpared(refusal: String) async throws {
        let (looks, refusals) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let replica = try await ScriptedServer.start { command in
            if command.first == "READONLY" { return "+OK\r\n" }
            refusals.withLockedValue { $0 += 1 }
            return "-\(refusal)\r\n"
        }
        let port = NIOLockedValueBox(0)
        let primary = try await ScriptedServer.start { command in
            switch command.first {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER":
                looks.withLockedValue { $0 += 1 }
                let own = port.withLockedValue { $0 }
                return ScriptedCluster.slots(
                    ScriptedCluster.node("127.0.0.1", own),
                    ScriptedCluster.node("127.0.0.1", replica.port)
                )
            default: return "+primary\r\n"
            }
        }
        port.withLockedValue { $0 = primary.port }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        let start = ContinuousClock.now
        func read() async throws {
            #expect(try await client.execute(RESPCommand("GET", "a")).string == "primary")
        }
        // One that takes long to connect to is passed.
        let isAsked = try await eventually {
            try await read()
            return refusals.withLockedValue { $0 } > 0
        }
        #expect(isAsked)
        for _ in 0..<50 { try await read() }
        let replies = try await client.execute(pipeline: [RESPCommand("GET", "a"), RESPCommand("GET", "b")])
        #expect(replies.map(\.string) == ["primary", "primary"])
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect(refusals.withLockedValue { $0 } <= 1 + Int(seconds) * 2)
        // A connection that takes a second to make is a reason for one.
        #expect((1...(1 + Int(seconds))).contains(looks.withLockedValue { $0 }))
    }

    /// As they were found: the next lease is for a primary.
    @Test func connectionsForLongReadsAreGivenBack() async throws {
        let (ports, heard) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<[String]>([]))
        let primary = try await ScriptedServer.start { words in
            if words[0] != "CLUSTER" { return "+OK\r\n" }
            return ScriptedCluster.slots(ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) })
        }
        let replica = try await ScriptedServer.start { words in
            if words[0] == "CLUSTER" { return "-ERR not here\r\n" }
            heard.withLockedValue { $0.append(words[0]) }
            return words[0] == "GET" ? "+\(words[1])\r\n" : "+OK\r\n"
        }
        ports.withLockedValue { $0 = [primary.port, replica.port] }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        // One that takes long to connect to is passed.
        let isConnected = try await eventually {
            try await client.execute(RESPCommand("GET", "a"))
            return heard.withLockedValue { $0.contains("GET") }
        }
        #expect(isConnected)
        for _ in 0..<3 {
            heard.withLockedValue { $0 = [] }
            let replies = try await client.execute(pipeline: (0..<3000).map { RESPCommand("GET", "{a}\($0)") })
            #expect(replies.enumerated().allSatisfy { "{a}\($0.offset)" == $0.element.string })
            let commands = heard.withLockedValue { $0 }
            #expect(commands.first == "READONLY" && commands.last == "READWRITE" && commands.count == 3002)
        }
        #expect(replica.acceptedCount == 2)
    }

    /// It would do so for as long as they are asked.
    @Test func aUserWhoMayNotAskForTheSlotsIsToldAtOnce() async throws {
        let server = try await ScriptedServer.start { $0[0] == "CLUSTER" ? "-NOPERM no permissions\r\n" : "+OK\r\n" }
        // The other is away.
        let client = ScriptedCluster.client(server.port) { configuration in
            configuration.topology = .cluster(.init(seeds: [configuration.address, .hostname("127.0.0.1", port: 1)]))
        }
        let error = try await clientError { try await client.execute(RESPCommand("GET", "a")) }
        #expect(error?.code == .authenticationFailed)
        #expect(error?.hint?.contains("+cluster|slots") == true)
    }

    @Test func whatIsForAllPrimariesKeepsOffTheirSharedConnections() async throws {
        // Nobody is asked.
        let client = ScriptedCluster.client(1)
        for command in [RESPCommand("SUBSCRIBE", "a"), RESPCommand("SELECT", 1), RESPCommand("SCRIPT", "KILL")] {
            let error = try await clientError { try await client.executeOnPrimaries(command) }
            #expect(error?.code == .unsupportedCommand)
        }
    }

    @Test(arguments: [false, true])
    func aScriptThatAReplicaDoesNotKnowIsRunByThePrimary(isPipeline: Bool) async throws {
        let (ports, isUnknown) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(false))
        @Sendable func answer(_ command: [String], _ own: String) -> String {
            switch command.first {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER":
                let nodes = ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) }
                return ScriptedCluster.slots(nodes)
            default: return own
            }
        }
        let unknown = "-NOSCRIPT No matching script.\r\n"
        let primary = try await ScriptedServer.start {
            answer($0, isUnknown.withLockedValue { $0 } ? unknown : "+primary\r\n")
        }
        let replica = try await ScriptedServer.start { answer($0, unknown) }
        ports.withLockedValue { $0 = [primary.port, replica.port] }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        let script = RESPCommand("EVALSHA_RO", "digest", 1, "a")
        func run() async throws -> String? {
            let reply =
                try await isPipeline
                ? client.execute(pipeline: [script, RESPCommand("PING")])[0].get() : client.execute(script)
            return reply.string
        }
        #expect(try await run() == "primary")
        isUnknown.withLockedValue { $0 = true }
        let error = await #expect(throws: RESPError.self) { try await run() }
        #expect(error?.code == .noScript)
    }

    @Test func aNodeThatDoesNotTrackIsNotAskedToAtEachRead() async throws {
        let (port, asked) = (NIOLockedValueBox(0), NIOLockedValueBox<[String]>([]))
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO": return "%0\r\n"
            case "CLUSTER": return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            case "CLIENT" where ["TRACKING", "CACHING"].contains(words[1]):
                asked.withLockedValue { $0.append(words[1]) }
                return "-NOPERM this user has no permissions\r\n"
            default: return "+OK\r\n"
            }
        }
        port.withLockedValue { $0 = server.port }
        let client = ScriptedCluster.client(server.port) {
            $0.clientSideCaching = true
            $0.requiresClientSideCaching = false
        }
        try await client.connect()
        let read = RESPCommand("GET", "a")
        for _ in 0..<2 { #expect(try await client.tracked.execute(read).string == "OK") }
        #expect(try await client.tracked.execute(pipeline: [read, read]).map(\.string) == ["OK", "OK"])
        #expect(asked.withLockedValue { $0 } == ["TRACKING"])
    }

    @Test(arguments: [false, true])
    func whatHasNoKeysIsAnsweredByAPrimary(isPipeline: Bool) async throws {
        let ports = NIOLockedValueBox([0, 0])
        @Sendable func answer(_ command: [String], by name: String) -> String {
            switch command.first {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER":
                return ScriptedCluster.slots(ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) })
            default: return "+\(name)\r\n"
            }
        }
        let primary = try await ScriptedServer.start { answer($0, by: "primary") }
        let replica = try await ScriptedServer.start { answer($0, by: "replica") }
        ports.withLockedValue { $0 = [primary.port, replica.port] }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        let commands = [RESPCommand("GET", "a"), RESPCommand("INFO"), RESPCommand("EVAL_RO", "script", 0)]
        var replies: [RESPValue] = []
        if isPipeline {
            replies = try await client.execute(pipeline: commands)
        } else {
            for command in commands { replies.append(try await client.execute(command)) }
        }
        #expect(replies.dropFirst().map(\.string) == ["primary", "primary"])
    }

    @Test(arguments: [false, true])
    func aScriptThatAPrimaryDoesNotKnowIsNotRunAgain(isPipeline: Bool) async throws {
        let (port, runs) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let primary = try await ScriptedServer.start { command in
            switch command.first {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER": return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            default:
                runs.withLockedValue { $0 += 1 }
                return "-NOSCRIPT No matching script.\r\n"
            }
        }
        port.withLockedValue { $0 = primary.port }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        let script = RESPCommand("EVALSHA_RO", "digest", 1, "a")
        let error = await #expect(throws: RESPError.self) {
            try await isPipeline ? client.execute(pipeline: [script])[0].get() : client.execute(script)
        }
        #expect(error?.code == .noScript)
        #expect(runs.withLockedValue { $0 } == 1)
    }

    @Test func aScriptThatAReplicaDoesNotKnowDoesNotHurryAnotherNode() async throws {
        let (ports, asked) = (NIOLockedValueBox([0, 0, 0]), NIOLockedValueBox<[ContinuousClock.Instant]>([]))
        @Sendable func answer(_ command: [String], _ own: String) -> String {
            switch command.first {
            case "READONLY": "+OK\r\n"
            case "CLUSTER": ScriptedCluster.halves(ports.withLockedValue { $0 })
            default: own
            }
        }
        let first = try await ScriptedServer.start { command in
            guard command.first == "GET" else { return answer(command, "+OK\r\n") }
            asked.withLockedValue { $0.append(.now) }
            return asked.withLockedValue { $0.count } == 1 ? "-TRYAGAIN soon\r\n" : "+first\r\n"
        }
        let second = try await ScriptedServer.start { answer($0, "+second\r\n") }
        let replica = try await ScriptedServer.start { answer($0, "-NOSCRIPT No matching script.\r\n") }
        ports.withLockedValue { $0 = [first.port, second.port, replica.port] }
        let client = ScriptedCluster.client(first.port, reads: .replicas)
        // Slots 866 and 12,182.
        let replies = try await client.execute(pipeline: [
            RESPCommand("GET", "hello"), RESPCommand("EVALSHA_RO", "digest", 1, "foo"),
        ])
        #expect(replies.map(\.string) == ["first", "second"])
        // Half of the first pause at least.
        let times = asked.withLockedValue { $0 }
        #expect(times.count == 2 && times[1] - times[0] >= .milliseconds(2))
    }

    /// A node that answers for the other half of the slots than that which a dead one has.
    private static func halfDeadCluster() async throws -> ScriptedServer {
        let port = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { command in
            switch command.first {
            case "CLUSTER": ScriptedCluster.halves([port.withLockedValue { $0 }, 1])
            case "PUBLISH": ":1\r\n"
            default: "+OK\r\n"
            }
        }
        port.withLockedValue { $0 = server.port }
        return server
    }

    @Test func whatAnyNodeTakesPassesADeadOne() async throws {
        let server = try await Self.halfDeadCluster()
        // The dead node has the slot of the channel "foo".
        let message = RESPCommand("PUBLISH", "foo", "m")
        for kind in ["command", "pipeline", "lease"] {
            let client = ScriptedCluster.client(server.port) { $0.commandTimeout = .seconds(60) }
            switch kind {
            case "command": #expect(try await client.execute(message).integer == 1)
            case "pipeline": #expect(try await client.execute(pipeline: [message])[0].integer == 1)
            default: #expect(try await client.withConnection { try await $0.execute(message) }.integer == 1)
            }
        }
    }

    /// Whoever asked where a command belongs just before there was another map.
    @Test func whatComesTooLateToANodeThatWasReplacedGoesOn() async throws {
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let (port, isReplaced) = (NIOLockedValueBox(0), NIOLockedValueBox(false))
        let server = try await ScriptedServer.start { words in
            let ports = [port.withLockedValue { $0 }, silent.port]
            if words[0] != "CLUSTER" { return "+OK\r\n" }
            guard isReplaced.withLockedValue({ $0 }) else { return ScriptedCluster.halves(ports) }
            return ScriptedCluster.slots(ports.map { ScriptedCluster.node("127.0.0.1", $0) })
        }
        port.withLockedValue { $0 = server.port }
        let client = ScriptedCluster.client(server.port)
        guard case .several(let executor) = client.backend else { return #expect(Bool(false)) }
        try await client.connect()
        let node = try #require(try executor.router.node(for: .slot(16_383), fromReplica: false))
        #expect(node.configuration.address == .hostname("127.0.0.1", port: silent.port))
        isReplaced.withLockedValue { $0 = true }
        executor.router.suspect(node)
        #expect(await eventually { executor.router.primaries.count == 1 })
        let error = try await clientError {
            try await node.run(RESPCommand("SET", "foo", 1), deadline: .now() + .seconds(60))
        }
        #expect(error?.code == .connectionLost && error?.mayHaveExecuted == false)
    }

    @Test func oneNodeThatCanBeReachedIsAConnection() async throws {
        let server = try await Self.halfDeadCluster()
        for _ in 0..<20 {
            let client = ScriptedCluster.client(server.port)
            try await client.connect()
        }
    }

    @Test func aReadPassesADeadReplica() async throws {
        let port = NIOLockedValueBox(0)
        let primary = try await ScriptedServer.start { command in
            let nodes = [port.withLockedValue { $0 }, 1].map { ScriptedCluster.node("127.0.0.1", $0) }
            return command.first == "CLUSTER" ? ScriptedCluster.slots(nodes) : "+primary\r\n"
        }
        port.withLockedValue { $0 = primary.port }
        let read = RESPCommand("GET", "a")
        for isPipeline in [false, true] {
            let client = ScriptedCluster.client(primary.port, reads: .replicas) { $0.commandTimeout = .seconds(60) }
            let reply = isPipeline ? try await client.execute(pipeline: [read])[0] : try await client.execute(read)
            #expect(reply.string == "primary")
        }
    }

    /// Behind its end the event loops may be gone.
    @Test(.timeLimit(.minutes(1)), arguments: ["command", "pipeline", "transaction"])
    func whoeverWaitsToTryAgainHearsThatTheClientIsClosed(kind: String) async throws {
        let (port, asked) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let node = try await ScriptedServer.start { words in
            if words[0] == "CLUSTER" {
                return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            }
            asked.withLockedValue { $0 += 1 }
            return "-CLUSTERDOWN x\r\n"
        }
        port.withLockedValue { $0 = node.port }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = RedisClient.configuration(port: node.port)
        configuration.topology = .cluster(RedisClient.Cluster(seeds: [configuration.address]))
        let client = RedisClient(configuration, eventLoopGroup: group)
        let set = RESPCommand("SET", "a", 1)
        @Sendable func write() async throws {
            switch kind {
            case "command": try await client.execute(set)
            case "pipeline": try await client.execute(pipeline: [set, set])
            default: _ = try await client.withTransaction(watching: ["a"]) { _ in [set] }
            }
        }
        let codes = try await withThrowingTaskGroup(of: RedisClientError.Code?.self) { callers in
            for _ in 0..<10 { callers.addTask { try await clientError { try await write() }?.code } }
            // By now the pauses are long.
            #expect(await eventually { asked.withLockedValue { $0 } > 150 })
            await client.close()
            try await group.shutdownGracefully()
            return try await callers.reduce(into: []) { $0.append($1) }
        }
        #expect(codes == Array(repeating: .closed, count: 10))
    }

    /// Another server has the elements in another order.
    @Test func aScanStaysOnThePrimary() async throws {
        let ports = NIOLockedValueBox([0, 0])
        func start(_ name: String) async throws -> ScriptedServer {
            try await ScriptedServer.start { words in
                guard words[0] == "CLUSTER" else { return "+\(name)\r\n" }
                return ScriptedCluster.slots(ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) })
            }
        }
        let (primary, replica) = (try await start("primary"), try await start("replica"))
        ports.withLockedValue { $0 = [primary.port, replica.port] }
        let client = ScriptedCluster.client(primary.port, reads: .replicas)
        #expect(try await eventually { try await client.execute(RESPCommand("GET", "a")).string == "replica" })
        for name in ["HSCAN", "SSCAN", "ZSCAN"] {
            let scan = RESPCommand(name, "a", "0")
            #expect(try await client.execute(scan).string == "primary")
            let replies = try await client.execute(pipeline: [scan, RESPCommand("GET", "a")])
            #expect(replies.map(\.string) == ["primary", "replica"])
        }
    }

    /// As where its host has vanished, until another has its slots.
    @Test(arguments: [false, true])
    func aTransactionGoesPastASilentNode(isWatching: Bool) async throws {
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let port = NIOLockedValueBox(silent.port)
        let node = try await ScriptedServer.start { words in
            switch words[0] {
            case "CLUSTER": ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            case "SET": "+QUEUED\r\n"
            case "EXEC": "*1\r\n+OK\r\n"
            default: "+OK\r\n"
            }
        }
        let client = ScriptedCluster.client(node.port) {
            $0.commandTimeout = .seconds(2)
            $0.maxLeasedConnections = 1
        }
        let set = RESPCommand("SET", "a", 1)
        // The second waits for the connection of the first.
        let transactions = (0..<2).map { _ in
            Task {
                // Before the connection would be given up.
                guard isWatching else { return try await client.execute(transaction: [set], timeout: .seconds(15)) }
                return try await client.withTransaction(watching: ["a"]) { _ in [set] } ?? []
            }
        }
        #expect(await eventually { silent.acceptedCount > 0 })
        port.withLockedValue { $0 = node.port }
        for transaction in transactions { #expect(try await transaction.value.map(\.string) == ["OK"]) }
    }

    /// One that is frozen, in whose place another is soon.
    @Test(arguments: [false, true])
    func aNodeThatDoesNotAnswerInTimeIsLookedAfter(isPipeline: Bool) async throws {
        let (port, isFrozen) = (NIOLockedValueBox(0), NIOLockedValueBox(false))
        let frozen = try await ScriptedServer.start(answersPing: false) { _ in
            isFrozen.withLockedValue { $0 } ? "" : "+old\r\n"
        }
        let heir = try await ScriptedServer.start { words in
            if words[0] != "CLUSTER" { return "+new\r\n" }
            let owner = isFrozen.withLockedValue { $0 } ? port.withLockedValue { $0 } : frozen.port
            return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", owner))
        }
        port.withLockedValue { $0 = heir.port }
        let client = ScriptedCluster.client(heir.port) { $0.commandTimeout = .seconds(60) }
        guard case .several(let executor) = client.backend else { return #expect(Bool(false)) }
        let (set, limit) = (RESPCommand("SET", "a", 1), Duration.milliseconds(50))
        #expect(try await client.execute(set).string == "old")
        isFrozen.withLockedValue { $0 = true }
        let error = try await clientError {
            try await isPipeline
                ? client.execute(pipeline: [set], timeout: limit)[0] : client.execute(set, timeout: limit)
        }
        #expect(error?.code == .timedOut)
        let new = RedisClient.Configuration.Address.hostname("127.0.0.1", port: heir.port)
        #expect(await eventually { executor.router.primaries.map(\.address) == [new] })
        #expect(try await client.execute(set).string == "new")
    }

    /// On different ways they would overtake each other.
    @Test func messagesOfAChannelTakeOneWay() async throws {
        let (ports, heard) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<[String]>([]))
        @Sendable func answer(_ command: [String], by name: String) -> String {
            switch command.first {
            case "CLUSTER": return ScriptedCluster.halves(ports.withLockedValue { $0 })
            case "PUBLISH": heard.withLockedValue { $0.append("\(name) \(command[1])") }
            case "EXEC": return "*1\r\n:0\r\n"
            default: break
            }
            return "+OK\r\n"
        }
        let first = try await ScriptedServer.start { answer($0, by: "first") }
        let second = try await ScriptedServer.start { answer($0, by: "second") }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port)
        // Slots 866 and 12,182.
        for _ in 0..<10 {
            for channel in ["hello", "foo"] {
                let message = RESPCommand("PUBLISH", channel, "m")
                try await client.execute(message)
                try await client.execute(pipeline: [RESPCommand("GET", "hello"), RESPCommand("GET", "foo"), message])
                try await client.execute(pipeline: [RESPCommand("MULTI"), message, RESPCommand("EXEC")])
            }
        }
        let ways = heard.withLockedValue { $0 }
        #expect(ways.count == 60 && Set(ways) == ["first hello", "second foo"])
        // Without its node a channel has another.
        try await second.stop()
        let hasAnother = await eventually {
            _ = try? await client.execute(RESPCommand("PUBLISH", "foo", "m"))
            return heard.withLockedValue { $0.last } == "first foo"
        }
        #expect(hasAnother)
    }

    @Test func silentNodesDoNotHideTheOthers() async throws {
        let isSilent = NIOLockedValueBox(false)
        let (ports, looks) = (NIOLockedValueBox<[Int]>([]), NIOLockedValueBox(0))
        @Sendable func slots() -> String {
            looks.withLockedValue { $0 += 1 }
            return ScriptedCluster.slots(ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) })
        }
        var servers: [ScriptedServer] = []
        for _ in 0..<40 {
            servers.append(
                try await ScriptedServer.start { command in
                    if isSilent.withLockedValue({ $0 }) { return "" }
                    return command.first == "CLUSTER" ? slots() : "+old\r\n"
                }
            )
        }
        let new = try await ScriptedServer.start { $0.first == "CLUSTER" ? slots() : "+new\r\n" }
        let seed = try await ScriptedServer.start { $0.first == "CLUSTER" ? slots() : nil }
        ports.withLockedValue { [servers] ports in ports = servers.map(\.port) }
        let client = ScriptedCluster.client(seed.port) {
            $0.topologyInterval = .milliseconds(50)
            // So long the end waits for those that are silent.
            $0.commandTimeout = .milliseconds(50)
        }
        #expect(try await client.execute(RESPCommand("GET", "a"), timeout: .seconds(20)).string == "old")
        // Until the connection to the seed is needed no longer.
        #expect(await eventually { looks.withLockedValue { $0 } > 4 })
        isSilent.withLockedValue { $0 = true }
        ports.withLockedValue { $0 = [new.port] }
        // Asked one after the other, they would take a second each.
        let isFound = await eventually {
            (try? await client.execute(RESPCommand("GET", "a")))?.string == "new"
        }
        #expect(isFound)
    }

    @Test func noPrimaryIsCountedTwice() async throws {
        let (ports, hasLeft) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(false))
        @Sendable func answer(_ command: [String], _ size: Int, _ key: String) -> String {
            switch command.first {
            case "CLUSTER":
                ScriptedCluster.halves(ports.withLockedValue { $0 }, firstHasLeft: hasLeft.withLockedValue { $0 })
            case "DBSIZE": ":\(size)\r\n"
            case "KEYS": "*1\r\n+\(key)\r\n"
            default: "+OK\r\n"
            }
        }
        // That it has left is noticed in the middle of a command.
        let first = try await ScriptedServer.start { hasLeft.withLockedValue { $0 } ? nil : answer($0, 3, "a") }
        let second = try await ScriptedServer.start { answer($0, 5, "b") }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let (size, keys) = (RESPCommand("DBSIZE"), RESPCommand("KEYS", "*"))
        for pipeline in [[size], [keys], [RESPCommand("SET", "a", "1"), size, keys]] {
            hasLeft.withLockedValue { $0 = false }
            let client = ScriptedCluster.client(second.port)
            #expect(try await client.execute(size).integer == 8)
            hasLeft.withLockedValue { $0 = true }
            for reply in try await client.execute(pipeline: pipeline) {
                #expect(reply.string == "OK" || reply.integer == 5 || reply.array?.map(\.string) == ["b"], "\(reply)")
            }
        }
    }

    @Test func eachRefusalInAPipelineIsHeard() async throws {
        let (ports, looks) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(0))
        @Sendable func answer(_ command: [String], _ refusal: String) -> String {
            if command.first == "CLUSTER" {
                looks.withLockedValue { $0 += 1 }
                return ScriptedCluster.halves(ports.withLockedValue { $0 }, firstHasLeft: false)
            }
            return looks.withLockedValue { $0 } < 2 ? "-\(refusal)\r\n" : "+OK\r\n"
        }
        // A node without a name says that a slot has moved.
        let first = try await ScriptedServer.start { answer($0, "MOVED 3300 ?:7") }
        let second = try await ScriptedServer.start { answer($0, "TRYAGAIN soon") }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port)
        // In the first half and in the second.
        let replies = try await client.execute(pipeline: [RESPCommand("GET", "b"), RESPCommand("GET", "a")])
        #expect(replies.map(\.string) == ["OK", "OK"])
    }

    /// A slot of which some keys have moved, as long as others have not.
    @Test func aPipelineWaitsMoreOftenThanItFollowsRedirections() async throws {
        let (ports, asks) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(0))
        @Sendable func answer(_ words: [String], isSource: Bool) -> String {
            let ports = ports.withLockedValue { $0 }
            switch words[0] {
            case "CLUSTER": return ScriptedCluster.halves(ports)
            case "MGET" where isSource:
                let asks = asks.withLockedValue { asks in
                    asks += 1
                    return asks
                }
                return "-\(asks > 20 ? "MOVED" : "ASK") 866 127.0.0.1:\(ports[1])\r\n"
            case "MGET": return asks.withLockedValue { $0 } > 20 ? "+there\r\n" : "-TRYAGAIN soon\r\n"
            default: return "+OK\r\n"
            }
        }
        let source = try await ScriptedServer.start { answer($0, isSource: true) }
        let target = try await ScriptedServer.start { answer($0, isSource: false) }
        ports.withLockedValue { $0 = [source.port, target.port] }
        let client = ScriptedCluster.client(source.port) { $0.commandTimeout = .seconds(60) }
        let replies = try await client.execute(pipeline: [
            RESPCommand("MGET", "{hello}a", "{hello}b"), RESPCommand("SET", "foo", 1), RESPCommand("GET", "foo"),
        ])
        #expect(replies.map(\.string) == ["there", "OK", "OK"])
    }

    @Test(arguments: [true, false])
    func aServerThatSendsCallersToItselfIsLookedForAnew(isPipeline: Bool) async throws {
        let (ports, greetings) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let server = try await ScriptedServer.start(greets: false) { command in
            switch command[0] {
            case "HELLO":
                greetings.withLockedValue { $0 += 1 }
                return "%0\r\n"
            case "CLIENT": return "+OK\r\n"
            case "CLUSTER":
                return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", ports.withLockedValue { $0 }))
            default:
                // Another one is behind the address from the next connection on.
                return greetings.withLockedValue { $0 } > 1
                    ? "+OK\r\n" : "-MOVED 15495 127.0.0.1:\(ports.withLockedValue { $0 })\r\n"
            }
        }
        ports.withLockedValue { $0 = server.port }
        let client = ScriptedCluster.client(server.port)
        let get = RESPCommand("GET", "a")
        let reply = try await isPipeline ? client.execute(pipeline: [get])[0] : client.execute(get)
        #expect(reply.string == "OK")
    }

    @Test func whereASlotHasGoneIsRemembered() async throws {
        let new = try await ScriptedServer.start { $0[0] == "CLUSTER" ? "-ERR not now\r\n" : "+new\r\n" }
        let (port, asked) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let old = try await ScriptedServer.start { command in
            if command[0] == "CLUSTER" {
                return asked.withLockedValue { $0 } > 0
                    ? "-ERR not now\r\n"
                    : ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            }
            asked.withLockedValue { $0 += 1 }
            return "-MOVED 15495 127.0.0.1:\(new.port)\r\n"
        }
        port.withLockedValue { $0 = old.port }
        let client = ScriptedCluster.client(old.port)
        for _ in 0..<3 { #expect(try await client.execute(RESPCommand("GET", "a")).string == "new") }
        #expect(asked.withLockedValue { $0 } == 1)
    }

    @Test func aLeaseLearnsFromWhatItsCallerIsAnswered() async throws {
        let new = try await ScriptedServer.start { command in
            command[0] == "CLUSTER" ? "-ERR not now\r\n" : "+new\r\n"
        }
        let owner = NIOLockedValueBox(0)
        let old = try await ScriptedServer.start { command in
            if command[0] == "CLUSTER" {
                return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", owner.withLockedValue { $0 }))
            }
            if command[0] == "GET" { owner.withLockedValue { $0 = new.port } }
            return "-MOVED 15495 127.0.0.1:\(new.port)\r\n"
        }
        owner.withLockedValue { $0 = old.port }
        let client = ScriptedCluster.client(old.port)
        func ask() async throws -> RESPValue {
            // The error stays in its place, and is thrown to nobody.
            try await client.withConnection(for: ["a"]) { try await $0.execute(pipeline: [RESPCommand("GET", "a")])[0] }
        }
        #expect(try await ask().error?.code == .moved)
        #expect(try await ask().string == "new")
    }

    @Test func aReplicaThatAServerNamesIsWaitedFor() async throws {
        let (ports, looks) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox(0))
        @Sendable func answer(_ command: [String], _ own: String) -> String {
            if command.first == "CLUSTER" {
                looks.withLockedValue { $0 += 1 }
                let nodes = ports.withLockedValue { $0 }.map { ScriptedCluster.node("127.0.0.1", $0) }
                return looks.withLockedValue { $0 } < 2
                    ? ScriptedCluster.slots(nodes[0], nodes[1]) : ScriptedCluster.slots(nodes[1])
            }
            return command.first == "ASKING" ? "+OK\r\n" : own
        }
        let old = try await ScriptedServer.start { command in
            answer(command, "-ASK 15495 127.0.0.1:\(ports.withLockedValue { $0 }[1])\r\n")
        }
        let new = try await ScriptedServer.start { command in
            answer(command, looks.withLockedValue { $0 } < 2 ? "-TRYAGAIN soon\r\n" : "+new\r\n")
        }
        ports.withLockedValue { $0 = [old.port, new.port] }
        let client = ScriptedCluster.client(old.port)
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "new")
    }
}
