import NIOCore
import RESP
import Testing

@testable import RedisClient

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
