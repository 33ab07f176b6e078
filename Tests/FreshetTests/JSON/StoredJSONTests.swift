import Foundation
import Freshet
import NIOCore
import Testing

@Suite("Stored JSON")
struct StoredJSONTests {
    @Test(
        "a comma before a closing bracket is no JSON",
        arguments: [#"{"a":1,}"#, "[1,2,]", "[1, \n\t]", #"[{"a":[1,]}]"#, #"{"a":"\\",}"#, #"["\"",]"#]
    )
    func trailingComma(text: String) {
        #expect(throws: CacheError.self) { try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text)) }
    }

    @Test(
        "commas and brackets in strings are text",
        arguments: ["[1,2]", #"{"a,}":",]","b":[]}"#, #"["\",]"]"#, #"["\\",",]"]"#, #"[ "," , { } ]"#]
    )
    func commasInStrings(text: String) throws {
        let value = try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text))
        #expect(try StoredJSON.decode(JSONValue.self, from: try StoredJSON.encode(value)) == value)
    }

    private static func says<Value: Decodable>(_ bytes: ByteBuffer, _ type: Value.Type = JSONValue.self) -> String? {
        do {
            _ = try StoredJSON.decode(type, from: bytes)
            return nil
        } catch {
            return (error as? CacheError)?.message
        }
    }

    private static func nested(_ opening: String, _ closing: String) -> String {
        "\(String(repeating: opening, count: 600))1\(String(repeating: closing, count: 600))"
    }

    @Test(
        "what is no JSON is told in plain words",
        arguments: [
            ("", "empty"), (" \n", "empty"), ("<html>", "malformed at byte 1, in line 1"),
            ("[1 2]", "malformed at byte 4, in line 1"), ("[1]\n,", "malformed at byte 5, in line 2"),
            ("[1,\n]", "a comma before a closing bracket at byte 5, in line 2"),
            ("[1", "it ends too soon, after 2 bytes, in line 1"),
            ("{\"a\":\n[],\n\"b]", "it ends too soon, after 13 bytes, in line 3"),
            ("\"a\\\"", "it ends too soon, after 4 bytes, in line 1"),
            (#"["\ud800"]"#, "malformed at byte 3, in line 1"),
            ("tru", "it ends too soon, after 3 bytes, in line 1"),
            (#""\u12"#, "it ends too soon, after 5 bytes, in line 1"),
            (#""\u12""#, "malformed at byte 2, in line 1"), (#"{"a":"C:\x"}"#, "malformed at byte 9, in line 1"),
            (nested("[", "]"), "nested too deeply"), (nested(#"{"[\"":"#, "}"), "nested too deeply"),
            ("1e400", "a number out of range at $"), (#"{"a":[1,-1e400]}"#, "a number out of range at $.a[1]"),
        ] as [(String, String)]
    )
    func plainWords(text: String, words: String) {
        #expect(Self.says(ByteBuffer(string: text)) == "the bytes are no JSON: \(words)")
    }

    @Test("dates are ISO 8601 to the second", arguments: [-62_167_219_200.0, -1, 0, 1_764_547_199.9, 15_927e9])
    func dates(seconds: Double) throws {
        let date = Date(timeIntervalSince1970: seconds)
        let stored = try StoredJSON.encode([date])
        #expect(String(buffer: stored) == "[\"\(date.formatted(.iso8601))\"]")
        #expect(
            try StoredJSON.decode([Date].self, from: stored) == [Date(timeIntervalSince1970: seconds.rounded(.down))]
        )
    }

    @Test("a date that ISO 8601 cannot express is an error", arguments: [Double.nan, .infinity, 1e15, -1e12])
    func noDates(seconds: Double) {
        let error = #expect(throws: CacheError.self) {
            try StoredJSON.encode(["at": Date(timeIntervalSince1970: seconds)])
        }
        #expect(error?.message.hasSuffix("has no JSON form: no valid JSON value at $.at") == true)
    }

    @Test(
        "half of a surrogate pair is U+FFFD in what is not served as it came",
        arguments: [
            (#""\ud800""#, "\u{FFFD}"), (#""a\uDE00b\uD83D""#, "a\u{FFFD}b\u{FFFD}"),
            (#""\ud83d\ud83d\ude00\ude00""#, "\u{FFFD}😀\u{FFFD}"), (#""\\ud800\ud83dx\n""#, "\\ud800\u{FFFD}x\n"),
        ]
    )
    func surrogateHalves(text: String, value: String) throws {
        let bytes = ByteBuffer(string: text)
        #expect(try StoredJSON.decode(String.self, from: bytes, inAnyUnicode: true) == value)
        #expect(throws: CacheError.self) { try StoredJSON.decode(String.self, from: bytes) }
        let broken = ByteBuffer(string: "[\(text)")
        #expect(throws: CacheError.self) { try StoredJSON.decode([String].self, from: broken, inAnyUnicode: true) }
    }

    @Test("names of members cannot govern the log, nor fill it")
    func names() throws {
        let names = ["a\nforged", String(repeating: "x", count: 10_000)]
        for name in names {
            let bytes = try StoredJSON.encode([name: "text"])
            let message = try #require(Self.says(bytes, [String: Int].self))
            #expect(message.count < 200 && !message.contains("\n"))
        }
        let deep = "\(String(repeating: #"{"a":"#, count: 300))1e400\(String(repeating: "}", count: 300))"
        let path = "$…\(String(repeating: ".a", count: 10))"
        #expect(Self.says(ByteBuffer(string: deep)) == "the bytes are no JSON: a number out of range at \(path)")
    }

    @Test("another encoding is told")
    func latin1() {
        var bytes = ByteBuffer(string: #"{"city":"La Coru"#)
        bytes.writeBytes([0xF1])
        bytes.writeString(#"a"}"#)
        #expect(Self.says(bytes) == "the bytes are no JSON: not UTF-8")
        #expect(Self.says(bytes, [String: String].self)?.hasSuffix(": not UTF-8") == true)
    }

    @Test("every kind of value is read as what it is")
    func kinds() throws {
        let text = #"[null,true,1,9223372036854775807,9223372036854775808,-0.5,"a",[],{"b":{"c":[null]}}]"#
        let value = try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text))
        let largest = JSONValue.integer(.max)
        let beyond = JSONValue.number(9_223_372_036_854_775_808)
        let expected: JSONValue = [nil, true, 1, largest, beyond, .number(-0.5), "a", [], ["b": ["c": [nil]]]]
        #expect(value == expected)
    }

    @Test(
        "what is stored is UTF-8 without a mark",
        arguments: [String.Encoding.utf16, .utf16LittleEndian, .utf32BigEndian]
    )
    func otherUnicode(encoding: String.Encoding) throws {
        let data = try #require("{\"a\":\"é\"}".data(using: encoding))
        for bytes in [ByteBuffer(bytes: data), ByteBuffer(bytes: [0xEF, 0xBB, 0xBF] + "[1]".utf8)] {
            #expect(throws: CacheError.self) { try StoredJSON.decode(JSONValue.self, from: bytes) }
            _ = try StoredJSON.decode(JSONValue.self, from: bytes, inAnyUnicode: true)
        }
    }

    @Test("UTF-16 that is cut off is none", arguments: [[0x31, 0, 0x31], [0xFF, 0xFE, 0x31, 0, 0x32]] as [[UInt8]])
    func cutOff(bytes: [UInt8]) {
        #expect(throws: CacheError.self) {
            try StoredJSON.decode(JSONValue.self, from: ByteBuffer(bytes: bytes), inAnyUnicode: true)
        }
    }

    @Test("a name of many marks, which would take long to hash, is refused")
    func marks() throws {
        func text(_ count: Int) -> ByteBuffer {
            ByteBuffer(string: #"{"a\#(String(repeating: "\u{301}\u{316}", count: count))":1}"#)
        }
        _ = try StoredJSON.decode(JSONValue.self, from: text(50))
        _ = try StoredJSON.decode([String: Int].self, from: text(50))
        let words = "a name with more than 100 marks in a row at byte"
        #expect(Self.says(text(100_000))?.contains(words) == true)
        #expect(Self.says(text(100_000), [String: Int].self)?.contains(words) == true)
    }

    @Test("what cannot be read is not written")
    func notNumbers() {
        struct Price: Codable {
            var amount: Decimal
        }
        let notNumber = JSONValue.object(["a": [1, .number(.infinity)]])
        let deep = (0..<513).reduce(JSONValue.null) { value, _ in .array([value]) }
        #expect(Self.cannotEncode(Price(amount: .nan))?.contains("a Decimal that is no number?") == true)
        #expect(Self.cannotEncode(notNumber) == "a JSONValue has no JSON form: no valid JSON value at $.a[1]")
        let marked = JSONValue.object(["a\(String(repeating: "\u{301}", count: 101))": 1])
        #expect(Self.cannotEncode(marked)?.contains("more than 100 marks in a row at $.") == true)
        #expect(Self.cannotEncode(deep) == "a JSONValue has no JSON form: nested too deeply")
    }

    private static func cannotEncode(_ value: some Encodable) -> String? {
        do {
            _ = try StoredJSON.encode(value)
            return nil
        } catch {
            return (error as? CacheError)?.message
        }
    }

    @Test("what is stored is UTF-8 where the type does not read it, too", arguments: [[0xF1], [0xC3]] as [[UInt8]])
    func unreadMember(text: [UInt8]) {
        struct Office: Decodable {
            let id: Int
        }
        let bytes = ByteBuffer(bytes: Array(#"{"id":1,"city":""#.utf8) + text + Array(#""}"#.utf8))
        #expect(Self.says(bytes, Office.self)?.hasSuffix(": not UTF-8") == true)
    }
}
