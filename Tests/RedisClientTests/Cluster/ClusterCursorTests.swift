import RESP
import Testing

@testable import RedisClient

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
