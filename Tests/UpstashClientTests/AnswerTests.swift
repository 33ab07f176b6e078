import Foundation
import NIOCore
import RESP
import Testing

@testable import UpstashClient

@Suite struct AnswerTests {
    private func answer(_ text: String) throws -> Answer { try Answer(ByteBuffer(string: text), hiding: "sesame") }

    @Test("base64 at any depth, but for the status OK")
    func decodesStrings() throws {
        let bytes = ByteBuffer(bytes: [0, 255, 10, 13, 92, 34])
        let encoded = Data(bytes.readableBytesView).base64EncodedString()
        #expect(try answer("{\"result\":\"OK\"}") == .one(.simpleString("OK")))
        #expect(try answer("{\"result\":\"\(encoded)\"}") == .one(.bulkString(bytes)))
        #expect(try answer("{\"result\":\"\"}") == .one(.bulkString(ByteBuffer())))
        let nested: RESPValue = .array([
            .bulkString(bytes), .array([.null, .integer(-7), .array([])]), .bulkString(ByteBuffer(string: "OK")),
        ])
        #expect(try answer(" { \"result\" : [\"\(encoded)\", [null ,-7,[]], \"T0s=\"] } ") == .one(nested))
        // Some writers of JSON escape the solidus, which base64 uses.
        #expect(try answer("{\"result\":\"\\/\\/8=\"}") == .one(.bulkString(ByteBuffer(bytes: [255, 255]))))
    }

    @Test func readsErrorsAndLists() throws {
        #expect(
            try answer("{\"error\":\"ERR \\u00e1 \\\"b\\\"\\n\\ud83d\\ude00\"}")
                == .one(.error(RESPError("ERR á \"b\" 😀")))
        )
        #expect(try answer("[]") == .many([]))
        #expect(
            try answer(
                "[{\"result\":1},{\"error\":\"ERR no\"},{\"result\":null,\"x\":{\"y\":[1,\"}\",true,false,null]}}]"
            )
                == .many([.integer(1), .error(RESPError("ERR no")), .null])
        )
        // An error is never less than an error.
        #expect(try answer("{\"result\":null,\"error\":\"ERR no\"}") == .one(.error(RESPError("ERR no"))))
    }

    @Test("an error is one line without control characters, as over TCP")
    func readsErrorsAsLines() throws {
        #expect(
            try answer("{\"error\":\"ERR a\\r\\n2026 critical \\u001b[31m\\u0085b\\u0000\u{7F}\"}")
                == .one(.error(RESPError("ERR a  2026 critical  [31m b  ")))
        )
        #expect(
            try answer("[{\"error\":\"ERR a\\nb\"},{\"result\":\"YQpi\"}]")
                == .many([.error(RESPError("ERR a b")), .bulkString(ByteBuffer(string: "a\nb"))])
        )
    }

    @Test("an error repeats no token, be it escaped or in capitals; a result is left as it is")
    func hidesTheToken() throws {
        #expect(try answer("{\"error\":\"ERR Bearer ses\\u0061me\"}") == .one(.error(RESPError("ERR Bearer …"))))
        #expect(
            try answer("[{\"error\":\"ERR SESAME, sesame\"},{\"result\":\"c2VzYW1l\"}]")
                == .many([.error(RESPError("ERR …, …")), .bulkString(ByteBuffer(string: "sesame"))])
        )
    }

    @Test("an error that is null is none")
    func readsAbsentErrors() throws {
        #expect(try answer("{\"result\":1,\"error\":null}") == .one(.integer(1)))
        #expect(try answer("[{\"error\": null ,\"result\":null}]") == .many([.null]))
    }

    @Test func keepsNumbers() throws {
        #expect(try answer("{\"result\":9223372036854775807}") == .one(.integer(.max)))
        #expect(try answer("{\"result\":12345678901234567890}") == .one(.bigNumber("12345678901234567890")))
        #expect(try answer("{\"result\":1.5}") == .one(.double(1.5)))
        #expect(try answer("{\"result\":true}") == .one(.boolean(true)))
    }

    @Test(arguments: [
        "", " ", "{}", "[{}]", "null", "\"OK\"", "<html>", "{\"result\":\"OK\"", "{\"result\":\"OK\"}}",
        "{\"result\":}",
        "{\"result\":{}}", "{\"result\":\"abc\"}", "{\"result\":\"ab=c\"}", "{\"result\":\"a===\"}",
        "{\"result\":\"ab%=\"}", "{\"result\":\"abcd", "{\"result\":\"abcd\\", "{\"error\":1}", "{\"error\":\"\\x\"}",
        "{\"error\":\"\\u12\"}", "{\"result\":nul}", "{\"result\":1.2.3}", "{\"result\":[1,]}", "[{\"result\":1},]",
        "{\"error\":null}", "{\"result\":1,\"error\":nul}", "{\"result\":\"a\nbc\"}", "{\"x\":1}",
        "{\"result\":-}", "{\"result\":1 2}",
    ])
    func refusesWhatIsNoAnswer(text: String) {
        #expect(throws: Answer.Malformed.self) { try answer(text) }
    }

    @Test func refusesBottomlessNesting() {
        for (open, close) in [("[", "]"), ("{\"x\":", "}")] {
            let deep = String(repeating: open, count: 100_000)
            let text = "{\"x\":\(deep)1\(String(repeating: close, count: 100_000)),\"result\":1}"
            #expect(throws: Answer.Malformed.self) { try answer(text) }
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: Answer.Malformed.self) { try answer("{\"result\":\(deep)") }
    }

    @Test("every cut of an answer is noticed")
    func refusesCutAnswers() throws {
        let text = "[{\"result\":[\"T0s=\",17,null]},{\"error\":\"ERR \\u00e1\"}]"
        for length in 0..<text.utf8.count {
            #expect(throws: Answer.Malformed.self) {
                try answer(String(decoding: text.utf8.prefix(length), as: UTF8.self))
            }
        }
        _ = try answer(text)
    }

    @Test func decodesAllBytes() throws {
        for count in [0, 1, 2, 3, 4, 5, 255, 256, 1000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
            let decoded = Data(bytes).base64EncodedData().withUnsafeBytes { Base64.decode($0) }
            #expect(decoded == ByteBuffer(bytes: bytes))
        }
    }
}

@Suite struct AnswerTrimmerTests {
    private let large = "{\"result\":\"" + String(repeating: "QUJD", count: 100) + "\"}"
    private let mark = "{\"error\":\"\(AnswerTrimmer.mark.text)\"}"

    @Test("only what there is no room for is cut out, however the answer is cut up", arguments: [1, 3, 7, 10_000])
    func cutsOutWhatIsTooLarge(pieceSize: Int) throws {
        let odd = #"{"error":"\"]}\\[{"}"#
        let text = " [{\"result\":[1,[2]]} , \(large),\(odd),\(large),{\"result\":null}]\n"
        let second = try #require(text.range(of: large, options: .backwards))
        for (limit, expected) in [
            (10_000, text), (500, text.replacingCharacters(in: second, with: mark)),
            (100, text.replacingOccurrences(of: large, with: mark)),
        ] {
            var trimmer = AnswerTrimmer(maxBytes: limit)
            var rest = ByteBuffer(string: text)
            while let piece = rest.readSlice(length: min(pieceSize, rest.readableBytes)), piece.readableBytes > 0 {
                trimmer.receive(piece)
            }
            #expect(String(buffer: trimmer.kept) == expected)
            #expect(try Answer(trimmer.kept, hiding: "") == Answer(ByteBuffer(string: expected), hiding: ""))
        }
        #expect(AnswerTrimmer.mark.upstashCode == .resultTooLarge)
    }

    @Test("what was cut out takes no room from others")
    func givesRoomToWhatFits() {
        var trimmer = AnswerTrimmer(maxBytes: large.utf8.count + 10)
        let larger = large.replacingOccurrences(of: "QUJD", with: "QUJDQUJD")
        trimmer.receive(ByteBuffer(string: "[\(larger),\(larger),\(large)]"))
        #expect(String(buffer: trimmer.kept) == "[\(mark),\(mark),\(large)]")
    }

    @Test func passesOnWhatIsNoAnswer() {
        for text in ["", "]]}}", "{\"error\":\"no\"}", "[\"", "[{]", "<html>"] {
            var trimmer = AnswerTrimmer(maxBytes: 1000)
            trimmer.receive(ByteBuffer(string: text))
            #expect(trimmer.kept == ByteBuffer(string: text))
        }
    }
}
