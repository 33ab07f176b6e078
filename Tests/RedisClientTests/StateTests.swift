import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct InFlightTests {
    /// Replies to one that was given up, before and after that, are none of the next one's.
    @Test func aPipelineGetsItsOwnReplies() async throws {
        let queue = NIOLockedValueBox(ReplyQueue())
        func receive(_ value: Int) {
            var values = [RESPValue.integer(value)]
            _ = queue.withLockedValue { $0.receive(&values, counter: ReplyCounter()) { _ in } }
        }
        func pipeline(_ token: UInt64, of count: Int) async -> Task<[RESPValue], any Error> {
            let task = Task {
                try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<[RESPValue], any Error>) in
                    queue.withLockedValue {
                        $0.append(
                            Waiter(
                                token: token,
                                deadline: .distantFuture,
                                replies: count,
                                completion: .pipeline(continuation)
                            )
                        )
                    }
                }
            }
            #expect(await eventually { !queue.withLockedValue { $0.isEmpty } })
            return task
        }
        let first = await pipeline(1, of: 2)
        receive(1)
        queue.withLockedValue { $0.detach(token: 1, throwing: RedisClientError(.timedOut, "late")) }
        await #expect(throws: RedisClientError.self) { try await first.value }
        receive(2)
        let second = await pipeline(2, of: 1)
        receive(3)
        #expect(try await second.value == [.integer(3)])
    }

    @Test func theAnswerToAQuestionIsDueAtOnce() {
        var queue = ReplyQueue()
        queue.append(Waiter(token: 1, deadline: .distantFuture, completion: .probe))
        #expect(queue.isOverdue(at: .now()))
        #expect(!queue.isOverdue(at: .now(), isRoutine: true))
        queue.append(Waiter(token: 2, deadline: .now(), completion: .detached))
        #expect(queue.isOverdue(at: .now(), isRoutine: true))
    }

    @Test func whatWasLostWithAConnectionIsInFlightNoMore() async throws {
        let server = try await ScriptedServer.start { $0[0] == "SET" ? nil : $0[0] == "ECHO" ? "" : "+OK\r\n" }
        var configuration = RedisClient.configuration(port: server.port)
        configuration.maxInFlight = 1
        let client = RedisClient(configuration, logger: Logger(label: "test"))
        await #expect(throws: RedisClientError.self) { try await client.execute(RESPCommand("SET", "a", "1")) }
        // The first waits for the next connection, and counts all the same.
        for _ in 0..<2 { #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK") }
        let waiting = Task.immediate { try await clientError { try await client.execute(RESPCommand("ECHO", "a")) } }
        #expect(try await clientError { try await client.execute(RESPCommand("GET", "a")) }?.code == .overloaded)
        waiting.cancel()
        #expect(try await waiting.value?.code == .cancelled)
    }
}

@Suite struct ConnectionCleannessTests {
    /// Whose `EXEC` ended whose `MULTI` is known only where one waits for the other.
    @Test(arguments: [true, false]) func aTransactionAmongOthersSpoils(isAlone: Bool) {
        var cleanness = ConnectionCleanness()
        let other = CommandKinds([RESPCommand("GET", "a")])
        let transaction = CommandKinds([RESPCommand("MULTI"), RESPCommand("EXEC")])
        if !isAlone { cleanness.send(other) }
        cleanness.send(transaction)
        if !isAlone { cleanness.receive([.null], for: other) }
        cleanness.receive([.simpleString("OK"), .array([])], for: transaction)
        #expect(cleanness.isClean == isAlone)
    }
}

@Suite struct BackoffTests {
    @Test func doublesUpToItsBoundWithJitter() {
        var backoff = Backoff(.milliseconds(100)...Duration.seconds(1))
        #expect([100, 200, 400, 800, 1000, 1000].allSatisfy { backoff.next(jitter: 0) == .milliseconds($0) })
        #expect(backoff.next(jitter: 1) == .milliseconds(500))
        for _ in 0..<1000 { #expect(backoff.next() <= .seconds(1)) }
        backoff.succeeded()
        #expect(backoff.next(jitter: 0) == .milliseconds(100))
    }

    @Test func growsFromZero() {
        #expect(Backoff(.zero...Duration.seconds(2)).pause(after: 10, jitter: 0) > .zero)
        #expect(Backoff(.zero...Duration.zero).pause(after: 10, jitter: 0) == .zero)
    }
}

@Suite struct OpenSequenceTests {
    @Test(arguments: [
        (["GET a"], false), (["MULTI"], true), (["MULTI", "GET a"], true), (["MULTI", "EXEC"], false),
        (["multi", "GET a", "exec"], false), (["MULTI", "DISCARD"], false), (["ASKING"], true),
        (["ASKING", "GET a"], false), (["ASKING", "MULTI"], true), (["CLIENT CACHING YES"], true),
        (["CLIENT CACHING YES", "GET a"], false), (["MULTI", "SELECT 1", "GET a"], true), (["WATCH a"], false),
        (["READONLY", "GET a", "READWRITE"], false), (["asking"], true),
    ])
    func lastsUntilItsEnd(commands: [String], isOpen: Bool) {
        var sequence = OpenSequence()
        for command in commands {
            let words = command.split(separator: " ").map(String.init)
            sequence.send(RESPCommand(words[0], arguments: Array(words.dropFirst())))
        }
        #expect(sequence.isOpen == isOpen)
    }
}

@Suite struct LivenessTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func liveness() -> Liveness {
        Liveness(interval: .seconds(10), patience: .seconds(1), now: start)
    }

    @Test func probesWhatIsIdleAndGivesUpWhatIsSilent() {
        var liveness = liveness()
        #expect(liveness.check(at: start + .seconds(5), hasOverdue: false) == .alive)
        #expect(liveness.nextCheck == start + .milliseconds(6500))
        #expect(liveness.check(at: start + .milliseconds(6500), hasOverdue: false) == .probe)
        #expect(liveness.nextCheck == start + .milliseconds(7500))
        #expect(liveness.check(at: start + .seconds(7), hasOverdue: true) == .alive)
        #expect(liveness.check(at: start + .milliseconds(7500), hasOverdue: false) == .dead)
    }

    @Test func whatTalksIsAskedOnceAnInterval() {
        var liveness = liveness()
        for check in 1...20 {
            liveness.received()
            let isDue = check.isMultiple(of: 4)
            #expect(
                liveness.check(at: start + .milliseconds(Int64(check) * 2500), hasOverdue: false)
                    == (isDue ? .probe : .alive)
            )
            if isDue { liveness.probeAnswered() }
        }
    }

    /// One that was asked without need has as long as one that was not, unless somebody waits for more than his time.
    @Test(arguments: [false, true]) func isAsPatientWhereItAskedByRoutine(isOverdue: Bool) {
        var liveness = liveness()
        for check in 1...4 {
            liveness.received()
            _ = liveness.check(at: start + .milliseconds(Int64(check) * 2500), hasOverdue: false)
        }
        let asked = start + .seconds(10)
        #expect(liveness.isAskingByRoutine)
        #expect(liveness.check(at: asked + .seconds(3), hasOverdue: isOverdue) == .alive)
        #expect(liveness.isAskingByRoutine != isOverdue)
        let end = asked + (isOverdue ? .seconds(4) : .milliseconds(7500))
        #expect(liveness.check(at: end - .milliseconds(1), hasOverdue: isOverdue) == .alive)
        #expect(liveness.check(at: end, hasOverdue: isOverdue) == .dead)
    }

    @Test func whatBlocksIsNotAsked() {
        var liveness = liveness()
        for check in 1...20 {
            let now = start + .milliseconds(Int64(check) * 2500)
            liveness.rested(at: now)
            #expect(liveness.check(at: now, hasOverdue: false) == .alive)
        }
    }

    /// Whenever the last byte came, be it just after a check.
    @Test func silenceLastsForTheIntervalAtMost() {
        for last in stride(from: Int64(0), to: 20_000, by: 90) {
            var liveness = liveness()
            let end = start + .milliseconds(last)
            var (before, now) = (start, liveness.nextCheck)
            var verdict = Liveness.Verdict.alive
            while verdict != .dead {
                if before < end { liveness.received() }
                verdict = liveness.check(at: now, hasOverdue: false)
                (before, now) = (now, verdict == .dead ? now : liveness.nextCheck)
            }
            #expect(now - end <= .seconds(10))
            #expect(now - end >= .seconds(7))
        }
    }

    @Test func isPatientWithWhatIsSlow() {
        var liveness = liveness()
        #expect(liveness.check(at: start, hasOverdue: true) == .probe)
        liveness.received()
        #expect(liveness.check(at: start + .seconds(1), hasOverdue: true) == .alive)
        liveness.received()
        liveness.probeAnswered()
        #expect(liveness.check(at: start + .seconds(2), hasOverdue: false) == .alive)
        #expect(liveness.check(at: start + .seconds(2), hasOverdue: true) == .probe)
    }

    @Test func waitsForWhatHasTimeThoughItAskedBefore() {
        var liveness = liveness()
        #expect(liveness.check(at: start, hasOverdue: true) == .probe)
        // What was overdue is answered; what is now next has more time.
        liveness.received()
        #expect(liveness.check(at: start + .seconds(1), hasOverdue: false) == .alive)
        #expect(liveness.check(at: start + .seconds(8), hasOverdue: false) == .alive)
        var overdue = liveness
        #expect(overdue.check(at: start + .seconds(8), hasOverdue: true) == .dead)
        #expect(liveness.check(at: start + .milliseconds(8500), hasOverdue: false) == .dead)
    }

    @Test func theTimeOfAQuestionBeginsWhenItHasArrived() {
        for isOverdue in [false, true] {
            var liveness = liveness()
            var now = start + .milliseconds(6500)
            #expect(liveness.check(at: now, hasOverdue: isOverdue) == .probe)
            for _ in 0..<20 {
                now = liveness.nextCheck
                liveness.probeAdvanced(at: now)
                #expect(liveness.check(at: now, hasOverdue: isOverdue) == .alive)
            }
            #expect(liveness.nextCheck == now + .seconds(1))
            #expect(liveness.check(at: liveness.nextCheck, hasOverdue: isOverdue) == .dead)
        }
    }

    @Test func whatTalksIsNotAskedThoughAnAnswerMayTakeLongerThanTheInterval() {
        var liveness = Liveness(interval: .milliseconds(400), patience: .seconds(1), now: start)
        liveness.received()
        #expect(liveness.check(at: liveness.nextCheck, hasOverdue: false) == .alive)
    }

    @Test func anIntervalOfNothingKeepsNobodyBusy() {
        var liveness = Liveness(interval: .zero, patience: .seconds(1), now: start)
        #expect(liveness.check(at: start + .milliseconds(5), hasOverdue: false) == .probe)
        #expect(liveness.nextCheck > start + .milliseconds(5))
    }
}

@Suite struct ProbePathTests {
    @Test func onlyWhatIsBeforeItBringsItCloser() {
        var path = ProbePath()
        path.wrote(100)
        path.begin(waiting: 20, unsent: 50)
        var steps = [path.advance(unsent: 50), path.advance(unsent: 10), path.advance(unsent: 10)]
        #expect(steps == [false, true, false])
        // The question, and what came after it.
        path.wrote(60)
        steps = [path.advance(unsent: 70), path.advance(unsent: 45), path.advance(unsent: 40), path.advance(unsent: 0)]
        #expect(steps == [false, true, true, false])
        path.begin(waiting: 10, unsent: 0)
        path.wrote(10)
        steps = [path.advance(unsent: 10), path.advance(unsent: 0)]
        #expect(steps == [false, true])
    }
}

@Suite struct OfflineQueueTests {
    private func entry(_ token: UInt64, commands: Int = 1, byteCount: Int = 10) -> OfflineQueue.Entry {
        let waiter = Waiter(token: token, deadline: .distantFuture, replies: commands, completion: .probe)
        return OfflineQueue.Entry(waiter: waiter, byteCount: byteCount)
    }

    @Test func whoLeavesTakesHisEntryAlong() {
        var queue = OfflineQueue(maxCommands: 10, maxBytes: 1000)
        var hasRoom = queue.append(entry(1))
        var longest = 0
        for token in UInt64(2)...10_000 where hasRoom {
            hasRoom = queue.append(entry(token)) && queue.remove(token: token)?.token == token
            longest = max(longest, queue.entries.count)
        }
        #expect(hasRoom)
        #expect(longest <= 3)
        #expect(queue.count == 1)
        let again = queue.remove(token: 1)
        #expect(again != nil)
        #expect(queue.entries.isEmpty)
    }

    @Test func whoeverStaysKeepsHisPlace() {
        var queue = OfflineQueue(maxCommands: 100, maxBytes: 1000)
        for token in UInt64(1)...100 { _ = queue.append(entry(token)) }
        for token in UInt64(1)...100 where !token.isMultiple(of: 7) {
            let left = queue.remove(token: token)
            let again = queue.remove(token: token)
            #expect(left?.token == token && again == nil)
        }
        #expect(queue.count == 14)
        #expect(queue.removeAll().map(\.waiter.token) == stride(from: 7, through: 98, by: 7).map { $0 })
        #expect(queue.count == 0)
    }

    @Test func boundsCommandsAndBytesExceptOfOneAlone() {
        var queue = OfflineQueue(maxCommands: 10, maxBytes: 100)
        func add(_ entry: OfflineQueue.Entry) -> Bool { queue.append(entry) }
        #expect(add(entry(1, commands: 11, byteCount: 101)))
        #expect(!add(entry(2)))
        _ = queue.remove(token: 1)
        #expect(add(entry(3, commands: 4, byteCount: 60)))
        #expect(!add(entry(4, commands: 7, byteCount: 1)))
        #expect(!add(entry(5, commands: 1, byteCount: 41)))
        #expect(add(entry(6, commands: 6, byteCount: 40)))
        _ = queue.removeOverdue(at: .distantFuture)
        #expect(queue.count == 0)
        #expect(add(entry(7, commands: 10, byteCount: 100)))
    }
}

@Suite struct SubscriptionTableTests {
    @Test func subscribesOnceAndUnsubscribesAtTheEnd() {
        var table = SubscriptionTable()
        let a = SubscriptionTarget.channel("a")
        let b = SubscriptionTarget.pattern("b")
        #expect(table.add(1, [a]).new == [a])
        #expect(table.add(2, [a, b]).new == [b])
        #expect(table.confirm(a) == [.subscribed(1)])
        #expect(table.confirm(b) == [.subscribed(2)])
        #expect(table.add(3, [a]) == ([], true))
        #expect(table.remove(1) == [])
        #expect(table.remove(2) == [b])
        #expect(table.remove(3) == [a])
        #expect(table.remove(3) == [])
    }

    @Test func tellsChannelsApartByTheirBytes() {
        var table = SubscriptionTable()
        let composed = SubscriptionTarget.channel("caf\u{e9}")
        let decomposed = SubscriptionTarget.channel("cafe\u{301}")
        #expect(table.add(1, [composed]).new.count == 1)
        #expect(table.add(2, [decomposed]).new.count == 1)
        #expect(table.add(3, [composed, decomposed]).new.isEmpty)
        #expect(table.listeners(of: composed) == [1, 3])
        #expect(table.listeners(of: decomposed) == [2, 3])
        #expect(table.confirm(decomposed) == [.subscribed(2)])
    }

    @Test func tellsOfTheGapOnlyThoseWhoWereListening() {
        var table = SubscriptionTable()
        let a = SubscriptionTarget.channel("a")
        let b = SubscriptionTarget.channel("b")
        _ = table.add(1, [a])
        _ = table.confirm(a)
        _ = table.add(2, [a, b])
        #expect(table.add(3, [a]).isComplete)
        #expect(Set(table.disconnect()) == [1, 3])
        // Lost again before everything was confirmed: one gap.
        #expect(table.disconnect() == [])
        #expect(Set(table.targets) == [a, b])
        #expect(!table.add(4, [a]).isComplete, "it has yet to be subscribed to")
        let ends = table.confirm(a)
        #expect(ends.count == 3 && [.resubscribed(1), .resubscribed(3), .subscribed(4)].allSatisfy(ends.contains))
        #expect(table.confirm(b) == [.subscribed(2)])
    }
}

@Suite struct TokenSearchTests {
    @Test func findsWhatIsThere() {
        let tokens: CircularBuffer<UInt64> = [5, 6, 8, 12, 20]
        for (index, token) in tokens.enumerated() {
            let found = tokens.firstIndex(ofToken: token, by: { $0 })
            #expect(found == tokens.index(tokens.startIndex, offsetBy: index))
        }
        for absent: UInt64 in [0, 7, 21, .max] {
            #expect(tokens.firstIndex(ofToken: absent, by: { $0 }) == nil)
        }
        #expect(CircularBuffer<UInt64>().firstIndex(ofToken: 1, by: { $0 }) == nil)
    }

    @Test func doesNotSearchLongerForWhatIsMissing() {
        let tokens = CircularBuffer((UInt64(1)...10_000).map { $0 * $0 })
        var looks = 0
        for token in stride(from: UInt64(0), to: 10_000 * 10_000, by: 1_000_000) {
            _ = tokens.firstIndex(ofToken: token) { token in
                looks += 1
                return token
            }
        }
        #expect(looks < 100 * 20)
    }

    /// Callers on many threads overtake each other on their way into a queue.
    @Test func tokensAreInTheOrderOfTheQueue() async throws {
        let node = RedisNode(
            configuration: RedisClient.configuration(port: 1),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: .init(label: "test")
        )
        try await withThrowingTaskGroup(of: RedisClientError.Code?.self) { group in
            for _ in 0..<5000 {
                group.addTask {
                    try await clientError { try await node.run(RESPCommand("PING"), deadline: .distantFuture) }?.code
                }
            }
            #expect(await eventually { node.state.withLockedValue { $0.offline.count } == 5000 })
            let tokens = node.state.withLockedValue { $0.offline.entries.map(\.waiter.token) }
            #expect(zip(tokens, tokens.dropFirst()).allSatisfy(<))
            // Each is found.
            group.cancelAll()
            for try await code in group { #expect(code == .cancelled) }
        }
        #expect(node.state.withLockedValue { $0.offline.count } == 0)
        await node.close()
    }
}

@Suite struct BlockingCommandTests {
    @Test(arguments: [
        (RESPCommand("BLPOP", "a", "b", "1.5"), BlockingLimit.time(.milliseconds(1500))),
        (RESPCommand("blmove", arguments: ["a", "b", "LEFT", "LEFT", "2"]), .time(.seconds(2))),
        (RESPCommand("BLMPOP", 3, 1, "a", "LEFT"), .time(.seconds(3))),
        (RESPCommand("WAIT", 1, 250), .time(.milliseconds(250))),
        (RESPCommand("XREAD", "BLOCK", 40, "STREAMS", "s", "$"), .time(.milliseconds(40))),
        (
            RESPCommand(
                "XREADGROUP",
                arguments: ["GROUP", "BLOCK", "BLOCK", "COUNT", "1", "BLOCK", "40", "STREAMS", "s", ">"]
            ), .time(.milliseconds(40))
        ),
        (
            RESPCommand("XREADGROUP", arguments: ["BLOCK", "40", "GROUP", "g", "c", "STREAMS", "s", ">"]),
            .time(.milliseconds(40))
        ),
        (
            RESPCommand(
                "XREADGROUP",
                arguments: ["COUNT", "1", "NOACK", "block", "0", "GROUP", "g", "c", "STREAMS", "s", ">"]
            ), .forever
        ),
        (RESPCommand("XREAD", "BLOCK", 0, "BLOCK", 40, "STREAMS", "s", "$"), .time(.milliseconds(40))),
        (RESPCommand("BZPOPMIN", "a", 0), .forever),
        (RESPCommand("XREAD", "block", 0, "STREAMS", "s", "$"), .forever),
        (RESPCommand("BRPOP", "a", "inf"), .forever),
        (RESPCommand("XREAD", "count\0", "BLOCK", "block\0", 40, "STREAMS", "s", "$"), .time(.milliseconds(40))),
        (
            RESPCommand("XREADGROUP", arguments: ["GROUP\0", "BLOCK", "5", "BLOCK\0 1", "0", "STREAMS", "s", ">"]),
            .forever
        ),
    ])
    func aCommandSaysHowLongItBlocks(command: RESPCommand, limit: BlockingLimit) {
        #expect(BlockingCommand.limit(of: command) == limit)
        #expect(SharedConnectionRules.refusal(command) != nil)
    }

    @Test func othersDoNot() {
        for command in [
            RESPCommand("GET", "a"),
            RESPCommand("XREAD", "STREAMS", "BLOCK", "0"),
            RESPCommand("XREAD", "STREAMS\0", "BLOCK", "0"),
            RESPCommand("XREADGROUP", arguments: ["GROUP", "BLOCK", "5", "STREAMS", "s", ">"]),
            RESPCommand("XREADGROUP", arguments: ["NOACK", "GROUP", "g", "BLOCK", "STREAMS", "s", ">"]),
            RESPCommand("LPOP", "a"),
        ] {
            #expect(BlockingCommand.limit(of: command) == nil)
            #expect(SharedConnectionRules.refusal(command) == nil)
        }
    }
}

@Suite struct PoolStateTests {
    private final class Connection: Sendable {}

    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private typealias State = PoolState<Connection, Int>

    private func take(_ state: inout State, isUsable: Bool = true) -> Connection? {
        switch state.take(isUsable: { _ in isUsable }) {
        case .reuse(let connection):
            return connection
        case .make:
            let connection = Connection()
            return state.made(connection) ? connection : nil
        case .full, .closed:
            return nil
        }
    }

    @Test func givesTheLastUsedAndDropsTheDead() throws {
        var state = State(limit: 2)
        let first = try #require(take(&state))
        let second = try #require(take(&state))
        let third = take(&state)
        #expect(third == nil)
        guard case .keep = state.giveBack(first, isClean: true, at: now),
            case .keep = state.giveBack(second, isClean: true, at: now)
        else { return #expect(Bool(false)) }
        let again = take(&state)
        #expect(again === second)
        let other = take(&state, isUsable: false)
        #expect(other != nil && other !== first)
        // Given back twice.
        guard case .keep = state.giveBack(second, isClean: true, at: now),
            case .discard = state.giveBack(second, isClean: true, at: now)
        else { return #expect(Bool(false)) }
    }

    @Test func servesInOrderAndSkipsThoseWhoLeft() throws {
        var state = State(limit: 1)
        let connection = try #require(take(&state))
        for token in 1...3 { state.wait(UInt64(token), token) }
        let left = state.leave(1)
        #expect(left == 1)
        guard case .hand(to: 2) = state.giveBack(connection, isClean: true, at: now),
            case .discardAndMake(3) = state.giveBack(connection, isClean: false, at: now)
        else { return #expect(Bool(false)) }
        // The place is taken already.
        guard case .full = state.take(isUsable: { _ in true }) else { return #expect(Bool(false)) }
        let isWanted = state.made(Connection())
        #expect(isWanted)
    }

    @Test func givesOnlyNewOnesAfterARenewal() throws {
        var state = State(limit: 2)
        let out = try #require(take(&state))
        let idle = try #require(take(&state))
        guard case .keep = state.giveBack(idle, isClean: true, at: now) else { return #expect(Bool(false)) }
        let renewed = state.renew()
        #expect(renewed.count == 1 && renewed.first === idle)
        state.wait(1, 1)
        guard case .discardAndMake(1) = state.giveBack(out, isClean: true, at: now) else { return #expect(Bool(false)) }
        let new = Connection()
        let isWanted = state.made(new)
        #expect(isWanted)
        guard case .keep = state.giveBack(new, isClean: true, at: now) else { return #expect(Bool(false)) }
    }

    @Test func closesEverythingOnce() throws {
        var state = State(limit: 3)
        let out = try #require(take(&state))
        let idle = try #require(take(&state))
        guard case .keep = state.giveBack(idle, isClean: true, at: now) else { return #expect(Bool(false)) }
        state.wait(9, 9)
        let (connections, waiters) = state.close(.serverLeft)
        #expect(connections.count == 2 && waiters == [9])
        guard case .closed(let reason) = state.take(isUsable: { _ in true }),
            case .discard = state.giveBack(out, isClean: true, at: now)
        else { return #expect(Bool(false)) }
        let (expired, next) = state.expire(unusedSince: .distantFuture)
        let late = state.made(Connection())
        #expect(expired.isEmpty && next == nil && !late)
        #expect(reason.code == .connectionLost)
    }

    @Test func oneLookAtATimeEndsWhatNobodyUses() throws {
        var state = State(limit: 2)
        let (first, second) = (try #require(take(&state)), try #require(take(&state)))
        guard case .keep(isFirst: true) = state.giveBack(first, isClean: true, at: now),
            case .keep(isFirst: false) = state.giveBack(second, isClean: true, at: now + .seconds(1))
        else { return #expect(Bool(false)) }
        let (gone, next) = state.expire(unusedSince: now)
        #expect(gone.count == 1 && gone.first === first && next == now + .seconds(1))
        let used = take(&state)
        #expect(used === second)
        let (none, end) = state.expire(unusedSince: now + .seconds(1))
        #expect(none.isEmpty && end == nil)
        guard case .keep(isFirst: true) = state.giveBack(second, isClean: true, at: now + .seconds(2)) else {
            return #expect(Bool(false))
        }
    }
}
