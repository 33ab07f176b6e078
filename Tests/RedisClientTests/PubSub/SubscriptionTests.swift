import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct SubscriptionTests {
    private func payload(_ event: RedisSubscriptionEvent?) -> String? {
        guard case .message(let message) = event else { return nil }
        return String(buffer: message.payload)
    }

    @Test(arguments: RESPProtocol.allCases)
    func deliversMessages(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.version = version }
        let channels = try await client.subscribe(to: ["news", "ñews"])
        let patterns = try await client.psubscribe(to: ["n*"])
        #expect(try await client.execute(RESPCommand("PUBLISH", "news", "one")).integer == 2)
        try await client.execute(RESPCommand("PUBLISH", "ñews", "two"))
        try await client.execute(RESPCommand("PUBLISH", "nobody", "three"))
        var fromChannels = channels.makeAsyncIterator()
        #expect(try await payload(fromChannels.next()) == "one")
        guard case .message(let second) = try await fromChannels.next() else {
            return #expect(Bool(false), "no message")
        }
        #expect(second == RedisMessage(channel: "ñews", pattern: nil, payload: ByteBuffer(string: "two")))
        var fromPatterns = patterns.makeAsyncIterator()
        #expect(try await payload(fromPatterns.next()) == "one")
        guard case .message(let third) = try await fromPatterns.next() else {
            return #expect(Bool(false), "no message")
        }
        #expect(third == RedisMessage(channel: "nobody", pattern: "n*", payload: ByteBuffer(string: "three")))
        await client.close()
        #expect(try await fromChannels.next() == nil)
    }

    /// The client may doubt the new connection and make another, which is a gap more.
    @Test(arguments: RESPProtocol.allCases)
    func survivesReconnectionAndTellsOfTheGap(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.version = version }
        let subscription = try await client.subscribe(to: ["news", "sport"])
        let told = NIOLockedValueBox<[RedisSubscriptionEvent]>([])
        let reading = Task {
            for try await event in subscription { told.withLockedValue { $0.append(event) } }
        }
        func hears(_ text: String, on channel: String) async -> Bool {
            let message = RedisMessage(channel: channel, payload: ByteBuffer(string: text))
            return await eventually {
                // The connection for commands may notice a restart only now.
                _ = try? await client.execute(RESPCommand("PUBLISH", channel, text))
                return told.withLockedValue { $0.contains(.message(message)) }
            }
        }
        #expect(await hears("before", on: "news"))
        for round in 0..<2 {
            try await server.restart()
            #expect(await hears("after \(round)", on: "sport"))
        }
        await client.close()
        try await reading.value
        let events = told.withLockedValue { $0 }
        let gaps = events.filter(\.isGap)
        #expect(gaps == gaps.indices.map { $0 % 2 == 0 ? .disconnected : .resubscribed })
        // Nothing is heard in a gap, and no restart goes untold.
        for (event, next) in zip(events, events.dropFirst()) where event == .disconnected {
            #expect(next == .resubscribed)
        }
        let texts = events.map { payload($0) }
        for round in 0..<2 {
            let before = try #require(texts.lastIndex(of: round == 0 ? "before" : "after 0"))
            let after = try #require(texts.firstIndex(of: "after \(round)"))
            #expect(events[before..<after].contains(.resubscribed))
        }
    }

    @Test func unsubscribesWhenNobodyReads() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        func listeners() async throws -> Int? {
            try await client.execute(RESPCommand("PUBSUB", "NUMSUB", "news")).array?.last?.integer
        }
        let first = Task {
            for try await _ in try await client.subscribe(to: ["news"]) {}
        }
        #expect(try await eventually { try await listeners() == 1 })
        do {
            let second = try await client.subscribe(to: ["news"])
            #expect(try await listeners() == 1)
            _ = second
        }
        #expect(try await listeners() == 1)
        first.cancel()
        #expect(try await eventually { try await listeners() == 0 })
        // And again at once.
        var again = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        try await client.execute(RESPCommand("PUBLISH", "news", "again"))
        #expect(try await payload(again.next()) == "again")
    }

    @Test func theConnectionEndsSomeTimeAfterTheLastSubscription() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.clientName = "listener" }
        func isConnected() throws -> Bool { try server.command("CLIENT LIST").contains("name=listener") }
        func listen() async throws {
            var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
            try server.command("PUBLISH news here")
            #expect(try await payload(events.next()) == "here")
            #expect(try isConnected())
        }
        for _ in 0..<2 {
            try await listen()
            #expect(try await eventually { try !isConnected() })
        }
    }

    @Test func theConnectionStaysForWhoComesMeanwhile() async throws {
        let server = try await RedisServer.start()
        let clients = ["again", "once"].map { name in RedisClient(server) { $0.clientName = name } }
        func isConnected(_ name: String) throws -> Bool { try server.command("CLIENT LIST").contains("name=\(name) ") }
        _ = try await clients[0].subscribe(to: ["news"])
        let events = try await clients[0].subscribe(to: ["news"])
        _ = try await clients[1].subscribe(to: ["news"])
        #expect(try await eventually { try !isConnected("once") })
        #expect(try isConnected("again"))
        withExtendedLifetime(events) {}
        for client in clients { await client.close() }
    }

    /// Were each confirmation looked for among all that are to come, the time would be over long before.
    @Test func subscribesToManyChannelsAtOnce() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let channels = (0..<20_000).map { "channel:\($0)" }
        var events = try await client.subscribe(to: channels).makeAsyncIterator()
        try await client.execute(RESPCommand("PUBLISH", "channel:19999", "here"))
        #expect(try await payload(events.next()) == "here")
    }

    @Test(arguments: RESPProtocol.allCases)
    func channelsWhoseNamesAreNoTextAreHeardByPattern(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.version = version }
        var events = try await client.psubscribe(to: ["*"]).makeAsyncIterator()
        try await client.execute(RESPCommand("PUBLISH", ByteBuffer(bytes: [0x61, 0xFF]), "heard"))
        let message = RedisMessage(channel: "a\u{FFFD}", pattern: "*", payload: ByteBuffer(string: "heard"))
        #expect(try await events.next() == .message(message))
    }

    @Test func tellsASlowReaderWhatItMissed() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) { $0.maxBufferedMessages = 10 }
        let slow = try await client.subscribe(to: ["flood"])
        var fast = try await client.subscribe(to: ["flood"]).makeAsyncIterator()
        for index in 0..<25 {
            try await client.execute(RESPCommand("PUBLISH", "flood", "\(index)"))
            #expect(try await payload(fast.next()) == "\(index)")
        }
        var events = slow.makeAsyncIterator()
        for index in 0..<10 { #expect(try await payload(events.next()) == "\(index)") }
        #expect(try await events.next() == .overflowed)
        try await client.execute(RESPCommand("PUBLISH", "flood", "later"))
        // The last of the flood may have come after the reader had caught up.
        var next = try await payload(events.next())
        if next == "24" { next = try await payload(events.next()) }
        #expect(next == "later")
    }

    @Test func tellsWhyThereIsNoSubscription() async throws {
        let server = try await RedisServer.start(arguments: [
            "--user", "reader", "on", ">secret", "~*", "&allowed", "+@all",
        ])
        let client = RedisClient(server) {
            $0.username = "reader"
            $0.password = "secret"
        }
        let refused = await #expect(throws: RESPError.self) { _ = try await client.subscribe(to: ["forbidden"]) }
        #expect(refused?.code == .noPermission)
        let allowed = try await client.subscribe(to: ["allowed"])
        _ = allowed
        await server.stop()
        let absent = RedisClient(server) { $0.connectTimeout = .milliseconds(50) }
        let late = try await clientError { try await absent.subscribe(to: ["a"]) }
        #expect(late?.code == .timedOut)
        let task = Task { try await absent.subscribe(to: ["a"]) }
        task.cancel()
        #expect(try await clientError { try await task.value } != nil)
        await absent.close()
        #expect(try await clientError { try await absent.subscribe(to: ["a"]) }?.code == .closed)
    }

    @Test(arguments: ["BUSY a script", "LOADING the dataset"])
    func aServerThatIsBusyIsAskedAgain(error: String) async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { command in
            guard command == ["SUBSCRIBE", "news"] else { return "-\(error)\r\n" }
            let isBusy = asked.withLockedValue { asked in
                asked += 1
                return asked == 2
            }
            return isBusy ? "-\(error)\r\n" : ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
        }
        let client = RedisClient(port: server.port)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        // Whoever has nothing yet is told.
        let refusal = await #expect(throws: RESPError.self) { try await client.subscribe(to: ["more"]) }
        #expect(refusal?.text == error)
        server.cut()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(server.acceptedCount == 3)
    }

    /// Whoever asks again and again is told each time.
    @Test func thatThereIsNoSubscriptionIsSaidOnceAloud() async throws {
        let logs = RecordedLogs()
        let server = try await ScriptedServer.start { _ in "-NOPERM No permissions to access a channel\r\n" }
        let client = RedisClient(RedisClient.configuration(port: server.port), logger: logs.logger)
        for _ in 0..<3 {
            await #expect(throws: RESPError.self) { _ = try await client.subscribe(to: ["news"]) }
        }
        await client.close()
        let refusals = logs.entries.filter { $0.message == "There is no subscription." }
        #expect(refusals.map(\.level) == [.info, .debug, .debug])
        #expect(refusals.first?.text.contains("NOPERM") == true)
    }

    @Test func thatThereIsNoConnectionForSubscriptionsIsSaidOnceAloud() async throws {
        let logs = RecordedLogs()
        // Nobody listens there.
        let client = RedisClient(RedisClient.configuration(port: 1), logger: logs.logger)
        let subscribing = Task { try await clientError { try await client.subscribe(to: ["news"]) } }
        func levels() -> [Logger.Level] {
            logs.entries.filter { $0.message == "No connection for subscriptions." }.map(\.level)
        }
        #expect(await eventually { levels().count >= 3 })
        #expect(levels().prefix(3) == [.info, .debug, .debug])
        await client.close()
        #expect(try await subscribing.value?.code == .closed)
    }

    @Test func whatTheServerWasTooBusyToEndIsEndedLater() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            guard words[0] == "UNSUBSCRIBE" else { return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n" }
            let isFirst = asked.withLockedValue { asked in
                asked += 1
                return asked == 1
            }
            return isFirst ? "-BUSY a script\r\n" : ">3\r\n+unsubscribe\r\n+\(words[1])\r\n:1\r\n"
        }
        let client = RedisClient(port: server.port)
        // Keeps the connection.
        let other = try await client.subscribe(to: ["sport"])
        _ = try await client.subscribe(to: ["news"])
        #expect(await eventually { asked.withLockedValue { $0 } == 2 })
        #expect(server.acceptedCount == 1)
        withExtendedLifetime(other) {}
        await client.close()
    }

    @Test func aUserWhoMayNotPingKeepsTheConnection() async throws {
        let server = try await RedisServer.start(arguments: [
            "--user", "app", "on", ">pw", "~*", "&*", "+@all", "-ping",
        ])
        let client = RedisClient(server) {
            $0.username = "app"
            $0.password = "pw"
            $0.keepAliveInterval = .milliseconds(20)
        }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        // It asks again only if it was answered.
        let isAsked = try await eventually {
            try server.command("INFO commandstats").contains(/cmdstat_ping:.*rejected_calls=([3-9]|\d\d)/)
        }
        #expect(isAsked)
        try server.command("PUBLISH news still")
        #expect(try await payload(events.next()) == "still")
    }

    @Test func noticesThatTheServerVanished() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
            $0.keepAliveInterval = .milliseconds(50)
            $0.commandTimeout = .milliseconds(100)
        }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        proxy.faults.swallowsReplies = true
        #expect(try await events.next() == .disconnected)
        proxy.faults = .init()
        proxy.cut()
        #expect(try await events.next() == .resubscribed)
    }

    /// What still comes of a subscription that is being ended is followed by what nobody hears.
    @Test func hearsNothingBeforeItIsConfirmed() async throws {
        let confirmation = ">3\r\n+subscribe\r\n+news\r\n:1\r\n"
        let subscribed = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            if words[0] == "UNSUBSCRIBE" { return ">3\r\n+unsubscribe\r\n+news\r\n:0\r\n" }
            return subscribed.withLockedValue { count in
                count += 1
                return count == 1 ? confirmation : ""
            }
        }
        let client = RedisClient(port: server.port)
        _ = try await client.subscribe(to: ["news"])
        let subscription = Task { try await client.subscribe(to: ["news"]) }
        #expect(await eventually { subscribed.withLockedValue { $0 } == 2 })
        let message = ">3\r\n+message\r\n+news\r\n+"
        server.push("\(message)before\r\n\(confirmation)\(message)after\r\n")
        var events = try await subscription.value.makeAsyncIterator()
        #expect(try await events.next() == .message(.init(channel: "news", payload: ByteBuffer(string: "after"))))
    }

    /// Of several channels some may be confirmed, and heard, before the connection is lost.
    @Test func hearsNothingOfAConnectionThatIsLostBeforeItIsConfirmed() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await ScriptedServer.start { words in
            let isFirst = asked.withLockedValue { count in
                count += 1
                return count <= 3
            }
            if isFirst, words[1] == "b" { return "" }
            return ">3\r\n+subscribe\r\n+\(words[1])\r\n:1\r\n>3\r\n+message\r\n+a\r\n+\(words[1])\r\n"
        }
        let client = RedisClient(port: server.port)
        let subscription = Task { try await client.subscribe(to: ["a", "b", "c"]) }
        #expect(await eventually { asked.withLockedValue { $0 } == 3 })
        server.cut()
        var events = try await subscription.value.makeAsyncIterator()
        server.push(">3\r\n+message\r\n+a\r\n+last\r\n")
        var heard: [String] = []
        while heard.last != "last", case .message(let message)? = try await events.next() {
            heard.append(String(buffer: message.payload))
        }
        // The first came behind the last confirmation.
        #expect(heard.count == 2 && heard.last == "last")
    }

    @Test func aMonitorEndsWithItsClient() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server)
        let lines = try await client.monitor()
        await client.close()
        for await _ in lines {}
        #expect(try await clientError { try await client.monitor() }?.code == .closed)
    }

    @Test func aMonitorThatIsCancelledIsWaitedForNoLonger() async throws {
        let server = try await ScriptedServer.start { _ in "" }
        let client = RedisClient(port: server.port)
        let monitor = Task { try await clientError { try await client.monitor() } }
        #expect(await eventually { server.acceptedCount == 1 })
        monitor.cancel()
        #expect(try await monitor.value?.code == .cancelled)
    }

    @Test(.timeLimit(.minutes(1))) func whoFallsBehindAMonitorByTooManyBytesSeesItEnd() async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n" }
        let client = RedisClient(port: server.port) { $0.maxBufferedBytes = 100 }
        let lines = try await client.monitor()
        let line = String(repeating: "x", count: 60)
        server.push(String(repeating: "+\(line)\r\n", count: 1000))
        var read: [String] = []
        for await line in lines { read.append(line) }
        #expect(read.allSatisfy { $0 == line })
        #expect((1..<1000).contains(read.count))
    }
}
