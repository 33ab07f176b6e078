import Logging
import NIOCore
import NIOHTTP1
import RESP
import TestSupport
import Testing

@testable import UpstashClient

@Suite struct SubscriptionTests {
    private func payload(_ event: RedisSubscriptionEvent?) -> String? {
        guard case .message(let message) = event else { return nil }
        return String(buffer: message.payload)
    }

    @Test(arguments: [1, 2, 7, 1000])
    func cutsStreamsIntoEvents(pieceSize: Int) throws {
        let text =
            "\u{FEFF}data: a,1\n\ndata:b\r\ndata: c\r\n\r\n: comment\n\nevent: x\nid: 4\ndata\ndata: d\r\rdatum: no\n\ndata: half"
        var parser = ServerSentEvents(maxBytes: 100)
        var events: [String] = []
        var rest = ByteBuffer(string: text)
        while let piece = rest.readSlice(length: min(pieceSize, rest.readableBytes)), piece.readableBytes > 0 {
            events += try parser.receive(piece).map { String(buffer: $0) }
        }
        #expect(events == ["a,1", "b\nc", "\nd"])
        #expect(throws: ServerSentEvents.TooLong.self) {
            _ = try parser.receive(ByteBuffer(repeating: 0x61, count: 101))
        }
    }

    @Test func readsWhatIsTold() {
        let channel = SubscriptionTarget.channel("a,b")
        #expect(channel.path == "/subscribe/a%2Cb")
        #expect(channel.event(ByteBuffer(string: "subscribe,a,b,1")) == .confirmed)
        #expect(channel.event(ByteBuffer(string: "message,other,hi")) == nil)
        let message = RedisMessage(channel: "a,b", payload: ByteBuffer(string: "x,y"))
        #expect(channel.event(ByteBuffer(string: "message,a,b,x,y")) == .message(message))
        let pattern = SubscriptionTarget.pattern("n*")
        let matched = RedisMessage(channel: "news", pattern: "n*", payload: ByteBuffer(string: "x,y"))
        #expect(pattern.event(ByteBuffer(string: "psubscribe,n*,1")) == .confirmed)
        #expect(pattern.event(ByteBuffer(string: "pmessage,n*,news,x,y")) == .message(matched))
    }

    @Test func tellsTargetsApartByTheirBytes() {
        let names = ["caf\u{e9}", "cafe\u{301}"]
        let targets = Set(names.map(SubscriptionTarget.channel) + names.map(SubscriptionTarget.pattern))
        #expect(targets.count == 4)
        #expect(targets.contains(.channel("cafe" + "\u{301}")))
    }

    @Test func deliversMessagesAndTellsOfGaps() async throws {
        let standIn = try await StandIn.start { request, _ in
            #expect(request.method == "POST")
            #expect(request.target == "/subscribe/news")
            #expect(request.headers["accept"] == ["text/event-stream"])
            #expect(request.headers["authorization"] == ["Bearer sesame"])
            return .stream("data: subscribe,news,1\n\n")
        }
        let client = try standIn.client()
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        standIn.push("data: message,news,one\n\ndata: message,ne")
        #expect(try await payload(events.next()) == "one")
        standIn.push("ws,two\n\n")
        #expect(try await payload(events.next()) == "two")
        for round in 0..<2 {
            standIn.cut()
            #expect(try await events.next() == .disconnected)
            #expect(try await events.next() == .resubscribed)
            standIn.push("data: message,news,after \(round)\n\n")
            #expect(try await payload(events.next()) == "after \(round)")
        }
        await client.close()
        #expect(try await events.next() == nil)
        #expect(try await upstashError { try await client.subscribe(to: ["news"]) }?.code == .closed)
    }

    @Test("a stream of which nothing is heard is made again")
    func noticesSilence() async throws {
        let standIn = try await StandIn.start { _, _ in .stream("data: subscribe,news,1\n\n") }
        let client = try standIn.client { $0.subscriptionIdleTimeout = .milliseconds(50) }
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
    }

    @Test("a stream that is alive, but is not confirmed, is given up in time all the same")
    func countsNoSignOfLifeBeforeTheConfirmation() {
        let start = NIODeadline.now()
        var link = SubscriptionLink()
        link.lastSign = start
        link.received(nil, at: start + .seconds(1))
        #expect(link.lastSign == start)
        for (seconds, event) in [(2, .confirmed), (3, nil)] as [(Int64, SubscriptionTarget.Event?)] {
            link.received(event, at: start + .seconds(seconds))
            #expect(link.lastSign == start + .seconds(seconds))
        }
    }

    @Test("a stream that was of use is asked for again soon; one that is only confirmed, later and later")
    func waitsLongerForWhatIsOfNoUse() {
        let start = NIODeadline.now()
        var link = SubscriptionLink()
        func pause(after event: SubscriptionTarget.Event?, standing time: TimeAmount) -> TimeAmount {
            link.received(.confirmed, at: start)
            link.received(event, at: start)
            return link.lost(at: start + time, jitter: 0)
        }
        let message = SubscriptionTarget.Event.message(RedisMessage(channel: "c", payload: ByteBuffer()))
        for pauses in [[20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000], [20, 40], [20]] {
            for milliseconds in pauses {
                #expect(pause(after: nil, standing: .seconds(4)) == .milliseconds(Int64(milliseconds)))
            }
            #expect(pause(after: message, standing: .zero) == .milliseconds(20))
            #expect(pause(after: nil, standing: .seconds(5)) == .milliseconds(20))
            link = SubscriptionLink()
        }
    }

    @Test("who confirms and ends the stream at once is not asked without end, nor heard of without end")
    func waitsForAServerThatFlaps() async throws {
        let standIn = try await StandIn.start { _, _ in
            .raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: subscribe,news,1\n\n")
        }
        let client = try standIn.client()
        let start = ContinuousClock.now
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(await eventually(within: .seconds(60)) { standIn.requests.count >= 7 })
        // Half of 20 ms, and of what it doubles to, are the shortest pauses.
        #expect(ContinuousClock.now - start >= .milliseconds(10 * 63))
        await client.close()
        // Of six interruptions that nobody has read one is left, and maybe one that came while it was read.
        var gaps: [RedisSubscriptionEvent] = []
        while let event = try await events.next() { gaps.append(event) }
        #expect(gaps.first == .disconnected && gaps.count <= 4, "\(gaps)")
    }

    @Test("the end of an interruption is not told before another has begun that nobody knows of")
    func mergesWhatNobodyHasRead() async throws {
        let (subscription, writer) = RedisSubscription.make(bufferingAtMost: 2, bytes: 1000)
        var events = subscription.makeAsyncIterator()
        let message = RedisMessage(channel: "c", payload: ByteBuffer())
        for _ in 0..<100 {
            writer.tell(.disconnected)
            writer.tell(.resubscribed)
        }
        for _ in 0..<3 { writer.deliver(message) }
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        writer.tell(.disconnected)
        #expect(try await events.next() == .message(message))
        #expect(try await events.next() == .message(message))
        #expect(try await events.next() == .overflowed)
        #expect(try await events.next() == .disconnected)
        for _ in 0..<100 {
            writer.tell(.resubscribed)
            writer.tell(.disconnected)
        }
        writer.tell(.resubscribed)
        #expect(try await events.next() == .resubscribed)
        writer.finish()
        #expect(try await events.next() == nil)
    }

    @Test func listensToSeveral() async throws {
        let standIn = try await StandIn.start { request, _ in
            let name = request.target.split(separator: "/").last ?? ""
            return .stream("data: subscribe,\(name),1\n\n")
        }
        let client = try standIn.client()
        let subscription = try await client.subscribe(to: ["a", "b"])
        #expect(Set(standIn.requests.map(\.target)) == ["/subscribe/a", "/subscribe/b"])
        _ = subscription
    }

    @Test func hearsNothingOfAStreamThatIsLostBeforeAllAreConfirmed() async throws {
        let standIn = try await StandIn.start { request, earlier in
            let name = request.target.split(separator: "/").last ?? ""
            guard earlier < 2 else { return .stream("data: subscribe,\(name),1\n\n") }
            return .stream(name == "a" ? "data: subscribe,a,1\n\ndata: message,a,early\n\n" : ": patience\n\n")
        }
        let client = try standIn.client()
        let subscription = Task { try await client.subscribe(to: ["a", "b"]) }
        #expect(await eventually { standIn.requests.count == 2 })
        standIn.cut()
        var events = try await subscription.value.makeAsyncIterator()
        standIn.push("data: message,a,late\n\n")
        #expect(try await payload(events.next()) == "late")
    }

    @Test(arguments: [1, 3, 1 << 20])
    func boundsALine(pieceSize: Int) throws {
        for (text, isTooLong) in [
            ("data:" + String(repeating: "x", count: 95) + "\n\n", false), (String(repeating: "x", count: 101), true),
            ("data:" + String(repeating: "x", count: 96) + "\n\n", true),
            (String(repeating: "data:" + String(repeating: "x", count: 49) + "\n", count: 3), true),
        ] {
            var parser = ServerSentEvents(maxBytes: 100)
            var rest = ByteBuffer(string: text)
            var result = Result<Int, any Error>.success(0)
            while let piece = rest.readSlice(length: min(pieceSize, rest.readableBytes)), piece.readableBytes > 0 {
                result = result.flatMap { count in Result { try parser.receive(piece).count + count } }
            }
            #expect((try? result.get()) == (isTooLong ? nil : 1))
        }
    }

    @Test("a long line that comes in many pieces is searched once", .timeLimit(.minutes(5)))
    func readsLongLines() throws {
        let length = 8 << 20
        var parser = ServerSentEvents(maxBytes: length + 10)
        let piece = ByteBuffer(repeating: 0x61, count: 64)
        #expect(try parser.receive(ByteBuffer(string: "data:")).isEmpty)
        for _ in 0..<length / 64 { _ = try parser.receive(piece) }
        #expect(try parser.receive(ByteBuffer(string: "\n\n")).map(\.readableBytes) == [length])
    }

    private static let spent = "{\"error\":\"ERR max requests limit exceeded. Limit: 1, Usage: 2\"}"
    private static let notPermitted =
        "{\"error\":\"NOPERM this user has no permissions to run the 'subscribe' command or its subcommand\"}"

    @Test("the first refusal is told as what it is, and nothing is asked again")
    func tellsWhyThereIsNoSubscription() async throws {
        let refusals: [(StandIn.Reply, UpstashError.Code)] = [
            (.json("{\"error\":\"WRONGPASS no\"}", status: 401), .unauthorized),
            (.json("{\"error\":\"Unauthorized\"}", status: 401), .unauthorized),
            (.json("who are you", status: 401), .unauthorized),
            (.json(Self.spent, status: 400), .quotaExceeded),
            (.json(Self.spent, status: 429), .quotaExceeded),
            (.json(Self.spent), .quotaExceeded),
            (.json("{\"result\":\"OK\"}"), .invalidAnswer),
            (.json("no", status: 404), .invalidAnswer),
        ]
        for (reply, code) in refusals {
            let standIn = try await StandIn.start { _, _ in reply }
            let client = try standIn.client()
            #expect(try await upstashError { try await client.subscribe(to: ["a"]) }?.code == code)
            #expect(standIn.requests.count == 1)
        }
        for status in [200, 400, 403] {
            let standIn = try await StandIn.start { _, _ in .json(Self.notPermitted, status: status) }
            let client = try standIn.client()
            let error = try await errorReply { try await client.subscribe(to: ["a"]) }
            #expect(error?.code == .noPermission)
            #expect(standIn.requests.count == 1)
        }
    }

    @Test("faults that pass are waited out; those that do not are told, not the time that went by")
    func tellsWhatStoodInTheWay() async throws {
        let faulty = try await StandIn.start { _, count in
            count < 2 ? .json("oops", status: 503) : .stream("data: subscribe,a,1\n\n")
        }
        let patient = try faulty.client()
        _ = try await patient.subscribe(to: ["a"])
        #expect(faulty.requests.count == 3)
        let broken = try await StandIn.start { _, _ in .json("oops", status: 503) }
        #expect(try await Self.obstacle(to: broken) == .serverFailed)
        let noHTTP = try await StandIn.start { _, _ in .raw("HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n") }
        #expect(try await Self.obstacle(to: noHTTP) == .invalidAnswer)
        try await broken.stop()
        let absence = try await Self.obstacle(to: broken)
        #expect(absence == .connectFailed)
    }

    /// Why there is no subscription; on a busy machine it may take some time until it is known.
    private static func obstacle(to standIn: StandIn) async throws -> UpstashError.Code? {
        for timeout in [100, 1000, 10_000] {
            let client = try standIn.client { $0.subscribeTimeout = .milliseconds(timeout) }
            let error = try await upstashError { try await client.subscribe(to: ["a"]) }
            await client.close()
            if error?.code != .timedOut { return error?.code }
        }
        return .timedOut
    }

    @Test(
        "a quota that is spent meanwhile, or a gateway's own answers, interrupt a subscription, and do not end it",
        arguments: [
            (SubscriptionTests.spent, 400), ("no such route", 404), ("moved", 302), ("<html>It works!</html>", 200),
        ]
    )
    func outlivesOddAnswers(text: String, status: Int) async throws {
        let standIn = try await StandIn.start { _, count in
            count == 1 ? .json(text, status: status) : .stream("data: subscribe,news,1\n\n")
        }
        let client = try standIn.client()
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        standIn.cut()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(standIn.requests.count == 3)
    }

    @Test("an interruption is logged once for each reason, without the token")
    func logsInterruptions() async throws {
        let standIn = try await StandIn.start { _, count in
            (1...4).contains(count) ? .json("no such route", status: 404) : .stream("data: subscribe,news,1\n\n")
        }
        let logs = RecordedLogs()
        let client = try UpstashClient(standIn.client().configuration, logger: logs.logger)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(logs.entries.isEmpty)
        for count in [2, 3] {
            standIn.cut()
            #expect(try await events.next() == .disconnected)
            #expect(try await events.next() == .resubscribed)
            #expect(logs.entries.count == count)
        }
        #expect(logs.entries.allSatisfy { $0.level == .info && !$0.text.contains("sesame") })
        #expect(logs.entries.map { $0.text.contains("status 404") } == [false, true, false])
        #expect(standIn.requests.count == 7)
        await client.close()
    }

    @Test("a new caller does not wait for a refusal that outlasts its time, and is told how long that is")
    func tellsOfALongRefusal() async throws {
        let standIn = try await StandIn.start { _, _ in
            .json("later", status: 429, headers: [("Retry-After", "60")])
        }
        let client = try standIn.client()
        let error = try await upstashError { try await client.subscribe(to: ["a"]) }
        #expect(error?.code == .rateLimited)
        #expect(error?.retryAfter == .seconds(60))
        #expect(standIn.requests.count == 1)
    }

    @Test("a stream is asked for again no sooner than a refusal says", arguments: [429, 503])
    func waitsAsLongAsItIsTold(status: Int) async throws {
        let standIn = try await StandIn.start { _, count in
            count == 1
                ? .json("later", status: status, headers: [("Retry-After", "1")])
                : .stream("data: subscribe,news,1\n\n")
        }
        let client = try standIn.client()
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        let start = ContinuousClock.now
        standIn.cut()
        #expect(try await events.next() == .disconnected)
        #expect(try await events.next() == .resubscribed)
        #expect(ContinuousClock.now - start >= .seconds(1))
        #expect(standIn.requests.count == 3)
        await client.close()
    }

    @Test("what a refusal says is added to the pause, up to ten minutes")
    func boundsWhatItIsTold() {
        var link = SubscriptionLink()
        #expect(link.lost(at: .now(), toldToWait: .seconds(60), jitter: 0) == .milliseconds(60_020))
        #expect(link.lost(at: .now(), toldToWait: .seconds(86_400), jitter: 0) == .milliseconds(600_040))
    }

    @Test func endsWithItsCaller() async throws {
        let silent = try await StandIn.start { _, _ in .silence }
        let hasty = try silent.client { $0.subscribeTimeout = .milliseconds(30) }
        let late = try await upstashError { try await hasty.subscribe(to: ["a"]) }
        #expect(late?.code == .timedOut)
        #expect(late?.message.contains("proxy") == true)
        let patient = try silent.client()
        let sent = silent.requests.count
        let task = Task { try await upstashError { try await patient.subscribe(to: ["a"]) } }
        #expect(await eventually { silent.requests.count > sent })
        task.cancel()
        #expect(try await task.value?.code == .cancelled)
        await hasty.close()
    }

    @Test func closesTheStreamWhenNobodyReads() async throws {
        let standIn = try await StandIn.start { _, _ in .stream("data: subscribe,news,1\n\n") }
        let client = try standIn.client()
        do {
            let subscription = try await client.subscribe(to: ["news"])
            #expect(standIn.openCount == 1)
            _ = subscription
        }
        #expect(await eventually { standIn.openCount == 0 })
        await client.close()
    }
}
