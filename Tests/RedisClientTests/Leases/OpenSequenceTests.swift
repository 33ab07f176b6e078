import RESP
import Testing

@testable import RedisClient

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
