import BoundedCache
import Foundation
import Testing

@testable import FreshetSources

@Suite("Locale order")
struct LocaleOrderTests {
    private static let languages = [
        "ca", "de", "en", "es", "et", "fi", "fr", "gl", "id", "it", "nl", "pl", "pt", "ro", "sl", "sv", "tr",
    ]

    @Test("Equal to JavaScript's localeCompare, over thousands of texts and twenty locales")
    func javaScript() async throws {
        let texts = Self.texts(4000)
        let locales = Self.languages + ["es-MX", "fr-CA", "pt-BR"]
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "locale_order.js")
        let input = try JSONEncoder().encode(Input(texts: texts, locales: locales))
        let output = try await node(script.path(), input)
        let expected = try JSONDecoder().decode([String: [Int]].self, from: output)
        for locale in locales {
            let ranks = try TextOrder(locale: locale).ranks(of: texts)
            let ours = texts.map { ranks[$0] ?? -1 }
            let difference = Self.difference(texts, ours, expected[locale] ?? [])
            #expect(difference == nil, "\(locale)")
        }
    }

    @Test(
        "The table of weights never contradicts Foundation",
        arguments: languages
    )
    func weights(_ language: String) throws {
        let locale = Locale(identifier: language)
        let weights = try #require(PrimaryWeights.of(language: language, locale))
        let texts = Self.texts(1500)
        let keys = texts.map { weights.key(of: $0) }
        var decided = 0
        for index in texts.indices {
            let other = (index * 7919 + 13) % texts.count
            guard let order = keys[index].compare(keys[other]) else { continue }
            decided += 1
            #expect(order == TextOrder.compare(texts[index], texts[other], locale), "\(texts[index]) \(texts[other])")
        }
        #expect(decided > 700)
    }

    @Test("Where letters have weights together, Foundation decides")
    func contractions() throws {
        #expect(PrimaryWeights.of(language: "cs", Locale(identifier: "cs")) == nil)
        let words = ["chata", "ivan", "cena", "hora", "Čáp"]
        let ranks = try TextOrder(locale: "cs").ranks(of: words)
        #expect(
            words.sorted { ranks[$0, default: 0] < ranks[$1, default: 0] } == ["cena", "Čáp", "hora", "chata", "ivan"]
        )
    }

    @Test("Names are decided by the table, up to accents and case")
    func names() throws {
        let weights = try #require(PrimaryWeights.of(language: "es", Locale(identifier: "es")))
        func order(_ left: String, _ right: String) -> ComparisonResult? {
            weights.key(of: left).compare(weights.key(of: right))
        }
        #expect(order("Núñez, Ana", "Nunez, Ana") == .orderedDescending)
        #expect(order("Ana López", "ANA LOPEZ") == nil)
        #expect(order("Ana", "Ána María") == .orderedAscending)
        #expect(order("n\u{303}u", "nz") == nil)
        #expect(order("Ana 😀", "Ana 🎉") == nil)
    }

    private struct Input: Encodable {
        var texts: [String]
        var locales: [String]
    }

    /// Texts of one to nine characters of all kinds, the same every time; short ones, so that many are nearly equal.
    private static func texts(_ count: Int) -> [String] {
        let letters = "abcdeéèêfghiíjklmnñopqrstuüvwxyzåäöøæßABCÑÉÅÄÖZ0123456789 -_.,'!?()&/@#łŁśžżİı日本яЖΩ"
        let characters =
            letters.map(String.init) + [
                "😀", "🎉", "👩‍💻", "e\u{301}", "n\u{303}", "ch", "ll", "aa", "10", "\t",
            ]
        var state: UInt64 = 42
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        var texts = [
            "", " ", "a", "A", "á", "Á", "résumé", "resume", "Resume", "co-op", "coop", "N/A", "cote", "côté", "coté",
        ]
        while texts.count < count {
            texts.append((0..<1 + next(9)).map { _ in characters[next(characters.count)] }.joined())
        }
        return texts
    }

    /// The first place where two orders of the texts differ.
    private static func difference(_ texts: [String], _ ours: [Int], _ theirs: [Int]) -> String? {
        if ours == theirs { return nil }
        func sorted(_ ranks: [Int]) -> [(Int, String)] { Array(zip(ranks, texts).sorted { $0.0 < $1.0 }) }
        let first = zip(sorted(ours), sorted(theirs)).first { $0 != $1 }
        return first.map { "here \($0.0), JavaScript \($0.1)" } ?? "different counts"
    }

    /// Runs a script with Node, in another thread than those that tests run in.
    private func node(_ script: String, _ input: Data) async throws -> Data {
        try await withUnsafeThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try Self.runNode(script, input) })
            }
        }
    }

    private static func runNode(_ script: String, _ input: Data) throws -> Data {
        let file = FileManager.default.temporaryDirectory.appending(path: "freshet-\(UUID().uuidString).json")
        try input.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["node", script]
        process.standardInput = try FileHandle(forReadingFrom: file)
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(
            process.terminationStatus == 0,
            "Node.js is missing or failed; install it with: apt-get install nodejs"
        )
        return output
    }
}
