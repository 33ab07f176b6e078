import Logging
import NIOCore
import NIOPosix
import RESP
import Testing

@testable import RedisClient

private typealias Address = RedisClient.Configuration.Address

private func address(_ port: Int) -> Address { .hostname("h", port: port) }

private func primary(_ port: Int) -> Primary { Primary(address: address(port), place: place(port)) }

private func place(_ port: Int) -> Place { .primary(address(port), ofSlot: port) }

@Suite struct HashSlotTests {
    /// As `CLUSTER KEYSLOT` of a real server says.
    @Test(arguments: [
        ("", 0), ("a", 15_495), ("foo", 12_182), ("123456789", 12_739), ("{user1000}.following", 3443),
        ("foo{}{bar}", 8363), ("{user1000}.followers", 3443), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061),
    ])
    func isThatOfTheServer(key: String, slot: Int) {
        #expect(HashSlot.of(.string(key)) == slot)
        #expect(HashSlot.of(.bytes(ByteBuffer(string: key))) == slot)
    }

    @Test func numbersHashAsTheirDigits() {
        #expect(HashSlot.of(.integer(123_456_789)) == 12_739)
    }
}

@Suite struct CommandRouteTests {
    @Test(arguments: [
        (RESPCommand("GET", "a"), ["a"]),
        (RESPCommand("set", "a", "b"), ["a"]),
        (RESPCommand("EVALSHA", "d", 2, "a", "b", "c"), ["a", "b"]),
        (RESPCommand("EVAL", "s", 0, "c"), []),
        (RESPCommand("EVAL", "s", "9", "a", "b"), ["a", "b"]),
        (RESPCommand("EVAL", "s", "-1", "a"), []),
        (RESPCommand("FCALL", "f", 1, "a", "c"), ["a"]),
        (RESPCommand("MSET", "a", "1", "b", "2"), ["a", "b"]),
        (RESPCommand("ZUNIONSTORE", "a", 2, "b", "c", "WEIGHTS", 1, 2), ["a", "b", "c"]),
        (RESPCommand("ZINTER", 2, "b", "c", "WITHSCORES"), ["b", "c"]),
        (RESPCommand("XREAD", "COUNT", 2, "streams", "a", "b", "0", "0"), ["a", "b"]),
        (RESPCommand("XREADGROUP", "GROUP", "streams", "c", "STREAMS", "a", "b", ">", ">"), ["a", "b"]),
        (RESPCommand("XREADGROUP", "GROUP", "g", "streams", "STREAMS", "a", ">"), ["a"]),
        (RESPCommand("XREADGROUP", "GROUP"), []),
        (RESPCommand("SORT", "a", "LIMIT", 0, 1, "STORE", "b"), ["a", "b"]),
        (RESPCommand("SORT", "a", "BY", "store", "GET", "store", "STORE", "store", "DESC"), ["a", "store"]),
        (RESPCommand("GEORADIUSBYMEMBER", "a", "store", 5, "km"), ["a"]),
        (RESPCommand("GEORADIUS", "a", 1, 2, 5, "km", "STORE", "b", "STOREDIST", "c"), ["a", "b", "c"]),
        (RESPCommand("BITOP", "AND", "a", "b", "c"), ["a", "b", "c"]),
        (RESPCommand("OBJECT", "ENCODING", "a"), ["a"]),
        (RESPCommand("DEBUG", "OBJECT", "a"), ["a"]),
        (RESPCommand("MSETEX", 2, "a", "1", "b", "2", "EX", 1), ["a", "b"]),
        (RESPCommand("MSETEX", 2, "a"), ["a"]),
        (RESPCommand("COMMANDLOG", "GET", 1, "slow"), []),
        (RESPCommand("RENAME", "a", "b"), ["a", "b"]),
        (RESPCommand("BLPOP", "a", "b", 0), ["a", "b"]),
        (RESPCommand("PING", "a"), []),
        (RESPCommand("PUBLISH", "a", "b"), []),
        (RESPCommand("JSON.GET", "a", "$"), ["a"]),
        (RESPCommand("GET"), []),
    ])
    func findsTheKeys(command: RESPCommand, keys: [String]) {
        var found: [String] = []
        CommandRule.of(command).keys.forEachPosition(in: command) { position in
            if let key = command.argument(at: position)?.string { found.append(key) }
        }
        #expect(found == keys, "\(command)")
    }

    @Test func sendsKeysOfOneSlotToIt() throws {
        #expect(try CommandRoute.inCluster(RESPCommand("GET", "foo")) == .one(.slot(12_182)))
        #expect(try CommandRoute.inCluster(RESPCommand("MGET", "{foo}1", "{foo}2")) == .one(.slot(12_182)))
        #expect(try CommandRoute.inCluster(RESPCommand("PING")) == .one(.anyPrimary))
        #expect(try CommandRoute.inCluster(RESPCommand("DBSIZE")) == .everyPrimary(.sum))
    }

    @Test func aChannelIsNoKeyButHasAWay() throws {
        let place = Place.channel(slot: 12_182)
        #expect(try CommandRoute.inCluster(RESPCommand("publish", "foo", "m")) == .one(place))
        #expect(try CommandRoute.inCluster(RESPCommand("PUBLISH")) == .one(.anyPrimary))
        // It stands back where there are keys.
        #expect(place.joined(with: .slot(7)) == .slot(7))
        #expect(Place.slot(7).joined(with: place) == .slot(7))
        #expect(place.joined(with: .channel(slot: 7)) == place)
        #expect(place.joined(with: .anyPrimary) == place && Place.anyPrimary.joined(with: place) == place)
        #expect(Place.slot(7).joined(with: .slot(8)) == nil)
    }

    /// In parts those that lack nothing would be done.
    @Test func sendsWhatLacksAValueWhole() throws {
        let incomplete = RESPCommand("MSET", "foo", "1", "b", "2", "c")
        #expect(try CommandRoute.inCluster(incomplete) == .one(.slot(12_182)))
        guard case .parts = try CommandRoute.inCluster(RESPCommand("MSET", "foo", "1", "b", "2")) else {
            return #expect(Bool(false))
        }
    }

    @Test(arguments: [
        RESPCommand("RENAME", "a", "b"), RESPCommand("MSETNX", "a", "1", "b", "2"),
        RESPCommand("EVAL", "s", 2, "a", "b"),
    ])
    func refusesKeysOfSeveralSlots(command: RESPCommand) {
        let error = #expect(throws: RedisClientError.self) { try CommandRoute.inCluster(command) }
        #expect(error?.code == .crossSlot)
        #expect(error?.message.contains(command.name) == true)
    }
}

@Suite struct ClusterCursorTests {
    private let primaries = [primary(2), primary(1)]

    /// The page that a cursor leads to, and the cursor behind it.
    private func turn(
        _ cursor: String,
        _ primaries: [Primary],
        answered next: String
    ) throws -> (Place, String, String) {
        let command = RESPCommand("SCAN", cursor, "COUNT", 9)
        let plan = PipelinePlan([command], routes: [.primariesInTurn], primaries: primaries)
        let part = try #require(plan.parts.first)
        #expect(part.command.argument(at: 2)?.string == "9")
        let page = plan.assemble([.array([.simpleString(next), .array([])])])
        return (part.place, part.command.argument(at: 0)?.string ?? "", page.first?.array?.first?.string ?? "")
    }

    @Test func goesThroughAllPrimaries() throws {
        let first = try turn("0", primaries, answered: "17")
        #expect(first.0 == place(1) && first.1 == "0")
        // In whatever order they are told.
        let second = try turn(first.2, primaries.reversed(), answered: "0")
        #expect(second.0 == place(1) && second.1 == "17")
        let third = try turn(second.2, primaries, answered: "18446744073709551615")
        #expect(third.0 == place(2) && third.1 == "0")
        let fourth = try turn(third.2, primaries, answered: "0")
        #expect(fourth.0 == place(2) && fourth.1 == "18446744073709551615")
        #expect(fourth.2 == "0")
        // Clients take it for a number.
        #expect([first.2, second.2, third.2].allSatisfy { $0.first == "1" && $0.allSatisfy(\.isNumber) })
    }

    @Test func beginsAnewAmongOthers() throws {
        let cursor = try turn("0", primaries, answered: "17").2
        let other = try turn(cursor, [primary(1), primary(3)], answered: "0")
        #expect(other.0 == place(1) && other.1 == "0")
    }

    @Test func anErrorIsTheAnswer() {
        let plan = PipelinePlan([RESPCommand("SCAN", 0)], routes: [.primariesInTurn], primaries: primaries)
        let error = RESPValue.error(RESPError("ERR no"))
        #expect(plan.assemble([error]) == [error])
    }
}

@Suite struct PipelinePlanTests {
    private func plan(_ commands: [RESPCommand]) throws -> PipelinePlan {
        PipelinePlan(commands, routes: try commands.map { try .inCluster($0) }, primaries: [primary(1), primary(2)])
    }

    @Test func takesCommandsApartAndPutsAnswersTogether() throws {
        let commands = [
            RESPCommand("MGET", "a", "b", "{a}2"), RESPCommand("GET", "a"), RESPCommand("DEL", "a", "b"),
            RESPCommand("MSET", "a", "1", "b", "2"), RESPCommand("DBSIZE"), RESPCommand("KEYS", "*"),
        ]
        let plan = try plan(commands)
        #expect(
            plan.parts.map { [$0.command.name] + $0.command.arguments.map { $0.string ?? "" } } == [
                ["MGET", "a", "{a}2"], ["MGET", "b"], ["GET", "a"],
                ["DEL", "a"], ["DEL", "b"], ["MSET", "a", "1"],
                ["MSET", "b", "2"], ["DBSIZE"], ["DBSIZE"], ["KEYS", "*"],
                ["KEYS", "*"],
            ]
        )
        #expect(plan.parts[0].place == .slot(15_495))
        #expect(plan.parts[7].place == place(1))
        func text(_ text: String) -> RESPValue { .simpleString(text) }
        let replies = plan.assemble(
            [
                .array([text("a"), text("a2")]), .array([text("b")]), text("x"), .integer(1), .integer(0), text("OK"),
                text("OK"), .integer(3), .integer(4), .array([text("k")]), .array([text("l")]),
            ]
        )
        #expect(
            replies == [
                .array([text("a"), text("b"), text("a2")]), text("x"), .integer(1), text("OK"), .integer(7),
                .array([text("k"), text("l")]),
            ]
        )
    }

    @Test func anErrorOfAPartIsTheAnswer() throws {
        let plan = try plan([RESPCommand("DEL", "a", "b"), RESPCommand("PING")])
        let error = RESPValue.error(RESPError("CLUSTERDOWN"))
        let replies = plan.assemble([.integer(1), error, .simpleString("PONG")])
        #expect(replies == [error, .simpleString("PONG")])
    }
}

@Suite struct PipelineWorkTests {
    private func work(_ commands: [RESPCommand]) -> PipelineWork {
        PipelineWork(parts: commands.map { PipelinePlan.Part(command: $0, place: .anyPrimary) })
    }

    private func followUp(_ error: RESPError, _: Int) -> FollowUp { FollowUp(error, from: address(1)) }

    @Test func triesAgainOnlyWhatWasNotDone() {
        var work = work([RESPCommand("GET", "a"), RESPCommand("GET", "b"), RESPCommand("SET", "c", 1)])
        #expect(work.beginRound() == [0, 1, 2])
        let ask = RESPValue.error(RESPError("ASK 7 :9"))
        let replies: [RESPValue] = [ask, .integer(1), .error(RESPError("TRYAGAIN"))]
        #expect(work.receive(.success(replies), of: [0, 1, 2], from: address(1), followUp: followUp) != nil)
        #expect(work.redirects.map(\.target) == [address(9)])
        #expect(work.beginRound() == [0, 2])
        #expect(work.commands(of: [0, 2]).map(\.name) == ["ASKING", "GET", "SET"])
        let second: [RESPValue] = [.simpleString("OK"), .integer(0), .integer(2)]
        #expect(work.receive(.success(second), of: [0, 2], from: address(1), followUp: followUp) == nil)
        #expect(work.beginRound().isEmpty)
        #expect(work.replies.map(\.integer) == [0, 1, 2])
    }

    /// What becomes of the first of two commands that is refused, while the second is answered.
    @Test(arguments: [
        ("SET a 1", "SET a 2", true), ("SET a 1", "GET a", true), ("GET a", "SET a 2", true), ("GET a", "GET a", false),
        ("SET a 1", "SET {a}b 2", true), ("SET a 1", "SET b 2", false), ("SET a 1", "FLUSHALL", true),
        ("DBSIZE", "SET a 1", true), ("DBSIZE", "GET a", false), ("GET a", "CONFIG SET x y", false),
    ])
    func whatALaterCommandHasOvertakenIsNotTriedAgain(first: String, second: String, isOvertaken: Bool) throws {
        let commands = [first, second].map { line in
            let words = line.split(separator: " ").map(String.init)
            return RESPCommand(words[0], arguments: Array(words.dropFirst()))
        }
        let routes = try commands.map { try CommandRoute.inCluster($0) }
        var work = PipelineWork(parts: PipelinePlan(commands, routes: routes, primaries: [primary(1)]).parts)
        _ = work.beginRound()
        let refusal = RESPValue.error(RESPError("LOADING"))
        #expect(
            work.receive(.success([refusal, .integer(2)]), of: [0, 1], from: address(1), followUp: followUp) != nil
        )
        work.endRound()
        #expect(work.isDone == isOvertaken)
        #expect(work.beginRound() == (isOvertaken ? [] : [0]))
        #expect(work.replies == [refusal, .integer(2)])
    }

    /// The server that refused the first would run it behind the second; the one that sent it on would not run it.
    @Test(arguments: [("TRYAGAIN x", true), ("MOVED 7 :9", false)])
    func whatIsLostWhenItIsSentAgainIsAnsweredByARefusalOnly(answer: String, isRefusal: Bool) {
        var work = work([RESPCommand("SET", "a", 1), RESPCommand("SET", "a", 2)])
        _ = work.beginRound()
        let replies = [answer, "ASK 7 :9"].map { RESPValue.error(RESPError($0)) }
        _ = work.receive(.success(replies), of: [0, 1], from: address(1), followUp: followUp)
        work.endRound()
        #expect(work.beginRound() == [0, 1])
        let lost = RedisClientError(.connectionLost, "")
        _ = work.receive(.failure(lost), of: [0], from: address(1), followUp: followUp)
        let done = [RESPValue.simpleString("OK"), .simpleString("OK")]
        _ = work.receive(.success(done), of: [1], from: address(9), followUp: followUp)
        work.endRound()
        #expect(work.isDone == isRefusal)
        #expect(work.replies[0] == (isRefusal ? replies[0] : .null))
    }

    @Test func messagesWaitForWrites() throws {
        let commands = [
            RESPCommand("PUBLISH", "c", 1), RESPCommand("SET", "foo", 1), RESPCommand("publish", "c", 2),
            RESPCommand("SPUBLISH", "foo", 3), RESPCommand("SET", "hello", 1), RESPCommand("SPUBLISH", "foo", 4),
        ]
        let routes = try commands.map { try CommandRoute.inCluster($0) }
        var work = PipelineWork(parts: PipelinePlan(commands, routes: routes, primaries: []).parts)
        #expect(work.beginRound() == [0, 1, 4])
        let replies: [RESPValue] = [.integer(0), .error(RESPError("TRYAGAIN")), .simpleString("OK")]
        _ = work.receive(.success(replies), of: [0, 1, 4], from: address(1), followUp: followUp)
        #expect(work.beginRound() == [1])
        _ = work.receive(.success([.simpleString("OK")]), of: [1], from: address(1), followUp: followUp)
        work.endRound()
        #expect(!work.isDone)
        #expect(work.beginRound() == [2, 3, 5])
        // When no time is left, what it waited for answers it.
        var late = PipelineWork(parts: PipelinePlan(commands, routes: routes, primaries: []).parts)
        _ = late.beginRound()
        _ = late.receive(.success(replies), of: [0, 1, 4], from: address(1), followUp: followUp)
        late.giveUp(RESPError("TRYAGAIN"))
        #expect(late.isDone)
        #expect([1, 2, 3, 5].allSatisfy { late.replies[$0] == .error(RESPError("TRYAGAIN")) })
        // With sentinels, too; and what only reads tells nobody anything.
        var sentinel = self.work(commands)
        #expect(sentinel.beginRound() == [0, 1, 4])
        var reads = self.work([RESPCommand("GET", "a"), RESPCommand("GET", "b"), RESPCommand("PUBLISH", "c", 1)])
        #expect(reads.beginRound() == [0, 1, 2])
    }

    @Test func writesThatMayHaveBeenDoneAreNotRepeated() {
        let lost = RedisClientError(.connectionLost, "", mayHaveExecuted: true)
        var reads = work([RESPCommand("GET", "a")])
        _ = reads.beginRound()
        #expect(reads.receive(.failure(lost), of: [0], from: address(1), followUp: followUp) != nil)
        #expect(reads.beginRound() == [0])
        var writes = work([RESPCommand("INCR", "a"), RESPCommand("GET", "a")])
        _ = writes.beginRound()
        #expect(writes.receive(.failure(lost), of: [0, 1], from: address(1), followUp: followUp) == nil)
        #expect(writes.failure != nil)
        #expect(writes.beginRound().isEmpty)
    }

    @Test func whatIsNotTrackedIsNotAnswered() {
        let part = PipelinePlan.Part(command: RESPCommand("GET", "a"), place: .anyPrimary)
        var work = PipelineWork(parts: [part], tracking: .required)
        _ = work.beginRound()
        let refusal = RESPError("NOPERM no caching")
        _ = work.receive(.success([.error(refusal), .integer(1)]), of: [0], from: address(1), followUp: followUp)
        #expect(work.failure as? RESPError == refusal)
    }

    /// A server that is asked by ASK tracks nothing: who lives by the messages alone is told so.
    @Test(arguments: [(Tracking.required, [0]), (.preferred, [])])
    func whatIsAskedIsUntracked(tracking: Tracking, untracked: [Int]) {
        let part = PipelinePlan.Part(command: RESPCommand("GET", "a"), place: .anyPrimary)
        var work = PipelineWork(parts: [part], tracking: tracking)
        _ = work.beginRound()
        let ask = RESPError("ASK 1 127.0.0.1:2")
        _ = work.receive(
            .success([.simpleString("OK"), .error(ask)]),
            of: [0],
            from: address(1),
            followUp: followUp
        )
        let due = work.beginRound()
        #expect(work.commands(of: due).first?.name == "ASKING")
        _ = work.receive(.success([.simpleString("OK"), .null]), of: [0], from: address(2), followUp: followUp)
        #expect(work.untracked == untracked)
    }

    @Test func whatIsReadFromAPrimaryIsItsOwn() throws {
        let commands = ["GET", "DBSIZE", "FLUSHALL", "KEYS", "SCAN"].map { RESPCommand($0, "0") }
        let routes = try commands.map { try CommandRoute.inCluster($0) }
        let plan = PipelinePlan(commands, routes: routes, primaries: [primary(1), primary(2)])
        var work = PipelineWork(parts: plan.parts)
        let all = work.beginRound()
        _ = work.receive(
            .success(all.map { _ in .integer(1) }),
            of: all,
            from: address(1),
            followUp: followUp
        )
        // Of the primaries the scan has the first in turn.
        #expect(work.misanswered == [1, 3])
        _ = work.receive(.success([.integer(1)]), of: all.suffix(1), from: address(2), followUp: followUp)
        #expect(work.misanswered == [1, 3, 4])
    }

    @Test func keysThatAreNoTextAreTold() {
        let command = RESPCommand("MGET", "a", ByteBuffer(bytes: [0xFF]))
        #expect(PipelinePlan.Part(command: command, place: .anyPrimary).keys == ["a", nil])
    }

    @Test func theWholeKnowsThatPartsOfItWereDone() {
        var work = work([RESPCommand("INCR", "a"), RESPCommand("INCR", "b")])
        _ = work.beginRound()
        _ = work.receive(.success([.integer(1)]), of: [0], from: address(1), followUp: followUp)
        let unsent = RedisClientError(.timedOut, "")
        #expect((work.whole(unsent) as? RedisClientError)?.mayHaveExecuted == true)
    }
}

@Suite struct FollowUpTests {
    @Test func readsRedirections() {
        let moved = FollowUp(RESPError("MOVED 3999 10.0.0.1:6381"), from: address(1))
        guard case .go(let redirect) = moved else { return #expect(Bool(false), "\(moved)") }
        #expect(redirect.slot == 3999 && !redirect.isAsk)
        #expect(redirect.target == .hostname("10.0.0.1", port: 6381))
        guard case .go(let ask) = FollowUp(RESPError("ASK 1 ::1:6381"), from: address(1)) else {
            return #expect(Bool(false))
        }
        #expect(ask.isAsk && ask.target == .hostname("::1", port: 6381))
        guard case .go(let same) = FollowUp(RESPError("MOVED 1 :7"), from: address(1)) else {
            return #expect(Bool(false))
        }
        #expect(same.target == address(7))
    }

    @Test func nodesWithoutANameAreFoundByTheMap() {
        let nodes: [Address] = [.hostname("10.0.0.1", port: 7), .hostname("10.0.0.2", port: 8)]
        func followUp(_ text: String, from node: Address, among nodes: [Address]) -> FollowUp {
            FollowUp(RESPError(text), from: node) { nodes }
        }
        #expect(followUp("MOVED 1 ?:8", from: nodes[0], among: nodes) == .wait(.changed))
        guard case .go(let ask) = followUp("ASK 1 ?:8", from: nodes[0], among: nodes) else {
            return #expect(Bool(false))
        }
        #expect(ask.isAsk && ask.target == nodes[1])
        // It is never the node that answered; of several others it may be any.
        #expect(followUp("ASK 1 ?:7", from: nodes[0], among: nodes) == .wait(.changed))
        let more = nodes + [.hostname("10.0.0.3", port: 8)]
        #expect(followUp("ASK 1 ?:8", from: nodes[0], among: more) == .wait(.changed))
        #expect(followUp("ASK 1 ?:x", from: nodes[0], among: nodes) == .answer)
    }

    @Test(arguments: [
        "MOVED", "MOVED x h:1", "MOVED 99999 h:1", "MOVED 1 h", "MOVED 1 h:0", "WRONGTYPE x", "ERR moved",
    ])
    func takesTheRestForAnAnswer(text: String) {
        #expect(FollowUp(RESPError(text), from: address(1)) == .answer)
    }

    @Test(arguments: [
        ("TRYAGAIN x", FollowUp.Reason.busy), ("CLUSTERDOWN x", .unavailable), ("LOADING x", .unavailable),
        ("MASTERDOWN x", .changed), ("READONLY x", .changed),
    ])
    func waitsForWhatPasses(text: String, reason: FollowUp.Reason) {
        #expect(FollowUp(RESPError(text), from: address(1)) == .wait(reason))
    }

    @Test func redirectionsAreBounded() {
        var budget = RetryBudget()
        // What was not sent is none.
        let passes = (0..<20).map { _ in budget.pass() }
        #expect(passes.prefix(3).allSatisfy { $0 == .zero } && passes.dropFirst(3).allSatisfy { $0 > .zero })
        var times: [TimeAmount] = []
        while let time = budget.move() { times.append(time) }
        #expect(times.count == 16)
        #expect(times.prefix(3).allSatisfy { $0 == .zero } && times.dropFirst(3).allSatisfy { $0 > .zero })
    }

    /// `ASK` by the one node, `TRYAGAIN` by the other, until the last key has moved.
    @Test func redirectionsBetweenWaitsAreNotCounted() {
        var budget = RetryBudget()
        for _ in 0..<50 {
            budget.countAnew()
            #expect(budget.wait() > .zero)
            #expect(budget.move() == .zero)
        }
    }
}

@Suite struct SlotMapTests {
    private func node(_ host: RESPValue, _ port: Int, _ more: RESPValue...) -> RESPValue {
        .array([host, .integer(port), .simpleString("id")] + more)
    }

    @Test func readsWhatNodesSay() throws {
        let ip = RESPValue.map([.init(key: .simpleString("ip"), value: .simpleString("10.0.0.9"))])
        let reply = RESPValue.array([
            .array([
                .integer(5), .integer(16_383), node(.simpleString("b"), 2), node(.null, 3),
                node(.simpleString("?"), 4, ip),
            ]),
            .array([.integer(0), .integer(3), node(.simpleString(""), 1)]),
        ])
        let map = try SlotMap(clusterSlots: reply, from: address(9))
        #expect(map.shards.map(\.primary) == [address(1), .hostname("b", port: 2)])
        #expect(Set(map.shards[1].replicas) == [address(3), .hostname("10.0.0.9", port: 4)])
        #expect(map.shard(of: 0) == 0 && map.shard(of: 5) == 1 && map.shard(of: 4) == nil)
        #expect(map.assignedCount == 16_383 && !map.isComplete)
        #expect(map.addresses.count == 4)
    }

    @Test func slotsOfWhomItCannotFindAreNobodys() throws {
        let reply = RESPValue.array([
            .array([.integer(0), .integer(9), node(.simpleString("a"), 0), node(.simpleString("b"), 2)]),
            .array([.integer(10), .integer(19), .array([.simpleString("a"), .null, .simpleString("id")])]),
            .array([.integer(20), .integer(29)]), .array([.integer(30), .integer(39), .null]),
            .array([.integer(40), .integer(49), node(.simpleString("b"), 2), node(.simpleString("c"), 0)]),
        ])
        let map = try SlotMap(clusterSlots: reply, from: address(9))
        #expect(map.shards == [.init(primary: .hostname("b", port: 2))])
        #expect(map.assignedCount == 10 && map.shard(of: 40) == 0 && map.shard(of: 39) == nil)
        #expect(try SlotMap(clusterSlots: .array([]), from: address(9)).assignedCount == 0)
    }

    @Test(arguments: [
        RESPValue.integer(1), .array([.integer(1)]), .array([.array([.integer(0), .integer(1)])]),
        .array([.array([.integer(0), .integer(99_999), .null])]), .array([.array([.integer(3), .integer(1), .null])]),
        .array([.array([.integer(0), .integer(1), .array([.simpleString("h"), .integer(0)])])]),
    ])
    func refusesWhatItDoesNotUnderstand(reply: RESPValue) {
        let error = #expect(throws: RedisClientError.self) { try SlotMap(clusterSlots: reply, from: address(1)) }
        #expect(error?.code == .protocolViolation)
    }

    @Test func refusesMorePrimariesThanThereAreSlots() {
        let entries = (0..<70_000).map { index in
            RESPValue.array([.integer(0), .integer(1), node(.simpleString("h\(index)"), 1)])
        }
        let error = #expect(throws: RedisClientError.self) {
            try SlotMap(clusterSlots: .array(entries), from: address(1))
        }
        #expect(error?.code == .protocolViolation)
    }

    @Test func movesSlots() {
        var map = SlotMap([.init(slots: 0...16_383, shard: .init(primary: address(1), replicas: [address(2)]))])
        map.move(7, to: address(2))
        #expect(map.shard(of: 7) == 1 && map.shards[1] == .init(primary: address(2)))
        map.move(7, to: address(1))
        #expect(map.shard(of: 7) == 0 && map.isComplete)
        var empty = SlotMap([])
        empty.move(3, to: address(1))
        #expect(empty.assignedCount == 1 && empty.shard(of: 3) == 0)
    }
}

@Suite struct ClusterStateTests {
    private func node(_ address: Address) -> RedisNode {
        RedisNode(
            configuration: .init(address: address),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
    }

    @Test func onlyReplicasAreSpared() {
        var state = ClusterState()
        let shard = SlotMap.Shard(primary: address(1), replicas: [address(2)])
        _ = state.apply(SlotMap([.init(slots: 0...16_383, shard: shard)]), make: node)
        let end = NIODeadline.now() + .seconds(60)
        func asked(_ place: Place) -> Address? {
            state.node(for: place, fromReplica: true) { _ in 0 }?.configuration.address
        }
        #expect(asked(.slot(7)) == address(2) && asked(.primary(address(1), ofSlot: 7)) == address(1))
        #expect(!state.isReplica(address(1)) && state.isReplica(address(2)))
        state.rest(address(2), until: end)
        #expect(asked(.slot(7)) == address(1))
        // Where it took over it has to be waited for.
        let isNews = state.move(7, to: address(2), make: node)
        #expect(isNews && !state.isReplica(address(2)))
        #expect(asked(.slot(7)) == address(2))
        // What is for a primary is not for whoever has taken a slot from it, as long as it is one.
        #expect(asked(.primary(address(1), ofSlot: 7)) == address(1))
        #expect(asked(.primary(address(9), ofSlot: 7)) == address(2))
    }

    @Test func aSeedIsAskedBeforeMostNodes() {
        var state = ClusterState()
        let shard = SlotMap.Shard(primary: address(1), replicas: (2...24).map(address))
        _ = state.apply(SlotMap([.init(slots: 0...16_383, shard: shard)]), make: node)
        func asked(_ seeds: Int...) -> [Address] { state.informants(seeds: seeds.map(address)) { $0 } }
        #expect(asked(98, 99).firstIndex(of: address(98)) == 2)
        #expect(asked(98, 99).last == address(99))
        // A node that is known may be one.
        #expect(asked(99, 7).firstIndex(of: address(7)).map { $0 < 3 } == true)
        #expect(Set(asked(7)) == Set((1...24).map(address)) && asked(7).count == 24)
        state.suspects = Set((1...24).map(address))
        #expect(asked(99).first == address(99))
    }

    @Test func aReplicaThatLeftIsNeededNoLonger() {
        var state = ClusterState()
        func take(_ shards: SlotMap.Shard...) -> [Address] {
            let half = HashSlot.count / shards.count
            let assignments = shards.enumerated().map { index, shard in
                SlotMap.Assignment(slots: index * half...(index + 1) * half - 1, shard: shard)
            }
            return state.apply(SlotMap(assignments), make: node).unneeded.map(\.configuration.address)
        }
        let stays = SlotMap.Shard(primary: address(1))
        let left = take(
            .init(primary: address(1), replicas: [address(2)]),
            .init(primary: address(3), replicas: [address(4)])
        )
        #expect(left == [])
        // A primary may be one again by the next look.
        #expect(Set(take(stays)) == [address(2), address(4)])
        #expect(take(stays) == [address(3)])
    }
}
