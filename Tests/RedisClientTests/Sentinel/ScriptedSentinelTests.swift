import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(3))) struct ScriptedSentinelTests {
    /// A primary that answers all but one command.
    private func primary(_ tracked: NIOLockedValueBox<Int>) async throws -> ScriptedServer {
        try await ScriptedServer.start(greets: false) { words in
            switch words[0] {
            case "HELLO": return "%0\r\n"
            case "ROLE": return "*1\r\n+master\r\n"
            case "SUBSCRIBE": return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n"
            case "EVAL": return ""
            case "CLIENT" where words[1] == "TRACKING":
                tracked.withLockedValue { $0 += 1 }
                return "+OK\r\n"
            default: return "+OK\r\n"
            }
        }
    }

    @Test func anotherPrimaryInvalidatesAtOnce() async throws {
        let tracked = NIOLockedValueBox(0)
        let (first, second) = (try await primary(tracked), try await primary(tracked))
        let port = NIOLockedValueBox(first.port)
        let sentinel = try await ScriptedSentinel.start { port.withLockedValue { $0 } }
        let client = sentinel.client { $0.clientSideCaching = true }
        var invalidations = client.invalidations.makeAsyncIterator()
        var events = client.connectionEvents.makeAsyncIterator()
        try await client.connect()
        _ = try await client.subscribe(to: ["news"])
        #expect(tracked.withLockedValue { $0 } == 1)
        // As long as a command is under way, the connection to the old primary stays.
        let slow = Task { try await client.execute(RESPCommand("EVAL", "slow", 0)) }
        port.withLockedValue { $0 = second.port }
        #expect(await invalidations.next() == .everything(.moved))
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
        slow.cancel()
        var told: [RedisConnectionEvent?] = []
        for _ in 0..<3 { told.append(await events.next()) }
        #expect(told == [.connected, .connected, .disconnected])
    }

    /// Though the old one was to be tried again an hour later.
    @Test(.timeLimit(.minutes(1)))
    func subscriptionsGoToAnotherPrimaryAtOnce() async throws {
        let tracked = NIOLockedValueBox(0)
        let (first, second) = (try await primary(tracked), try await primary(tracked))
        let port = NIOLockedValueBox(first.port)
        let sentinel = try await ScriptedSentinel.start { port.withLockedValue { $0 } }
        let client = sentinel.client {
            $0.reconnectBackoff = .seconds(3600)...(.seconds(3600))
            $0.topologyInterval = .seconds(3600)
        }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(await eventually { sentinel.counts.subscriptions == 1 })
        try await first.stop()
        guard case .disconnected = try await events.next() else { return #expect(Bool(false), "not disconnected") }
        port.withLockedValue { $0 = second.port }
        sentinel.tell(from: first.port, to: second.port)
        guard case .resubscribed = try await events.next() else { return #expect(Bool(false), "not subscribed") }
    }

    @Test func connectingGoesOnAtAnotherPrimary() async throws {
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let next = try await primary(NIOLockedValueBox(0))
        let port = NIOLockedValueBox(silent.port)
        let sentinel = try await ScriptedSentinel.start { port.withLockedValue { $0 } }
        let client = sentinel.client()
        async let connected: Void = client.connect()
        #expect(await eventually { silent.acceptedCount > 0 })
        port.withLockedValue { $0 = next.port }
        try await connected
        #expect(next.acceptedCount == 1)
    }

    @Test(arguments: [true, false])
    func whoeverGivesUpConnectingIsToldSo(isCluster: Bool) async throws {
        let silent = try await ScriptedServer.start(greets: false) { _ in "" }
        let client = RedisClient(port: silent.port) { configuration in
            configuration.topology =
                isCluster
                ? .cluster(.init(seeds: [configuration.address]))
                : .sentinel(.init(sentinels: [configuration.address], primaryName: "main"))
        }
        let connecting = Task { try await clientError { try await client.connect() } }
        #expect(await eventually { silent.acceptedCount > 0 })
        connecting.cancel()
        #expect(try await connecting.value?.code == .cancelled)
    }

    /// Two primaries, the first of which is one, and three sentinels.
    private struct Setup {
        let servers: [ScriptedServer]
        let sentinels: [ScriptedSentinel]
        /// Knows one sentinel, and looks only for a reason.
        let client: RedisClient
        private let primary = NIOLockedValueBox(0)

        init() async throws {
            var servers: [ScriptedServer] = []
            for name in ["first", "second"] {
                servers.append(
                    try await ScriptedServer.start { $0[0] == "ROLE" ? "*1\r\n+master\r\n" : "+\(name)\r\n" }
                )
            }
            let (ports, primary) = (servers.map(\.port), primary)
            sentinels = try await ScriptedSentinel.start(3) { ports[primary.withLockedValue { $0 }] }
            client = sentinels[0].client { $0.topologyInterval = .seconds(3600) }
            self.servers = servers
        }

        /// Lets the other server be the primary, and some of the sentinels say so.
        func failOver(toldBy tellers: [Int]) {
            let new = primary.withLockedValue { primary in
                primary = 1 - primary
                return primary
            }
            tell(tellers, to: new)
        }

        func tell(_ tellers: [Int], to new: Int) {
            for teller in tellers { sentinels[teller].tell(from: servers[1 - new].port, to: servers[new].port) }
        }

        func isAt(_ name: String) async throws -> Bool {
            try await eventually {
                try await client.execute(RESPCommand("GET", "a")).string == name
            }
        }

        func isListeningToAll() async -> Bool {
            await eventually { sentinels.allSatisfy { $0.counts.subscriptions == 1 } }
        }

        /// How often the sentinels were asked; the first has been from the start.
        var looks: Int { sentinels[0].counts.looks }
    }

    @Test func anySentinelIsHeard() async throws {
        let setup = try await Setup()
        try await setup.client.connect()
        #expect(await setup.isListeningToAll())
        var expected = ["second", "first"]
        // The others may be cut off from what happened, or dead.
        for teller in [0, 1, 2] {
            setup.failOver(toldBy: [teller])
            #expect(try await setup.isAt(expected[0]))
            expected.reverse()
        }
        for dead in [0, 1] { try await setup.sentinels[dead].server.stop() }
        setup.failOver(toldBy: [2])
        #expect(try await setup.isAt(expected[0]))
    }

    @Test func whatAllSentinelsTellIsLookedIntoOnce() async throws {
        let setup = try await Setup()
        try await setup.client.connect()
        #expect(await setup.isListeningToAll())
        let once = setup.looks + 1
        setup.failOver(toldBy: [1])
        #expect(try await setup.isAt("second"))
        #expect(await eventually { setup.looks >= once })
        // A connection that takes long is a reason for a look, too, but not for ever.
        let isCalm = await eventually {
            let before = setup.looks
            for _ in 0..<10 { setup.tell([0, 1, 2], to: 1) }
            return await !eventually(within: .milliseconds(200)) { setup.looks != before }
        }
        #expect(isCalm)
        // They are still listened to.
        setup.failOver(toldBy: [0, 1, 2])
        #expect(try await setup.isAt("first"))
    }

    @Test func theFailoverOfAnotherPrimaryIsNoNews() async throws {
        let sentinel = try await ScriptedSentinel.start { 1 }
        let configuration = RedisClient.configuration(port: sentinel.server.port)
        let alarm = FailoverAlarm(
            configuration: configuration,
            primaryName: "main",
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        let notices = NIOLockedValueBox<[FailoverAlarm.Notice]>([])
        alarm.listen(to: [configuration.address]) { notice in notices.withLockedValue { $0.append(notice) } }
        #expect(await eventually { sentinel.counts.subscriptions == 1 })
        sentinel.tell(of: "other", from: 1, to: 2)
        sentinel.tell(from: 1, to: 3)
        #expect(await eventually { !notices.withLockedValue { $0.isEmpty } })
        #expect(notices.withLockedValue { $0 } == [.switched(to: .hostname("127.0.0.1", port: 3))])
        alarm.close()
        try await sentinel.server.stop()
    }

    /// - Parameter ports: of the sentinels.
    private func client(_ ports: [Int]) -> RedisClient {
        RedisClient(port: ports[0]) { configuration in
            let sentinels = ports.map { RedisClient.Configuration.Address.hostname("127.0.0.1", port: $0) }
            configuration.topology = .sentinel(.init(sentinels: sentinels, primaryName: "main"))
        }
    }

    @Test func oneSentinelIsEnoughWhereTheOthersAreAway() async throws {
        let primary = try await ScriptedServer.start { $0[0] == "ROLE" ? "*1\r\n+master\r\n" : "+here\r\n" }
        let port = primary.port
        let sentinel = try await ScriptedSentinel.start { port }
        // Nobody listens there.
        let client = client([1, sentinel.server.port, 2])
        #expect(try await client.execute(RESPCommand("SET", "a", 1)).string == "here")
    }

    /// Not that the others cannot be reached.
    @Test(.timeLimit(.minutes(1))) func whatASentinelRefusesIsSaid() async throws {
        let sentinel = try await ScriptedServer.start { _ in "-NOPERM this user has no permissions\r\n" }
        // Nobody listens there.
        let client = client([1, sentinel.port, 2])
        #expect(try await clientError { try await client.connect() }?.code == .authenticationFailed)
    }

    /// Not that another is frozen.
    @Test func aNameThatASentinelDoesNotKnowIsSaid() async throws {
        let unknowing = try await ScriptedServer.start { words in
            words.dropFirst().first == "GET-MASTER-ADDR-BY-NAME" ? "*-1\r\n" : "-ERR No such master with that name\r\n"
        }
        let frozen = try await ScriptedServer.start(greets: false) { _ in "" }
        let client = client([unknowing.port, frozen.port, 1])
        let error = try await clientError { try await client.connect() }
        #expect(error?.message == "The sentinel watches no primary of that name.")
    }

    /// Whoever lets nobody in says nothing of them.
    @Test func credentialsThatAreRefusedAreSaid() async throws {
        let strict = try await ScriptedServer.start(greets: false) { _ in "-WRONGPASS invalid pair\r\n" }
        let other = try await ScriptedServer.start(greets: false) { _ in "HTTP/1.1 400 Bad Request\r\n" }
        let client = client([other.port, strict.port])
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .authenticationFailed)
        #expect(error?.hint?.contains("the sentinel 127.0.0.1:\(strict.port)") == true)
    }

    /// Whose password is missing.
    @Test(.timeLimit(.minutes(1))) func whatAServerRefusesIsNotSaidOfASentinel() async throws {
        let primary = try await ScriptedServer.start(greets: false) { _ in "-NOAUTH Authentication required.\r\n" }
        let sentinel = try await ScriptedSentinel.start { primary.port }
        let error = try await clientError { try await sentinel.client().connect() }
        #expect(error?.code == .authenticationFailed)
        #expect(error?.hint?.contains("sentinel") == false)
    }

    /// It may answer the next time, as one that is away does not.
    @Test func aSlowSentinelIsAskedAgain() async throws {
        let primary = try await ScriptedServer.start { $0[0] == "ROLE" ? "*1\r\n+master\r\n" : "+here\r\n" }
        let isQuick = NIOLockedValueBox(false)
        let slow = try await ScriptedServer.start(greets: false) { words in
            switch words[0] == "SENTINEL" ? words[1] : words[0] {
            case _ where !isQuick.withLockedValue({ $0 }): ""
            case "HELLO": "%0\r\n"
            case "GET-MASTER-ADDR-BY-NAME": "*2\r\n+127.0.0.1\r\n:\(primary.port)\r\n"
            case "MASTER": "*2\r\n+config-epoch\r\n+1\r\n"
            case "SENTINELS": "*0\r\n"
            default: "+OK\r\n"
            }
        }
        let away = try await ScriptedServer.start(greets: false) { _ in nil }
        let addresses = [slow, away].map {
            RedisClient.Configuration.Address.hostname("127.0.0.1", port: $0.port)
        }
        let client = RedisClient(port: slow.port) {
            $0.topology = .sentinel(.init(sentinels: addresses, primaryName: "main"))
            $0.surveyPatience = .milliseconds(50)
        }
        let connecting = Task { try await client.connect() }
        // That is longer than one look takes.
        #expect(await eventually { away.acceptedCount > 20 })
        isQuick.withLockedValue { $0 = true }
        slow.push("%0\r\n+OK\r\n")
        try await connecting.value
    }

    /// A name, or a proxy, may lead to each of the servers in turn.
    @Test func anAddressIsConnectedToAnewWhenTheServerIsNoPrimary() async throws {
        let connections = NIOLockedValueBox(0)
        let primary = try await ScriptedServer.start { words in
            switch words[0] {
            case "ROLE":
                connections.withLockedValue { $0 += 1 }
                return "*1\r\n+master\r\n"
            case "SET" where connections.withLockedValue({ $0 }) == 1:
                return "-READONLY You can't write against a read only replica.\r\n"
            default:
                return "+OK\r\n"
            }
        }
        let sentinel = try await ScriptedSentinel.start { primary.port }
        let client = sentinel.client()
        #expect(try await client.execute(RESPCommand("SET", "a", 1)).string == "OK")
        #expect(connections.withLockedValue { $0 } == 2)
    }
}
