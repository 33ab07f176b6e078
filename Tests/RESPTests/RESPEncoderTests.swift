import NIOCore
import RESP
import TestSupport
import Testing

@Suite struct RESPEncoderTests {
    /// All segments in order, joined.
    private func taken(_ encoder: inout RESPEncoder) -> ByteBuffer {
        var all = ByteBuffer()
        encoder.take { all.writeImmutableBuffer($0) }
        return all
    }

    private func encoded(_ command: RESPCommand) -> String {
        var encoder = RESPEncoder()
        encoder.append(command)
        return String(buffer: taken(&encoder))
    }

    @Test func printsNoArguments() {
        #expect(!printed(RESPCommand("AUTH", "app", "s3cret")).contains("s3cret"))
    }

    @Test func writesCommands() {
        #expect(encoded(RESPCommand("PING")) == "*1\r\n$4\r\nPING\r\n")
        #expect(encoded(RESPCommand("GET", "ñ")) == "*2\r\n$3\r\nGET\r\n$2\r\nñ\r\n")
        #expect(
            encoded(RESPCommand("SET", "key", ByteBuffer(string: "value"), "PX", -150))
                == "*5\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n$2\r\nPX\r\n$4\r\n-150\r\n"
        )
        #expect(encoded(RESPCommand("X", Int.min)) == "*2\r\n$1\r\nX\r\n$20\r\n-9223372036854775808\r\n")
        #expect(encoded(RESPCommand("X", 0, 10, 999)) == "*4\r\n$1\r\nX\r\n$1\r\n0\r\n$2\r\n10\r\n$3\r\n999\r\n")
        #expect(encoded(RESPCommand("X", 1.5)) == "*2\r\n$1\r\nX\r\n$3\r\n1.5\r\n")
    }

    @Test func everyWayToBuildACommandIsTheSame() {
        for count in 0...6 {
            let texts = (0..<count).map { "argument\($0)" }
            var appended = RESPCommand("NAME")
            for text in texts { appended.append(text) }
            #expect(appended == RESPCommand("NAME", arguments: texts))
            #expect(appended.arguments == texts.map { .string($0) })
            #expect(appended.argumentCount == count)
        }
        #expect(RESPCommand("A", "b", "c", "d", "e") == RESPCommand("A", arguments: ["b", "c", "d", "e"]))
    }

    @Test func keepsTheOrderHoweverCommandsAreAdded() {
        var encoder = RESPEncoder()
        var expected = ""
        for number in 0..<400 {
            let command = RESPCommand("SET", "key:\(number)", String(repeating: "v", count: number * number / 4))
            expected += encoded(command)
            switch number % 7 {
            case 3: encoder.append(contentsOf: [command])
            case 5:
                var other = RESPEncoder()
                other.append(command)
                encoder.append(contentsOf: other)
            default: encoder.append(command)
            }
            #expect(encoder.byteCount == expected.utf8.count)
        }
        var copy = encoder
        let (mine, its) = (RESPCommand("GET", "mine"), RESPCommand("GET", "its"))
        encoder.append(mine)
        copy.append(its)
        #expect(String(buffer: taken(&copy)) == expected + encoded(its))
        expected += encoded(mine)
        #expect(String(buffer: taken(&encoder)) == expected)
        #expect(encoder.byteCount == 0)
    }

    @Test func gathersManyAndKeepsLargeOnesApart() throws {
        let large = ByteBuffer(repeating: 7, count: RESPEncoder.segmentThreshold)
        let commands = [
            RESPCommand("GET", "a"), RESPCommand("SET", "b", large), RESPCommand("SET", large, large, "EX", 5),
            RESPCommand("SET", "c", String(repeating: "ñ", count: RESPEncoder.segmentThreshold)), RESPCommand("PING"),
        ]
        var encoder = RESPEncoder()
        var pipeline = RESPEncoder()
        for command in commands {
            encoder.append(command)
            pipeline.append(command)
        }
        encoder.append(contentsOf: pipeline)
        var small = RESPEncoder()
        small.append(RESPCommand("GET", "z"))
        encoder.append(contentsOf: small)

        let announced = encoder.byteCount
        var segments = 0
        var decoder = RESPDecoder()
        var length = 0
        encoder.take {
            segments += 1
            length += $0.readableBytes
            decoder.append($0)
        }
        #expect(length == announced)
        #expect(encoder.byteCount == 0)
        #expect(segments > 6)
        for command in commands + commands + [RESPCommand("GET", "z")] {
            let words = [.bulk(command.name)] + command.arguments.map { RESPValue.bulkString($0.bytes) }
            #expect(try decoder.next() == .array(words))
        }
        #expect(try decoder.next() == nil)
        #expect(taken(&encoder).readableBytes == 0)
    }

    @Test func aTakenBufferIsNotWrittenAgain() {
        var encoder = RESPEncoder()
        var kept: [ByteBuffer] = []
        for round in 0..<10 {
            encoder.append(RESPCommand("GET", "\(round)"))
            encoder.take { kept.append($0) }
        }
        #expect(kept.map { String(buffer: $0) } == (0..<10).map { "*2\r\n$3\r\nGET\r\n$1\r\n\($0)\r\n" })
    }

    @Test func knowsWhatOnlyReads() {
        #expect(RESPCommand("GET", "a").isReadOnly)
        #expect(RESPCommand("hGetAll", "a").isReadOnly)
        #expect(RESPCommand("VSIM", "a", "ELE", "b").isReadOnly)
        #expect(!RESPCommand("VSETATTR", "a", "b", "{}").isReadOnly)
        #expect(!RESPCommand("SET", "a", "b").isReadOnly)
        #expect(!RESPCommand("EVALSHA", "x", 0).isReadOnly)
        #expect(!RESPCommand("UNHEARDOF").isReadOnly)
        var declared = RESPCommand("EVALSHA", "x", 0)
        declared.isReadOnly = true
        #expect(declared.isReadOnly)
    }

    @Test func describesNoArguments() {
        #expect(!"\(RESPCommand("AUTH", "user", "secret"))".contains("secret"))
    }
}
