import NIOConcurrencyHelpers
import NIOCore
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(3))) struct TrackingTests {
    /// A client that caches, another one, and their server.
    private struct Setup {
        let server: RedisServer
        let client: RedisClient
        let other: RedisClient

        init() async throws {
            server = try await RedisServer.start()
            client = RedisClient(server) { $0.clientSideCaching = true }
            other = RedisClient(server)
        }
    }

    @Test func tellsOfKeysThatWereReadAndOfNoOthers() async throws {
        let setup = try await Setup()
        let (client, other) = (setup.client, setup.other)
        var invalidations = client.invalidations.makeAsyncIterator()
        #expect(try await client.tracked.get("a") == nil)
        #expect(try await client.tracked.execute(pipeline: [RESPCommand("GET", "b"), RESPCommand("PING")]).count == 2)
        try await client.execute(RESPCommand("GET", "untracked"))
        for key in ["untracked", "b", "a"] { try await other.set(key, to: 1) }
        var told: [String] = []
        while told.count < 2, case .keys(let keys) = await invalidations.next() { told += keys }
        #expect(told == ["b", "a"])
        // Told once; a key is tracked again when it is read again.
        try await other.set("a", to: 2)
        #expect(try await client.tracked.get("c") == nil)
        try await other.set("c", to: 1)
        #expect(await invalidations.next() == .keys(["c"]))
        await client.close()
        #expect(await invalidations.next() == .everything(.disconnected))
        #expect(await invalidations.next() == nil)
    }

    @Test func ownChangesAreNotTold() async throws {
        let setup = try await Setup()
        let (client, other) = (setup.client, setup.other)
        var invalidations = client.invalidations.makeAsyncIterator()
        for key in ["mine", "theirs"] { _ = try await client.tracked.get(key) }
        try await client.set("mine", to: 1)
        try await other.set("theirs", to: 1)
        #expect(await invalidations.next() == .keys(["theirs"]))
    }

    @Test func whatAScriptReadsIsTracked() async throws {
        let setup = try await Setup()
        let (client, other) = (setup.client, setup.other)
        var invalidations = client.invalidations.makeAsyncIterator()
        let script = RedisScript("return redis.call('GET', KEYS[1])", isReadOnly: true)
        for _ in 0..<2 {
            _ = try await client.tracked.evaluate(script, keys: ["a"])
            try await other.incr("a")
            #expect(await invalidations.next() == .keys(["a"]))
            try await other.execute(RESPCommand("SCRIPT", "FLUSH"))
        }
    }

    @Test func aFlushIsEverything() async throws {
        let setup = try await Setup()
        let (client, other) = (setup.client, setup.other)
        var invalidations = client.invalidations.makeAsyncIterator()
        _ = try await client.tracked.get("a")
        try await other.execute(RESPCommand("FLUSHALL"))
        #expect(await invalidations.next() == .everything(.flushed))
    }

    @Test func aLostConnectionIsEverythingAndIsTrackedAgain() async throws {
        let setup = try await Setup()
        let (server, client, other) = (setup.server, setup.client, setup.other)
        var invalidations = client.invalidations.makeAsyncIterator()
        _ = try await client.tracked.get("a")
        try await server.restart()
        #expect(await invalidations.next() == .everything(.disconnected))
        #expect(await eventually { (try? await client.tracked.execute(RESPCommand("GET", "b"))) != nil })
        try await other.set("b", to: 1)
        #expect(await invalidations.next() == .keys(["b"]))
    }

    @Test func aSlowReaderLosesTheDetailsOnly() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.clientSideCaching = true
            $0.maxBufferedMessages = 10
        }
        let other = RedisClient(server)
        var invalidations = client.invalidations.makeAsyncIterator()
        try await client.tracked.execute(pipeline: (0..<20).map { RESPCommand("GET", "\($0)") })
        try await other.execute(pipeline: (0..<20).map { RESPCommand("SET", "\($0)", 1) })
        // Whatever the server sent for the others is here before this.
        #expect(try await eventually { try await client.info("tracking_total_keys") == 0 })
        #expect(await invalidations.next() == .everything(.overflowed))
    }

    /// A reader may ignore that a watch has ended, but not what changed before and after.
    @Test(arguments: [RedisInvalidation.Reason.disconnected, .moved])
    func whatHasChangedIsToldThoughNobodyWatchesItAnyMore(reason: RedisInvalidation.Reason) async {
        let changes: [RedisInvalidation] = [.keys(["a"]), .everything(.flushed), .everything(.overflowed)]
        for change in changes {
            #expect(await read([change, .everything(reason)]).contains(change))
            #expect(await read([.everything(reason), change]).contains(change))
        }
        #expect(await read([.keys(["a"]), .everything(reason), .keys(["b"])]).last == .keys(["a", "b"]))
        #expect(await read([.everything(reason), .keys(["a", "b", "c"])]) == [.everything(.overflowed)])
    }

    /// What a reader that comes late is told, if two keys are kept for it.
    private func read(_ invalidations: [RedisInvalidation]) async -> [RedisInvalidation] {
        let mailbox = InvalidationMailbox(limit: 2)
        for invalidation in invalidations { mailbox.put(invalidation) }
        mailbox.finish()
        var told: [RedisInvalidation] = []
        while let next = await mailbox.next() { told.append(next) }
        return told
    }

    @Test func nothingDoesNotEndAReader() async {
        let mailbox = InvalidationMailbox(limit: 10)
        // Waits from here on.
        let reader = Task.immediate { await mailbox.next() }
        mailbox.put(.keys([]))
        mailbox.put(.keys(["a"]))
        #expect(await reader.value == .keys(["a"]))
    }

    @Test func aCancelledReaderEndsNoOther() async {
        let mailbox = InvalidationMailbox(limit: 10)
        let stays = Task.immediate { await mailbox.next() }
        let leaves = Task.immediate { await mailbox.next() }
        leaves.cancel()
        #expect(await leaves.value == nil)
        mailbox.put(.keys(["a"]))
        #expect(await stays.value == .keys(["a"]))
    }

    @Test func aKeyWithoutANameIsEverything() async {
        let broadcast = InvalidationBroadcast()
        var invalidations = broadcast.listen(limit: 10).makeAsyncIterator()
        broadcast.put(["a", "b"], otherwise: .moved)
        #expect(await invalidations.next() == .keys(["a", "b"]))
        broadcast.put(["a", nil], otherwise: .moved)
        #expect(await invalidations.next() == .everything(.moved))
    }

    /// Within a reply that is nested to the limit, too.
    @Test func noInvalidationIsTooDeep() async throws {
        for depth in 60...70 {
            let broadcast = InvalidationBroadcast()
            var invalidations = broadcast.listen(limit: 10).makeAsyncIterator()
            var decoder = RESPDecoder(dropsTooDeep: true)
            let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n"
            decoder.append(ByteBuffer(string: String(repeating: "*1\r\n", count: depth) + push))
            guard case .push(let elements) = try decoder.next() else {
                return #expect(Bool(false), "no push at depth \(depth)")
            }
            broadcast.receive(push: elements)
            broadcast.finish()
            #expect(await invalidations.next() == (depth < 63 ? .keys(["key"]) : .everything(.flushed)))
        }
    }

    @Test func aCancelledReaderStops() async throws {
        let client = RedisClient(port: 1)
        let invalidations = client.invalidations
        let task = Task {
            var iterator = invalidations.makeAsyncIterator()
            return await iterator.next()
        }
        task.cancel()
        #expect(await task.value == nil)
        let refused = try await clientError { try await client.tracked.get("a") }
        #expect(refused?.code == .unsupportedCommand)
        await client.close()
        #expect(await client.invalidations.first { _ in true } == nil)
    }

    @Test func needsRESP3() async throws {
        let server = try await RedisServer.start()
        let old = try await RedisServer.start(arguments: ["--rename-command", "HELLO", ""])
        let clients = [
            RedisClient(server) {
                $0.clientSideCaching = true
                $0.version = .resp2
            },
            RedisClient(old) { $0.clientSideCaching = true },
        ]
        for client in clients {
            let error = try await clientError { try await client.connect() }
            #expect(error?.code == .connectFailed)
            #expect(error?.message.contains("RESP3") == true)
            await client.close()
        }
    }

    /// By a server that does not know RESP3, by a client that does not want it, and by a user's rights.
    @Test(arguments: [true, false], [RESPProtocol.resp2, .resp3])
    func isDoneWithoutWhereItIsNotRequired(isOld: Bool, version: RESPProtocol) async throws {
        let server = try await RedisServer.start(
            arguments: (isOld ? ["--rename-command", "HELLO", ""] : [])
                + ["--user", "app", "on", ">pw", "~*", "+@all", "-client|tracking"]
        )
        let client = RedisClient(server) {
            ($0.username, $0.password, $0.version) = ("app", "pw", version)
            $0.clientSideCaching = true
            $0.requiresClientSideCaching = false
        }
        try await client.connect()
        #expect(try await client.tracked.get("a") == nil)
        let info = try await client.execute(RESPCommand("INFO", "commandstats")).string
        #expect(info?.contains("cmdstat_client|caching") == false)
        // Its owner may let it track later, and a server be replaced by one that does.
        let admin = RedisClient(server)
        var invalidations = client.invalidations.makeAsyncIterator()
        try await admin.execute(RESPCommand("ACL", "SETUSER", "app", "+client|tracking"))
        try await admin.execute(RESPCommand("CLIENT", "KILL", "USER", "app"))
        #expect(await invalidations.next() == .everything(.disconnected))
        if !isOld, version == .resp3 {
            #expect(
                try await eventually {
                    _ = try? await client.tracked.get("b")
                    return try await admin.info("tracking_clients") == 1
                }
            )
            _ = try await client.tracked.get("a")
            try await admin.set("a", to: 1)
            #expect(await invalidations.next() == .keys(["a"]))
        }
    }

    @Test func isNotDoneWithoutBecauseTheServerIsBusy() async throws {
        let heard = NIOLockedValueBox<[String]>([])
        let server = try await ScriptedServer.start(greets: false) { words in
            guard words[0] == "CLIENT" else { return words[0] == "HELLO" ? "%0\r\n" : "+OK\r\n" }
            let isFirst = heard.withLockedValue { heard in
                defer { heard.append(words[1]) }
                return !heard.contains(words[1])
            }
            return isFirst && words[1] == "TRACKING" ? "-BUSY Redis is busy running a script.\r\n" : "+OK\r\n"
        }
        let client = RedisClient(port: server.port) {
            $0.clientSideCaching = true
            $0.requiresClientSideCaching = false
        }
        #expect(try await clientError { try await client.connect() }?.code == .connectFailed)
        #expect(await eventually { (try? await client.tracked.execute(RESPCommand("GET", "a"))) != nil })
        #expect(heard.withLockedValue { $0.last } == "CACHING")
    }
}
