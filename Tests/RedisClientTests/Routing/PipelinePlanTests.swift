import RESP
import Testing

@testable import RedisClient

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
