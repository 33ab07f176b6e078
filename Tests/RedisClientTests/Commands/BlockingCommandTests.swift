import RESP
import Testing

@testable import RedisClient

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
