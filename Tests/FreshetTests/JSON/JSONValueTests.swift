import Foundation
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Freshet

@Suite("Any JSON")
struct JSONValueTests {
    private static func read(_ text: String) throws -> JSONValue {
        try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text))
    }

    @Test("the first of members with the same name counts")
    func sameName() throws {
        #expect(try Self.read(#"{"a":1,"b":2,"\u0061":{"c":3}}"#) == ["a": 1, "b": 2])
    }

    @Test(
        "a number is an integer if it is whole and fits, however it is written",
        arguments: [
            ("-0", 0), ("1.0", 1), ("-2.50e1", -25), ("1E+3", 1000), ("100e-2", 1), ("0e9", 0),
            ("1e18", 1_000_000_000_000_000_000),
            ("-9223372036854775808", .integer(.min)), ("9.223372036854775807e18", .integer(.max)),
            ("9223372036854775808", .number(0x1p63)), ("9007199254740993.0", 9_007_199_254_740_993),
            ("0.5", 0.5), ("-1e-7", -1e-7), ("123456789012345678901234567890", .number(1.2345678901234568e29)),
            ("9007199254740993.5", .number(9007199254740994)), ("5e-324", .number(.leastNonzeroMagnitude)),
            ("1e-400", 0),
        ] as [(String, JSONValue)]
    )
    func numbers(text: String, value: JSONValue) throws {
        #expect(try Self.read(text) == value)
        #expect(try Self.read(" [ \(text)\n] ") == [value])
    }

    @Test(
        "what is almost JSON is none",
        arguments: [
            "01", "+1", ".5", "1.", "1e", "1e+", "-", "0x1", "NaN", "Infinity", "nul", "nulls", "True", "'a'", "{a:1}",
            "[1,,2]", "[,1]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1 "b":2}"#, #"{"a":1]"#, "[1}", "]", "[1]]", "1 2",
            "\"\t\"", #""\x""#, #""\u12g4""#, #""\ud800\u0041""#, "/**/1", "[1]//", "\u{FEFF}1", "\u{A0}1", "1\0",
        ]
    )
    func almost(text: String) {
        #expect(throws: CacheError.self) { try Self.read(text) }
    }

    /// 512 KiB are what threads of Swift's pool have on macOS.
    @Test("nesting takes no stack")
    func stack() async throws {
        let depth = 512
        let texts = [
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
            String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth),
        ]
        let outcomes = NIOLockedValueBox<[Bool]>([])
        let thread = Thread {
            for text in texts {
                let value = try? Self.read(text)
                let bytes = value.flatMap { try? StoredJSON.encode($0) }
                outcomes.withLockedValue { $0.append(bytes == ByteBuffer(string: text)) }
            }
        }
        thread.stackSize = 512 << 10
        thread.start()
        #expect(await eventually { outcomes.withLockedValue { $0.count } == texts.count })
        #expect(outcomes.withLockedValue { $0 } == [true, true])
    }

    @Test("as part of another type it is nested a hundred levels deep at most, and what is written can be read")
    func depthWithin() throws {
        func nested(_ depth: Int) -> JSONValue { (0..<depth).reduce(.null) { value, _ in .array([value]) } }
        let part = try StoredJSON.encode([nested(100)])
        #expect(try StoredJSON.decode([JSONValue].self, from: part) == [nested(100)])
        let optional = try StoredJSON.encode(nested(101) as JSONValue?)
        #expect(try StoredJSON.decode(JSONValue?.self, from: optional) == nested(101))
        #expect(throws: CacheError.self) { try StoredJSON.encode([nested(101)]) }
        #expect(throws: CacheError.self) { try StoredJSON.encode(nested(102) as JSONValue?) }
        let deep = try StoredJSON.encode(nested(102))
        let error = #expect(throws: CacheError.self) { try StoredJSON.decode([JSONValue].self, from: deep) }
        #expect(error?.message.contains("nested too deeply") == true)
    }

    @Test("values are read and written as by Foundation")
    func likeFoundation() throws {
        var random = SplitMix64(seed: 7)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for _ in 0..<3000 {
            let value = Self.value(&random, depth: 0)
            let bytes = try StoredJSON.encode(value)
            #expect(try Data(bytes.readableBytesView) == encoder.encode(value))
            #expect(try StoredJSON.decode(JSONValue.self, from: bytes) == value)
            #expect(try JSONDecoder().decode(JSONValue.self, from: Data(bytes.readableBytesView)) == value)
        }
    }

    private static let pieces = [
        "a", "Z", "é", "e\u{301}", "ß", "😀", "ﬀ", "\0", "\u{1F}", "\u{7F}", "\u{2028}", "\n", "\u{8}", "\"", "\\", "/",
        "",
    ]

    private static func text(_ random: inout SplitMix64) -> String {
        (0..<Int.random(in: 0..<4, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }

    private static func value(_ random: inout SplitMix64, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &random) {
        case 0: .null
        case 1: .bool(.random(using: &random))
        case 2: .integer(.random(in: .min ... .max, using: &random))
        case 3: .number(Double(Int.random(in: -999_999...999_999, using: &random) * 2 + 1) / 1024)
        case 4: .string(text(&random))
        case 5: .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in value(&random, depth: depth + 1) })
        default:
            .object(
                Dictionary(
                    (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                        (text(&random), value(&random, depth: depth + 1))
                    }
                ) { first, _ in first }
            )
        }
    }
}
