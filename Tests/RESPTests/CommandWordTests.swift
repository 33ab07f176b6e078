import NIOCore
import RESP
import Testing

/// As `strcasecmp` compares them.
@Suite struct CommandWordTests {
    @Test(arguments: ["BLOCK", "block", "bLoCk", "BLOCK\0", "block\0x", "BLOCK\0\0"])
    func endsAtANULAndHasNoCase(text: String) {
        #expect(RESPArgument.string(text).isWord("BLOCK"))
        #expect(RESPArgument.bytes(ByteBuffer(string: text)).isWord("BLOCK"))
        #expect(RESPCommand("XREAD", text, 0).hasWord("BLOCK", at: 0))
        #expect(RESPCommand(text).isNamed("BLOCK"))
        #expect(text.commandHash == "BLOCK".commandHash)
    }

    /// The last ends with the sign of kelvin, which is a K to Unicode.
    @Test(arguments: ["", "BLOC", "BLOCKS", "\0BLOCK", "BLO\0CK", "BLOC\u{212A}"])
    func othersAreOthers(text: String) {
        #expect(!RESPArgument.string(text).isWord("BLOCK"))
        #expect(!RESPArgument.bytes(ByteBuffer(string: text)).isWord("BLOCK"))
        #expect(!RESPCommand("XREAD", text).hasWord("BLOCK", at: 0))
        #expect(!RESPCommand(text).isNamed("BLOCK"))
        #expect(text.commandHash != "BLOCK".commandHash)
    }

    @Test func argumentsAreEqualIfTheirBytesAre() {
        let (composed, decomposed) = (RESPCommand("GET", "caf\u{e9}"), RESPCommand("GET", "cafe\u{301}"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed, RESPCommand("GET", "cafe" + "\u{301}")]).count == 2)
        #expect(RESPCommand("GET", 1) == RESPCommand("GET", 1) && RESPCommand("GET", 1) != RESPCommand("GET", 2))
        var first = ByteBuffer(string: "ab")
        var second = first
        first.moveWriterIndex(to: 1)
        second.moveReaderIndex(to: 1)
        #expect(RESPArgument.bytes(first) != .bytes(second))
    }

    @Test func theBytesBehindANULNeedNotBeText() {
        #expect(RESPArgument.bytes(ByteBuffer(bytes: Array("db\0".utf8) + [0xFF])).isWord("DB"))
    }

    @Test func namesArePrintable() {
        for name in ["GET", "get", "JSON.GET", "HOST:", "EVAL_RO", "RESTORE-ASKING", "~!"] {
            #expect(name.isCommandName)
        }
        for name in ["MULTI\0", "\0", "A B", "GET\n", "GET\u{7F}", "ıncr", "\u{212A}EYS"] {
            #expect(!name.isCommandName, "\(name)")
        }
    }

    @Test func whatRedisRunsIsKnown() {
        #expect(RESPCommand("get\0 1", "a").isReadOnly && !RESPCommand("SET\0", "a", 1).isReadOnly)
        #expect(!RESPCommand("ex\u{131}sts", "a").isReadOnly)
        #expect(RESPCommand("eval\0", "s", 0).runsScript && !RESPCommand("EVALS", "s", 0).runsScript)
        var keys: [Int] = []
        let streams = RESPCommand("XREAD", "STREAMS\0 1", "s", "$")
        KeyRule.of(streams).forEachPosition(in: streams) { keys.append($0) }
        #expect(keys == [1])
    }
}
