import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// What becomes of connections to a primary that is one no longer, where the same address leads to the next.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DemotionTests {
    private static let refusal = "READONLY You can't write against a read only replica."

    private let next: RedisServer
    private let former: RedisServer
    private let proxy: FaultProxy

    init() async throws {
        next = try await RedisServer.start()
        former = try await RedisServer.start()
        proxy = try await FaultProxy.start(upstreamPort: former.port)
    }

    private func failOver() throws {
        proxy.upstreamPort = next.port
        try demote()
    }

    private func demote() throws {
        try former.command("REPLICAOF 127.0.0.1 \(next.port)")
    }

    private func code(_ body: () async throws -> Void) async throws -> RESPError.Code? {
        do {
            try await body()
            return nil
        } catch let error as RESPError {
            return error.code
        }
    }

    @Test(arguments: ["command", "pipeline", "script", "lease", "transaction"])
    func writesReachTheNextPrimary(kind: String) async throws {
        let client = RedisClient(port: proxy.port) {
            $0.reconnectBackoff = .milliseconds(50)...Duration.milliseconds(50)
        }
        let set = RESPCommand("SET", "key", "value")
        func write() async throws -> RESPError.Code? {
            try await code {
                switch kind {
                case "command": try await client.execute(set)
                case "pipeline": _ = try await client.execute(pipeline: [RESPCommand("PING"), set])[1].get()
                case "script": try await client.execute(RESPCommand("EVAL", "return redis.call('SET', 'key', 1)", 0))
                case "lease": try await client.withConnection { _ = try await $0.execute(set) }
                default: _ = try await client.withTransaction(watching: ["key"]) { _ in [set] }
                }
            }
        }
        #expect(try await write() == nil)
        try failOver()
        #expect(try await write() == .readOnly)
        #expect(try await eventually { try await write() == nil })
        #expect(try next.command("EXISTS key").hasPrefix(":1"))
    }

    /// The former primary hears no more of what is published, but its connections stay.
    @Test func subscriptionsMoveToTheNextPrimary() async throws {
        let client = RedisClient(port: proxy.port)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.execute(RESPCommand("SET", "key", "value"))
        try failOver()
        #expect(try await code { try await client.execute(RESPCommand("SET", "key", "next")) } == .readOnly)
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(try next.command("PUBLISH news here").hasPrefix(":1"))
        let message = RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))
        #expect(try await events.next() == .message(message))
    }

    /// The former server goes on, with all connections to it that nobody closes.
    @Test(arguments: ["pipeline", "lease", "transaction"])
    func leasesFollowTheSharedConnection(kind: String) async throws {
        let client = RedisClient(port: proxy.port)
        let set = RESPCommand("SET", "key", "value")
        func write() async throws {
            switch kind {
            case "pipeline": try await client.execute(pipeline: Array(repeating: set, count: 3000))
            case "lease": try await client.withConnection { _ = try await $0.execute(set) }
            default: _ = try await client.withTransaction { _ in [set] }
            }
        }
        try await write()
        let id = try #require(try await client.execute(RESPCommand("CLIENT", "ID")).integer)
        var events = client.connectionEvents.makeAsyncIterator()
        proxy.upstreamPort = next.port
        try former.command("CLIENT KILL ID \(id)")
        #expect(await events.next() == .disconnected)
        try await write()
        #expect(try next.command("EXISTS key").hasPrefix(":1"))
    }

    @Test(.timeLimit(.minutes(1)), arguments: RESPProtocol.allCases)
    func subscriptionsFollowTheSharedConnection(version: RESPProtocol) async throws {
        let client = RedisClient(port: proxy.port) { $0.version = version }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.connect()
        proxy.upstreamPort = next.port
        try former.command("CLIENT KILL TYPE normal")
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        try await client.execute(RESPCommand("PUBLISH", "news", "here"))
        let message = RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))
        #expect(try await events.next() == .message(message))
        await client.close()
    }

    /// They have gone before it, and the name moves only now.
    @Test(.timeLimit(.minutes(1))) func subscriptionsFollowAConnectionThatWaitedForItsLastReply() async throws {
        let client = RedisClient(port: proxy.port)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.connect()
        try demote()
        // Holds messages back, as a replica nothing else.
        try former.command("CLIENT PAUSE 60000 WRITE")
        let waiting = Task.immediate { try await client.execute(RESPCommand("PUBLISH", "other", "text")) }
        let set = RESPCommand("SET", "key", "value")
        func write() async throws -> RESPError.Code? {
            try await code { try await client.withConnection { _ = try await $0.execute(set) } }
        }
        #expect(try await write() == .readOnly)
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        // A lease that is kept there.
        try await client.withConnection { _ = try await $0.execute(RESPCommand("PING")) }
        proxy.upstreamPort = next.port
        try former.command("CLIENT UNPAUSE")
        _ = try await waiting.value
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(try await write() == nil)
        try await client.execute(RESPCommand("PUBLISH", "news", "here"))
        let message = RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))
        #expect(try await events.next() == .message(message))
        await client.close()
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["told", "forbidden", "renamed", "busy"])
    func theSharedConnectionFollowsSubscriptions(identity: String) async throws {
        var (former, next) = (former, next)
        switch identity {
        case "forbidden":
            for server in [former, next] { try server.command("ACL SETUSER default -info") }
        case "renamed":
            former = try await RedisServer.start(arguments: ["--rename-command", "INFO", ""])
            next = try await RedisServer.start(arguments: ["--rename-command", "INFO", ""])
            proxy.upstreamPort = former.port
        default:
            try former.command("CONFIG SET busy-reply-threshold 10")
        }
        let client = RedisClient(port: proxy.port)
        let subscription = try await client.subscribe(to: ["news"])
        let events = NIOLockedValueBox<[RedisSubscription.Element]>([])
        let reader = Task { for try await event in subscription { events.withLockedValue { $0.append(event) } } }
        try await client.connect()
        proxy.upstreamPort = next.port
        let script = identity == "busy" ? "EVAL \"while true do end\" 0\r\n" : ""
        _ = LoopbackSocket.exchange("CLIENT KILL TYPE pubsub\r\n\(script)", port: former.port)
        let publish = RESPCommand("PUBLISH", "news", "here")
        let message = RedisMessage(channel: "news", payload: ByteBuffer(string: "here"))
        // Behind the other connection, which may have come to yet another server, there may be a gap once more.
        let isThere = await eventually {
            _ = try? await client.execute(publish)
            return events.withLockedValue { $0.contains(.message(message)) }
        }
        #expect(isThere)
        #expect(events.withLockedValue { $0.prefix(2) } == [.disconnected, .resubscribed])
        await client.close()
        try await reader.value
        withExtendedLifetime((former, next)) {}
    }

    /// As where all clients come back at once.
    @Test(.timeLimit(.minutes(1))) func theSharedConnectionFollowsToAServerThatWasFull() async throws {
        let admin = RedisClient(next)
        func limit(_ clients: Int) async throws {
            try await admin.execute(RESPCommand("CONFIG", "SET", "maxclients", clients))
        }
        try next.command("SET here 1")
        let logs = RecordedLogs()
        let client = RedisClient(RedisClient.configuration(port: proxy.port), logger: logs.logger)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.connect()
        // The administrator and the subscription.
        try await limit(2)
        proxy.upstreamPort = next.port
        try former.command("CLIENT KILL TYPE pubsub")
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        // Which server that is cannot be asked.
        #expect(try await eventually { try await admin.info("rejected_connections") ?? 0 > 2 })
        #expect(!logs.entries.contains { $0.message.contains("No connection") })
        try await limit(100)
        #expect(try await eventually { try await client.execute(RESPCommand("EXISTS", "here")).integer == 1 })
        for client in [client, admin] { await client.close() }
    }

    /// No connection is lost: the former server goes on.
    @Test(.timeLimit(.minutes(1)), arguments: ["pipeline", "lease", "transaction", "subscription"])
    func theSharedConnectionFollowsNewOnes(kind: String) async throws {
        try next.command("SET here 1")
        let client = RedisClient(port: proxy.port)
        try await client.connect()
        proxy.upstreamPort = next.port
        let set = RESPCommand("SET", "key", "value")
        var subscription: RedisSubscription?
        switch kind {
        case "pipeline": try await client.execute(pipeline: Array(repeating: set, count: 3000))
        case "lease": try await client.withConnection { _ = try await $0.execute(set) }
        case "subscription": subscription = try await client.subscribe(to: ["news"])
        default: _ = try await client.withTransaction { _ in [set] }
        }
        #expect(try await eventually { try await client.execute(RESPCommand("EXISTS", "here")).integer == 1 })
        withExtendedLifetime(subscription) {}
        await client.close()
    }

    @Test(.timeLimit(.minutes(1))) func theSharedConnectionStaysWithItsServer() async throws {
        let logs = RecordedLogs()
        var configuration = RedisClient.configuration(port: proxy.port)
        // Which knows no tracking.
        configuration.version = .resp2
        configuration.clientSideCaching = true
        configuration.requiresClientSideCaching = false
        let client = RedisClient(configuration, logger: logs.logger)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        let id = try await client.execute(RESPCommand("CLIENT", "ID")).integer
        try former.command("CLIENT KILL TYPE pubsub")
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        // The fourth has asked which server that is, and ends.
        #expect(await eventually { proxy.acceptedCount == 4 && proxy.openCount == 2 })
        #expect(try await client.execute(RESPCommand("CLIENT", "ID")).integer == id)
        #expect(logs.entries.filter { $0.message == "The server does not track keys." }.count == 1)
    }

    @Test func nobodyElseFails() async throws {
        let client = RedisClient(port: proxy.port)
        try await client.connect()
        let isOver = NIOLockedValueBox(false)
        let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    var wrong = 0
                    while !isOver.withLockedValue({ $0 }) {
                        let reply = try? await client.execute(RESPCommand("ECHO", "text")).string
                        wrong += reply == "text" ? 0 : 1
                    }
                    return wrong
                }
            }
            try failOver()
            let hasTurned = try await eventually {
                try await code { try await client.execute(RESPCommand("SET", "key", "next")) } == nil
            }
            #expect(hasTurned)
            isOver.withLockedValue { $0 = true }
            return try await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }

    @Test func aReplicaOnPurposeIsNotLeftAgainAndAgain() async throws {
        let client = RedisClient(port: proxy.port) { $0.reconnectBackoff = .seconds(3600)...Duration.seconds(3600) }
        try await client.connect()
        try demote()
        for _ in 0..<100 {
            #expect(try await code { try await client.execute(RESPCommand("SET", "key", "value")) } == .readOnly)
            try await client.execute(RESPCommand("PING"))
        }
        #expect(proxy.acceptedCount == 2)
    }

    @Test func whatAScriptOfRedis6IsRefusedIsHeard() async throws {
        let server = try await ScriptedServer.start { words in
            if words[0] == "ROLE" { return "*1\r\n$5\r\nslave\r\n" }
            let place = "@user_script:1: @user_script: 1: -"
            return "-ERR Error running script (call to f_897afd): \(place)\(Self.refusal)\r\n"
        }
        let client = RedisClient(port: server.port)
        #expect(try await code { try await client.execute(RESPCommand("EVAL", "script", 0)) } == .readOnly)
        #expect(await eventually { server.acceptedCount == 2 })
        await client.close()
        try await server.stop()
    }

    @Test func whatAScriptMakesUpEndsNoConnection() async throws {
        let client = RedisClient(port: proxy.port)
        let id = try await client.execute(RESPCommand("CLIENT", "ID")).integer
        let forgery = RESPCommand("EVAL", "return redis.error_reply(ARGV[1])", 0, Self.refusal)
        #expect(try await code { try await client.execute(forgery) } == .readOnly)
        // The server was asked what it is.
        #expect(try await eventually { try former.command("INFO commandstats").contains("cmdstat_role") })
        #expect(try await client.execute(RESPCommand("CLIENT", "ID")).integer == id)
    }
}
