import Foundation
import Freshet
import Testing

@testable import FreshetServer

@Suite("Durations, sizes and names as text")
struct TextTests {
    @Test(
        "durations",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("2s", .seconds(2)), ("15m", .seconds(900)),
            ("6h", .seconds(21_600)),
            ("1d", .seconds(86_400)), ("1h30m", .seconds(5400)), ("1.5h", .seconds(5400)), ("0", .zero), ("0s", .zero),
        ]
    )
    func duration(text: String, expected: Duration) throws {
        #expect(try Duration(configurationText: text) == expected)
    }

    @Test("a node is called by its host and process id")
    func nodeName() {
        let name = NodeName.current
        #expect(name.hasSuffix(":\(ProcessInfo.processInfo.processIdentifier)"))
        #expect(name.count > "\(ProcessInfo.processInfo.processIdentifier)".count + 1)
    }

    @Test("no durations", arguments: ["", "5", "-1s", "1 h", "h", "1x", "1h30", ".", "1e3s", "١s"])
    func noDuration(text: String) {
        #expect(throws: Duration.TextProblem.isNoTime) { try Duration(configurationText: text) }
    }

    @Test(
        "durations of more than 36,600 days",
        arguments: ["36600d1ms", "9999999d", String(repeating: "9", count: 400) + "s"]
    )
    func tooLong(text: String) throws {
        #expect(throws: Duration.TextProblem.isTooLong) { try Duration(configurationText: text) }
        #expect(try Duration(configurationText: "36600d") == FieldPolicy.longestTime)
    }

    @Test(
        "durations are written in the largest units",
        arguments: ["1d", "1h30m", "500ms", "0s", "1m1s", "2d3h4m5s6ms"]
    )
    func written(text: String) throws {
        #expect(try Duration(configurationText: text).configurationText == text)
    }

    @Test("sizes")
    func sizes() {
        #expect(ByteSizeText.bytes("64MiB") == 64 << 20)
        #expect(ByteSizeText.bytes("1.5 kB") == 1500)
        #expect(ByteSizeText.bytes("4096") == 4096)
        for text in ["", "0", "-1", "MiB", "1TiB", "1e9", "99999999GiB"] { #expect(ByteSizeText.bytes(text) == nil) }
    }

    @Test("parts of a whole")
    func percentages() {
        #expect(PercentText.fraction("5%") == 0.05)
        #expect(PercentText.fraction("100%") == 1)
        #expect(PercentText.fraction("0%") == 0)
        for text in ["5", "%", "-1%", "101%", "1e1%", ""] { #expect(PercentText.fraction(text) == nil) }
    }

    @Test("the nearest name is suggested only if it is near")
    func nearest() {
        let names = ["staleIfError", "staleWhileRevalidate", "ttl", "source"]
        #expect(NearestName.of("staleIferor", among: names) == "staleIfError")
        #expect(NearestName.of("tll", among: names) == "ttl")
        #expect(NearestName.of("souce", among: names) == "source")
        #expect(NearestName.of("colour", among: names) == nil)
        #expect(NearestName.of("x", among: [String]()) == nil)
    }

    @Test("white space and pasted quotes around a variable are not part of it")
    func environment() {
        let environment = Environment(["A": " \"x y\"\n", "B": "''", "C": "\"", "D": "'a\""])
        #expect(environment["A"] == "x y")
        #expect(environment["B"] == nil)
        #expect(environment["C"] == "\"")
        #expect(environment["D"] == "'a\"")
        #expect(environment["E"] == nil)
    }
}
