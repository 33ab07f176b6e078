import Freshet
import FreshetSources
import Testing

@Suite("where, select, sort")
struct RecordTransformTests {
    private let people: JSONValue = [
        ["id": "1", "Nombre": "Zoë", "Edad": 30], ["id": "2", "Nombre": " N/A "], ["id": "3"],
        ["id": "4", "Nombre": "   "], ["id": "5", "Nombre": "Álvaro", "Activo": true], ["id": "6", "Nombre": 7],
        ["id": "7", "Nombre": nil], ["id": "8", "Nombre": " ana "], ["id": "9", "Nombre": "ñu"],
        ["id": "10", "Nombre": "nz"],
    ]

    private func ids(_ transform: RecordTransform) throws -> [String] {
        try (transform.apply(people).array ?? []).compactMap { $0["id"]?.string }
    }

    private func kept(_ name: String, _ condition: Condition) throws -> [String] {
        try ids(RecordTransform(where: [name: condition]))
    }

    @Test("The example of the configuration")
    func example() throws {
        let transform = try RecordTransform(
            where: ["Nombre": Condition(notIn: ["", "N/A"], trim: true)],
            select: ["id": "id", "name": Selection(from: "Nombre", default: "Unnamed Agent")],
            sort: [SortKey("name")],
            locale: "es"
        )
        #expect(
            try transform.apply(people) == [
                ["id": "8", "name": " ana "], ["id": "5", "name": "Álvaro"], ["id": "10", "name": "nz"],
                ["id": "9", "name": "ñu"], ["id": "1", "name": "Zoë"],
            ]
        )
    }

    @Test("notIn: missing and null are empty text, other types do not match, trim is for the comparison only")
    func notIn() throws {
        #expect(try kept("Nombre", Condition(notIn: ["", "N/A"], trim: true)) == ["1", "5", "8", "9", "10"])
        #expect(try kept("Nombre", Condition(notIn: ["", "N/A"])) == ["1", "2", "4", "5", "8", "9", "10"])
        #expect(try kept("Nombre", Condition(notIn: ["N/A"])) == ["1", "2", "3", "4", "5", "7", "8", "9", "10"])
        #expect(try kept("Activo", Condition(notEquals: true)) == ["1", "2", "3", "4", "6", "7", "8", "9", "10"])
        #expect(try kept("Edad", Condition(notIn: [31])) == ["1"])
    }

    @Test("in and equals, by type")
    func inAndEquals() throws {
        #expect(try kept("Nombre", Condition(in: ["ana", "Zoë"], trim: true)) == ["1", "8"])
        #expect(try kept("Nombre", Condition(equals: "")) == ["3", "7"])
        #expect(try kept("Nombre", Condition(in: ["", 7])) == ["3", "6", "7"])
        #expect(try kept("Nombre", Condition(equals: 7.0)) == ["6"])
        #expect(try kept("Nombre", Condition(equals: "7")) == [])
        #expect(try kept("Activo", Condition(equals: true)) == ["5"])
        #expect(try kept("Activo", Condition(equals: false)).count == 9)
        // Texts are equal as Unicode has it.
        #expect(try kept("Nombre", Condition(equals: "Zoe\u{308}")) == ["1"])
    }

    @Test("a byte order mark is white space to trim, as in JavaScript")
    func trimsByteOrderMarks() throws {
        let transform = try RecordTransform(where: ["a": Condition(notIn: ["N/A"], trim: true)])
        let kept = try transform.apply([["a": "\u{FEFF}N/A"], ["a": " N/A\u{FEFF} "], ["a": "N\u{FEFF}/A"]])
        #expect(kept == [["a": "N\u{FEFF}/A"]])
    }

    @Test("exists, and several conditions at once")
    func exists() throws {
        #expect(try kept("Nombre", Condition(exists: false)) == ["3", "7"])
        #expect(
            try kept("Nombre", Condition(notIn: ["N/A", "ñu"], exists: true, trim: true)) == ["1", "4", "5", "8", "10"]
        )
        let both = try RecordTransform(where: ["Nombre": Condition(exists: true), "Edad": Condition(exists: true)])
        #expect(try ids(both) == ["1"])
    }

    @Test("select takes, renames, fills in, and leaves out what is not there")
    func select() throws {
        let transform = try RecordTransform(
            select: ["key": "id", "age": "Edad", "name": Selection(from: "Nombre", default: "?")]
        )
        let result = try transform.apply([["id": "1", "Nombre": ""], ["id": 2, "Edad": nil, "Nombre": " "], ["x": 1]])
        #expect(result == [["key": "1", "name": "?"], ["key": 2, "age": nil, "name": " "], ["name": "?"]])
    }

    @Test("sort by several keys, down and up, stable, with the missing last both ways")
    func sort() throws {
        let rows: JSONValue = [
            ["a": 2, "b": "x", "n": 0], ["a": "2", "n": 1], ["a": 1.5, "b": "y", "n": 2], ["b": "y", "n": 3],
            ["a": true, "n": 4], ["a": 2, "b": "y", "n": 5], ["a": nil, "b": "x", "n": 6], ["a": ["z"], "n": 7],
            ["a": 2.0, "b": "x", "n": 8], ["a": false, "n": 9],
        ]
        func order(_ keys: String...) throws -> [JSONValue?] {
            let transform = try RecordTransform(sort: keys.map { try SortKey($0) })
            return try (transform.apply(rows).array ?? []).map { $0["n"] }
        }
        #expect(try order("a") == [2, 0, 5, 8, 1, 9, 4, 7, 3, 6])
        #expect(try order("-a") == [7, 4, 9, 1, 0, 5, 8, 2, 3, 6])
        #expect(try order("-b", "a") == [2, 5, 3, 0, 8, 6, 1, 9, 4, 7])
        #expect(try order("nothing") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(
            try RecordTransform(sort: [SortKey(by: "-a")]).apply([["-a": 2], ["-a": 1]]) == [["-a": 1], ["-a": 2]]
        )
    }

    @Test("Integers that share a double are told apart, and are equal to that double only if they are")
    func greatIntegers() throws {
        let rows: JSONValue = [
            ["a": .integer(Int64.max), "n": 0], ["a": 9_007_199_254_740_993, "n": 1],
            ["a": 9_007_199_254_740_992, "n": 2], ["a": .number(0x1p53), "n": 3], ["a": .number(0x1p63), "n": 4],
            ["a": .integer(Int64.max - 1), "n": 5], ["a": .number(-0x1p63), "n": 6],
            ["a": .integer(Int64.min), "n": 7], ["a": 9_007_199_254_740_991, "n": 8],
        ]
        for (key, order) in [("a", [6, 7, 8, 2, 3, 1, 5, 0, 4]), ("-a", [4, 0, 5, 1, 2, 3, 8, 6, 7])]
            as [(String, [JSONValue])]
        {
            let transform = try RecordTransform(sort: [SortKey(key)])
            #expect(try (transform.apply(rows).array ?? []).compactMap { $0["n"] } == order)
        }
    }

    @Test("Spellings of one letter: two texts without a locale, whatever came first; one text in a language")
    func spellings() throws {
        let rows: [JSONValue] = [["t": "\u{E9}", "n": 1], ["t": "f", "n": 2], ["t": "e\u{301}", "n": 0]]
        for (locale, order) in [(nil, [0, 2, 1]), ("es", [0, 1, 2])] as [(String?, [JSONValue])] {
            let transform = try RecordTransform(sort: [SortKey("t"), SortKey("n")], locale: locale)
            for given in [rows, Array(rows.reversed())] {
                #expect(try (transform.apply(.array(given)).array ?? []).compactMap { $0["n"] } == order)
            }
        }
    }

    @Test("Without a locale, texts are in the order of their scalars")
    func scalarOrder() throws {
        let rows = ["b", "Z", "é", "a", "😀", "\u{FFFD}"].map { JSONValue.object(["t": .string($0)]) }
        let sorted = try RecordTransform(sort: [SortKey("t")]).apply(.array(rows)).array ?? []
        #expect(sorted.compactMap { $0["t"]?.string } == ["Z", "a", "b", "é", "\u{FFFD}", "😀"])
    }

    @Test("Texts that are equal in a language's order are told apart by the next key, or stay as they are")
    func equalTexts() throws {
        let rows: JSONValue = [["t": "co\u{AD}op", "n": 2], ["t": "coop", "n": 1], ["t": "coop", "n": 0]]
        for (keys, order) in [(["t"], [2, 1, 0]), (["t", "n"], [0, 1, 2]), (["-t", "-n"], [2, 1, 0])]
            as [([String], [JSONValue])]
        {
            let transform = try RecordTransform(sort: keys.map { try SortKey($0) }, locale: "es")
            #expect(try (transform.apply(rows).array ?? []).compactMap { $0["n"] } == order)
        }
    }

    @Test("Nothing to do leaves any value as it is; something to do needs an array of objects")
    func shapes() throws {
        let nothing = try RecordTransform()
        #expect(nothing.isIdentity)
        #expect(try nothing.apply(["a": 1]) == ["a": 1])
        let sort = try RecordTransform(sort: [SortKey("a")])
        for value: JSONValue in [["a": 1], "a", nil, [1], [["a": 1], [2]]] {
            #expect { try sort.apply(value) } throws: { ($0 as? CacheError)?.code == .sourceFailed }
        }
        #expect(try sort.apply([]) == [])
    }

    @Test("Mistakes are configuration errors")
    func mistakes() {
        let mistakes: [() throws -> RecordTransform] = [
            { try RecordTransform(where: ["a": Condition()]) },
            { try RecordTransform(where: ["a": Condition(trim: true)]) },
            { try RecordTransform(where: ["a": Condition(in: [])]) },
            { try RecordTransform(where: ["a": Condition(in: [nil])]) },
            { try RecordTransform(where: ["a": Condition(equals: ["x"])]) },
            { try RecordTransform(select: [:]) },
            { try RecordTransform(select: ["b": "a"], sort: [SortKey("a")]) },
            { try RecordTransform(sort: [SortKey("a"), SortKey("-a")]) },
            { try RecordTransform(sort: [SortKey("-")]) },
            { try RecordTransform(sort: [SortKey("")]) },
            { try RecordTransform(locale: "spanish") },
            { try RecordTransform(locale: "") },
            { try RecordTransform(locale: "xq") },
            { try RecordTransform(locale: "de-u-co-phonebk") },
        ]
        for (index, mistake) in mistakes.enumerated() {
            #expect("\(index)") { try mistake() } throws: { ($0 as? CacheError)?.code == .configuration }
        }
        for locale in ["es", "es-MX", "es_419", "zh-Hant-TW", "fil", "EN"] {
            #expect(throws: Never.self) { try RecordTransform(locale: locale) }
        }
    }
}
