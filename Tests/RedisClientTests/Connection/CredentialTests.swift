import NIOConcurrencyHelpers
import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct CredentialTests {
    /// Changes nothing, so that it is sent again if the server has just closed the connection.
    private let whoAmI: RESPCommand = {
        var command = RESPCommand("ACL", "WHOAMI")
        command.isReadOnly = true
        return command
    }()

    private func setUp() async throws -> (RedisServer, admin: RedisClient, RedisClient) {
        let server = try await RedisServer.start(arguments: ["--user", "app", "on", ">old", "~*", "&*", "+@all"])
        let client = RedisClient(server) {
            $0.username = "app"
            $0.password = "old"
        }
        try await client.connect()
        return (server, RedisClient(server), client)
    }

    @Test func areNotPrinted() {
        #expect(!printed(Credentials(username: "app", password: "s3cret")).contains("s3cret"))
    }

    @Test func areReplacedWithoutLosingACommand() async throws {
        let (server, admin, client) = try await setUp()
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", ">new"))
        async let echoes = client.execute(pipeline: (0..<500).map { RESPCommand("ECHO", $0) })
        try await client.authenticate(username: "app", password: "new")
        #expect(try await echoes.map(\.integer) == Array(0..<500))
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", "<old"))
        // New connections use them, by whatever way they come to be.
        try await admin.execute(RESPCommand("CLIENT", "KILL", "USER", "app"))
        #expect(try await client.execute(whoAmI).string == "app")
        let leased = try await client.withConnection { try await $0.execute(whoAmI).string }
        #expect(leased == "app")
        for client in [client, admin] { await client.close() }
        withExtendedLifetime(server) {}
    }

    @Test func thoseBeforeAreKeptIfTheServerRefuses() async throws {
        let (server, admin, client) = try await setUp()
        let error = try await clientError { try await client.authenticate(username: "app", password: "s3cret-typo") }
        #expect(error?.code == .authenticationFailed)
        #expect(!"\(error, default: "")".contains("s3cret-typo"))
        try await admin.execute(RESPCommand("CLIENT", "KILL", "USER", "app"))
        #expect(try await client.execute(whoAmI).string == "app")
        for client in [client, admin] { await client.close() }
        withExtendedLifetime(server) {}
    }

    /// As Redis does from 7.2 on where other replies wait to be sent.
    @Test func aRefusalThatIsNotSaidCostsNobodyHisReply() async throws {
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO" where words.contains("typo"): "-WRONGPASS invalid username-password pair\r\n"
            case "HELLO": "%0\r\n"
            case "AUTH": ""
            case "ECHO": "+\(words[1])\r\n"
            default: "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port) { $0.password = "old" }
        try await client.connect()
        let error = try await clientError { try await client.authenticate(username: "app", password: "typo") }
        #expect(error?.code == .authenticationFailed)
        for word in ["a", "b"] { #expect(try await client.execute(RESPCommand("ECHO", word)).string == word) }
    }

    @Test(.timeLimit(.minutes(1))) func whoWaitsForAConnectionHearsOfNoRefusal() async throws {
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO" where words.contains("typo"): "-WRONGPASS invalid username-password pair\r\n"
            case "HELLO": "%0\r\n"
            default: "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port) {
            $0.password = "old"
            $0.reconnectBackoff = .seconds(3600)...(.seconds(3600))
        }
        try await client.connect()
        server.cut()
        #expect(await eventually { !client.isConnected })
        let waiting = Task.immediate { try await client.execute(RESPCommand("GET", "a")).string }
        let error = try await clientError { try await client.authenticate(username: "app", password: "typo") }
        #expect(error?.code == .authenticationFailed)
        try await client.connect()
        #expect(try await waiting.value == "OK")
    }

    /// However often in a row.
    @Test(.timeLimit(.minutes(1))) func whatIsNotKeptIsLeftAtOnceAndSubscriptionsStay() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            switch words[0] {
            case "SUBSCRIBE": return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
            case "AUTH":
                // Taken where they are tried, and refused afterwards.
                let isTaken = asked.withLockedValue { asked in
                    asked += 1
                    return !asked.isMultiple(of: 2)
                }
                return isTaken ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n"
            default: return "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port) {
            $0.password = "old"
            $0.reconnectBackoff = .seconds(3600)...(.seconds(3600))
        }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.connect()
        for round in 1...2 {
            let error = try await clientError { try await client.authenticate(username: "app", password: "new") }
            #expect(error?.code == .authenticationFailed)
            try await client.execute(RESPCommand("GET", "a"))
            // That for subscriptions and the first; a trial and another each time.
            #expect(server.acceptedCount == 2 + 2 * round)
        }
        server.push(">3\r\n+message\r\n+news\r\n+here\r\n")
        #expect(try await events.next() == .message(RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))))
    }

    @Test func connectionsOnLeaseAreNotLeasedAgain() async throws {
        let (server, admin, client) = try await setUp()
        guard case .one(let node) = client.backend else { return #expect(Bool(false)) }
        // A user who may not ask which server that is does so once.
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", ">new", "-info"))
        /// Connections that were made up to and with a lease.
        func made(within body: () async throws -> Void = {}) async throws -> Int? {
            try await client.withConnection { connection in
                try await connection.execute(whoAmI)
                try await body()
            }
            return try await admin.info("total_connections_received")
        }
        _ = try await made()
        await node.link.withLockedValue { $0.recheck }?.value
        let first = try #require(try await made())
        #expect(try await made() == first)
        try await client.authenticate(username: "app", password: "new")
        // The idle one is gone; the credentials were tried on another.
        #expect(try await made() == first + 2)
        // As is one that was on lease meanwhile, once it is given back.
        #expect(try await made { try await client.authenticate(username: "app", password: "new") } == first + 3)
        #expect(try await made() == first + 4)
        #expect(try await made() == first + 4)
        for client in [client, admin] { await client.close() }
        withExtendedLifetime(server) {}
    }

    @Test func areNotAcceptedByAConnectionThatSaidTheOldOnes() async throws {
        let server = try await RedisServer.start(arguments: ["--user", "app", "on", ">old", "~*", "+@all"])
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        proxy.faults.delay = .milliseconds(200)
        let client = RedisClient(port: proxy.port) {
            $0.username = "app"
            $0.password = "old"
        }
        async let connected: Void = client.connect()
        // The server knows it already, the client not yet.
        #expect(try await eventually { try server.command("CLIENT LIST").contains("user=app") })
        let error = try await clientError { try await client.authenticate(username: "app", password: "typo") }
        #expect(error?.code == .authenticationFailed)
        _ = try? await connected
        // Only `HELLO` said them, on a connection of its own.
        #expect(try !server.command("INFO commandstats").contains("cmdstat_auth"))
        #expect(try await client.execute(whoAmI).string == "app")
    }

    /// The next connection would say them, and whoever waits for it be told that they were refused.
    @Test(.timeLimit(.minutes(1))) func areTriedWhereTheConnectionIsAboutToBeMadeAnew() async throws {
        let asked = NIOLockedValueBox<[String]>([])
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO" where words.contains("typo"): return "-WRONGPASS invalid username-password pair\r\n"
            case "HELLO": return "%0\r\n"
            case "SET", "EVAL":
                asked.withLockedValue { $0.append(words[0]) }
                return ""
            default: return "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port) { $0.password = "old" }
        try await client.connect()
        let write = Task.immediate { try await client.execute(RESPCommand("SET", "a", 1)) }
        let slow = Task.immediate { try await client.execute(RESPCommand("EVAL", "slow", 0)).string }
        #expect(await eventually { asked.withLockedValue { $0 } == ["SET", "EVAL"] })
        // It is left because of the first, and waits for the reply to the second.
        server.push("-READONLY You can't write against a read only replica.\r\n")
        await #expect(throws: RESPError.self) { try await write.value }
        #expect(await eventually { !client.isConnected })
        let waiting = Task.immediate { try await client.execute(RESPCommand("GET", "a")).string }
        let error = try await clientError { try await client.authenticate(username: "app", password: "typo") }
        #expect(error?.code == .authenticationFailed)
        server.push("+slow\r\n")
        #expect(try await slow.value == "slow")
        #expect(try await waiting.value == "OK")
    }

    @Test func areReplacedByOneCallAfterTheOther() async throws {
        let (server, admin, client) = try await setUp()
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", ">new"))
        server.pause()
        let wrong = Task.immediate {
            try await clientError { try await client.authenticate(username: "app", password: "typo") }
        }
        let right = Task.immediate { try await client.authenticate(username: "app", password: "new") }
        server.resume()
        #expect(try await wrong.value?.code == .authenticationFailed)
        try await right.value
        // The first must not take back what the second brought.
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", "<old"))
        try await admin.execute(RESPCommand("CLIENT", "KILL", "USER", "app"))
        #expect(try await client.execute(whoAmI).string == "app")
    }

    /// With those before, while others were asked.
    @Test(.timeLimit(.minutes(1))) func areTriedOnANodeThatWasConnectedMeanwhile() async throws {
        let (ports, heard) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<[String]>([]))
        @Sendable func answer(_ words: [String], by name: String) -> String {
            if words[0] == "CLUSTER" { return ScriptedCluster.halves(ports.withLockedValue { $0 }) }
            let isNew = words.contains("new")
            if isNew || words[0] == "EVAL" { heard.withLockedValue { $0.append("\(words[0]) by \(name)") } }
            switch words[0] {
            case "HELLO" where isNew && name == "second": return "-WRONGPASS invalid username-password pair\r\n"
            case "HELLO" where isNew, "EVAL": return ""
            case "HELLO": return "%0\r\n"
            default: return "+OK\r\n"
            }
        }
        let first = try await ScriptedServer.start(greets: false) { answer($0, by: "first") }
        let second = try await ScriptedServer.start(greets: false) { answer($0, by: "second") }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port) { $0.password = "old" }
        // Slots 866 and 12,182.
        let slow = Task { try await client.execute(RESPCommand("EVAL", "slow", 1, "hello")) }
        #expect(await eventually { heard.withLockedValue { $0 } == ["EVAL by first"] })
        async let error = clientError { try await client.authenticate(password: "new") }
        #expect(await eventually { heard.withLockedValue { $0.last } == "HELLO by first" })
        #expect(try await client.execute(RESPCommand("GET", "foo")).string == "OK")
        // For the trial and for the script.
        first.push("%0\r\n")
        _ = try await slow.value
        #expect(try await error?.code == .authenticationFailed)
        // Where the second was connected to before its turn came, nobody waits for the end of the first's.
        let tries = heard.withLockedValue { $0.filter { $0 != "AUTH by first" } }
        #expect(tries == ["EVAL by first", "HELLO by first", "HELLO by second"])
    }

    /// The third is the replica of the second.
    @Test(.timeLimit(.minutes(1)), arguments: ["HELLO", "AUTH"])
    func doNotNeedANodeThatLeaves(unanswered: String) async throws {
        let (ports, heard) = (NIOLockedValueBox<[Int]>([]), NIOLockedValueBox<[String]>([]))
        @Sendable func answer(_ words: [String], by node: Int) -> String {
            let ports = ports.withLockedValue { $0 }
            if words[0] == "CLUSTER" { return ScriptedCluster.halves(ports) }
            if words[0] == "SET", node == 0 { return "-MOVED 866 127.0.0.1:\(ports[1])\r\n" }
            guard node == 2, words.contains("new") else { return words[0] == "HELLO" ? "%0\r\n" : "+OK\r\n" }
            let heard = heard.withLockedValue { heard in
                heard.append(words[0])
                return heard
            }
            // The first `AUTH` is the trial's.
            return heard == ["HELLO"] && unanswered == "HELLO" || heard == ["HELLO", "AUTH", "AUTH"] ? "" : "+OK\r\n"
        }
        var servers: [ScriptedServer] = []
        for node in 0..<3 {
            servers.append(try await ScriptedServer.start(greets: false) { answer($0, by: node) })
        }
        ports.withLockedValue { $0 = servers.map(\.port) }
        let client = ScriptedCluster.client(servers[0].port, reads: .replicas) { $0.password = "old" }
        guard case .several(let executor) = client.backend else { return #expect(Bool(false)) }
        // Slots 866 and 12,182.
        for key in ["hello", "foo"] { #expect(try await client.execute(RESPCommand("GET", key)).string == "OK") }
        async let done: Void = client.authenticate(password: "new")
        #expect(await eventually { heard.withLockedValue { $0.count } == (unanswered == "HELLO" ? 1 : 3) })
        let nodes = executor.router.servers
        ports.withLockedValue { _ = $0.removeLast() }
        // It moves, so that there is news.
        #expect(try await client.execute(RESPCommand("SET", "hello", 1)).string == "OK")
        #expect(await eventually { nodes.contains { $0.isLeft } })
        servers[2].cut()
        try await done
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func areTriedOnANodeThatIsConnectedToMeanwhile(takesThoseBefore: Bool) async throws {
        let (ports, heard) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<[String]>([]))
        let refusal = "-WRONGPASS invalid username-password pair\r\n"
        @Sendable func answer(_ words: [String], by name: String) -> String {
            if words[0] == "CLUSTER" { return ScriptedCluster.halves(ports.withLockedValue { $0 }) }
            let isNew = words.contains("new")
            heard.withLockedValue { $0.append("\(words[0])\(isNew ? " new" : "") by \(name)") }
            switch words[0] {
            case "GET": return "+OK\r\n"
            case _ where name == "second": return isNew ? refusal : ""
            case "HELLO" where isNew, "EVAL": return ""
            case "HELLO": return "%0\r\n"
            default: return "+OK\r\n"
            }
        }
        func isHeard(_ line: String) async -> Bool {
            await eventually { heard.withLockedValue { $0.contains(line) } }
        }
        let first = try await ScriptedServer.start(greets: false) { answer($0, by: "first") }
        let second = try await ScriptedServer.start(greets: false) { answer($0, by: "second") }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port) { $0.password = "old" }
        // Slots 866 and 12,182.
        let slow = Task { try await client.execute(RESPCommand("EVAL", "slow", 1, "hello")) }
        #expect(await isHeard("EVAL by first"))
        async let error = clientError { try await client.authenticate(password: "new") }
        #expect(await isHeard("HELLO new by first"))
        async let lockedOut = clientError { try await client.execute(RESPCommand("GET", "foo")) }
        #expect(await isHeard("HELLO by second"))
        // For the trial and for the script.
        first.push("%0\r\n")
        _ = try await slow.value
        #expect(await eventually { client.configuration.rotation.current != nil })
        second.push(takesThoseBefore ? "%0\r\n+OK\r\n" : refusal)
        #expect(try await error?.code == .authenticationFailed)
        #expect(try await lockedOut?.code == (takesThoseBefore ? nil : .authenticationFailed))
        #expect(heard.withLockedValue { $0.contains("HELLO new by second") })
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func areTriedWhereNoServerIsKnownYet(isCluster: Bool) async throws {
        let (port, tries) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO" where words.contains("typo"):
                tries.withLockedValue { $0 += 1 }
                return ""
            case "HELLO": return "%0\r\n"
            case "ROLE": return "*1\r\n+master\r\n"
            case "CLUSTER": return ScriptedCluster.slots(ScriptedCluster.node("127.0.0.1", port.withLockedValue { $0 }))
            default: return "+OK\r\n"
            }
        }
        port.withLockedValue { $0 = server.port }
        let sentinel = try await ScriptedSentinel.start { server.port }
        func configure(_ configuration: inout RedisClient.Configuration) {
            configuration.password = "old"
            // A primary that is not found in time is not asked first.
            configuration.surveyPatience = .seconds(20)
        }
        let client = isCluster ? ScriptedCluster.client(server.port, configure) : sentinel.client(configure)
        let change = Task { try await clientError { try await client.authenticate(password: "typo") } }
        #expect(await eventually { tries.withLockedValue { $0 } == 1 })
        // As long as nobody knows what the server says to them, those before count.
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
        change.cancel()
        #expect(try await change.value?.code == .cancelled)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func areTriedWhereConnectingTakesItsTime(isTaken: Bool) async throws {
        let (ports, tries) = (NIOLockedValueBox([0, 0]), NIOLockedValueBox<[Int]>([]))
        let knowsThoseBefore = NIOLockedValueBox(true)
        @Sendable func answer(_ words: [String], by node: Int) -> String {
            switch words[0] {
            case "HELLO" where words.contains("new"):
                tries.withLockedValue { $0.append(node) }
                return isTaken && node == 0 ? "%0\r\n" : ""
            case "HELLO": return knowsThoseBefore.withLockedValue { $0 } ? "%0\r\n" : "-WRONGPASS invalid pair\r\n"
            case "CLUSTER": return ScriptedCluster.halves(ports.withLockedValue { $0 })
            default: return "+OK\r\n"
            }
        }
        let first = try await ScriptedServer.start(greets: false) { answer($0, by: 0) }
        let second = try await ScriptedServer.start(greets: false) { answer($0, by: 1) }
        ports.withLockedValue { $0 = [first.port, second.port] }
        let client = ScriptedCluster.client(first.port) {
            $0.password = "old"
            $0.reconnectBackoff = .seconds(3600)...(.seconds(3600))
        }
        for key in ["hello", "foo"] { try await client.execute(RESPCommand("GET", key)) }
        knowsThoseBefore.withLockedValue { $0 = false }
        for server in [first, second] { server.cut() }
        #expect(await eventually { !client.isConnected })
        let change = Task { try await clientError { try await client.authenticate(password: "new") } }
        // One that takes them is enough.
        #expect(await eventually { tries.withLockedValue { Set($0).isSuperset(of: isTaken ? [0] : [0, 1]) } })
        let isKept = await eventually(within: .milliseconds(isTaken ? 10_000 : 1500)) {
            client.configuration.rotation.current != nil
        }
        #expect(isKept == isTaken)
        change.cancel()
        _ = try await change.value
    }

    @Test func whoeverBringsThemWaitsForNoServerOfAClientThatCloses() async throws {
        let isSilent = NIOLockedValueBox(false)
        let server = try await ScriptedServer.start(greets: false) { words in
            if words[0] == "CLIENT" { return "+OK\r\n" }
            return isSilent.withLockedValue { $0 } ? "" : "%0\r\n"
        }
        let client = RedisClient(port: server.port)
        try await client.connect()
        isSilent.withLockedValue { $0 = true }
        let change = Task { try await clientError { try await client.authenticate(password: "new") } }
        #expect(await eventually { server.acceptedCount == 2 })
        await client.close()
        #expect(try await change.value?.code == .closed)
    }

    @Test(.timeLimit(.minutes(1))) func aCancelledCallerWaitsForNoServer() async throws {
        let greetings = NIOLockedValueBox<[Bool]>([])
        let server = try await ScriptedServer.start(greets: false) { words in
            if words[0] == "HELLO" { greetings.withLockedValue { $0.append(words.contains("new")) } }
            if greetings.withLockedValue({ $0.count }) == 2 { return "" }
            return words[0] == "HELLO" ? "%0\r\n" : "+OK\r\n"
        }
        let client = RedisClient(port: server.port) { $0.connectTimeout = .seconds(3600) }
        let calls = (0..<2).map { _ in
            Task.immediate { try await clientError { try await client.authenticate(password: "new") } }
        }
        // Where they are tried, and then for all.
        #expect(await eventually { greetings.withLockedValue { $0 } == [true, true] })
        for call in calls.reversed() {
            call.cancel()
            #expect(try await call.value?.code == .cancelled)
        }
        // The connection that is made yet has said what is not kept.
        server.push("%0\r\n+OK\r\n")
        #expect(await eventually { greetings.withLockedValue { $0 } == [true, true, false] })
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
    }

    @Test(arguments: ["app", nil] as [String?])
    func areTheSameOnAllNodesAfterARefusal(username: String?) async throws {
        let cluster = try await RedisCluster.start(
            replicas: 0,
            arguments: ["--user", "app", "on", ">old", "~*", "&*", "+@all"]
        )
        let client = RedisClient(port: cluster.servers[0].port) { configuration in
            configuration.topology = .cluster(.init(seeds: [configuration.address]))
            configuration.username = username
            configuration.password = username.map { _ in "old" }
        }
        // All nodes are connected.
        try await client.execute(RESPCommand("DBSIZE"))
        // Any of them may be told first.
        for refusing in cluster.servers {
            for server in cluster.servers { try server.command("ACL SETUSER other on >new +@all ~*") }
            try refusing.command("ACL DELUSER other")
            let error = try await clientError { try await client.authenticate(username: "other", password: "new") }
            #expect(error?.code == .authenticationFailed)
            for server in cluster.servers {
                #expect(try await eventually { try !server.command("CLIENT LIST").contains("user=other") })
            }
        }
    }

    /// How often `AUTH` was run.
    private func authentications(at server: RedisServer) throws -> Int {
        let calls = try server.command("INFO commandstats").firstMatch(of: /cmdstat_auth:calls=(\d+)/)?.1
        return calls.flatMap { Int($0) } ?? 0
    }

    @Test func areToldToAllNodesAtOnce() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(port: cluster.servers[0].port) { configuration in
            configuration.topology = .cluster(.init(seeds: [configuration.address]))
        }
        try await client.execute(RESPCommand("DBSIZE"))
        for (round, frozen) in cluster.servers.enumerated() {
            for server in cluster.servers { try server.command("ACL SETUSER user\(round) on >new +@all ~*") }
            let others = try cluster.servers.filter { $0 !== frozen }.map { ($0, try authentications(at: $0)) }
            frozen.pause()
            async let error = clientError { try await client.authenticate(username: "user\(round)", password: "new") }
            // While one says nothing, the others have heard.
            for (server, before) in others {
                #expect(try await eventually { try authentications(at: server) > before })
            }
            frozen.resume()
            #expect(try await error == nil)
            try await client.authenticate(username: "default", password: "any")
        }
    }

    /// As before Redis 6.
    @Test(arguments: [nil, "default"] as [String?])
    func aServerThatKnowsNoUsersIsToldThePasswordAlone(username: String?) async throws {
        let server = try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO": "-ERR unknown command `HELLO`\r\n"
            case "PING": "+PONG\r\n"
            case "AUTH" where words.count > 2: "-ERR wrong number of arguments for 'auth' command\r\n"
            case "AUTH" where !["old", "new"].contains(words[1]): "-ERR invalid password\r\n"
            default: "+OK\r\n"
            }
        }
        let client = RedisClient(port: server.port) {
            $0.username = username
            $0.password = "old"
        }
        try await client.connect()
        try await client.authenticate(password: "new")
        let error = try await clientError { try await client.authenticate(password: "typo") }
        #expect(error?.code == .authenticationFailed)
    }

    @Test func bringBackAClientThatWasLockedOut() async throws {
        let (server, admin, client) = try await setUp()
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", "<old", ">new"))
        try await admin.execute(RESPCommand("CLIENT", "KILL", "USER", "app"))
        let lockedOut = try await clientError { try await client.execute(whoAmI) }
        #expect(lockedOut?.code == .authenticationFailed)
        try await client.authenticate(username: "app", password: "new")
        #expect(try await client.execute(whoAmI).string == "app")
        for client in [client, admin] { await client.close() }
        withExtendedLifetime(server) {}
    }
}
