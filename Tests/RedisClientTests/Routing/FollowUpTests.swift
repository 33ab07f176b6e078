import NIOCore
import RESP
import Testing

@testable import RedisClient

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
