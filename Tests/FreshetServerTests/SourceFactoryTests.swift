import Freshet
import FreshetTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Sources by configuration")
struct SourceFactoryTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The field of a configuration whose source says for all its URLs that nothing has changed.
    private static func field(
        _ settings: String,
        _ variables: [String: String] = [:],
        logger: Logger = SourceFactoryTests.logger
    ) throws -> Field<JSONValue> {
        let configuration = try Configuration.parse(
            "fields: { offices: { ttl: 1m, staleIfError: 1h, \(settings) } }",
            file: "freshet.yaml",
            environment: Environment(variables)
        )
        return try SourceFactory(configuration: configuration, logger: logger).field(
            try #require(configuration.fields.first)
        )
    }

    /// Answers with the path, and 304 to whoever has a date.
    private static func source() async throws -> RawServer {
        try await RawServer.start { request in
            if request.contains("\r\nif-modified-since: ") { return RawServer.Answer("304 Not Modified") }
            let path = request.split(separator: " ").dropFirst().first ?? ""
            let body = ByteBuffer(string: #"[{"id":1,"city":"\#(path.dropFirst())"}]"#)
            return RawServer.Answer(
                "200 OK",
                "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                "Content-Length: \(body.readableBytes)",
                body: body
            )
        }
    }

    /// What a forced refresh gives under other settings, a while after those of before.
    private static func refreshed(_ before: Field<JSONValue>, _ after: Field<JSONValue>) async throws -> JSONValue? {
        let spawner = TestSpawner()
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: logger)
        try await cache.initialize()
        let fields = FieldCache(cache: cache, catalog: try FieldCatalog(), spawner: spawner, logger: logger)
        _ = try await fields.value(of: before)
        await spawner.advance(by: .seconds(10))
        #expect(try await fields.refresh(before).reading.status == .refreshed)
        await spawner.advance(by: .seconds(10))
        return try await fields.refresh(after).value
    }

    @Test("a changed select takes effect at the next load, though the source is as it was")
    func changedTransform() async throws {
        let source = try await Self.source()
        let before = try Self.field("source: { http: { url: \(source.url)/vigo } }, select: { id: id }")
        let after = try Self.field("source: { http: { url: \(source.url)/vigo } }, select: { town: city }")
        #expect(try await Self.refreshed(before, after) == [["town": "vigo"]])
        #expect(source.requests.map { $0.contains("if-modified-since") } == [false, true, false])
    }

    @Test("a changed variable takes effect at the next load")
    func changedVariable() async throws {
        let source = try await Self.source()
        let settings = "source: { http: { url: '\(source.url)/${CITY}' } }"
        let (before, after) = (try Self.field(settings, ["CITY": "vigo"]), try Self.field(settings, ["CITY": "lugo"]))
        #expect(try await Self.refreshed(before, after) == [["id": 1, "city": "lugo"]])
        #expect(source.requests.map { $0.contains("if-modified-since") } == [false, true, false])
    }

    @Test(
        "what is quoted or held by a variable is a text, which no number equals",
        arguments: [("1", 1), ("'1'", 0), ("${V}", 0)]
    )
    func compared(value: String, count: Int) async throws {
        let source = try await Self.source()
        let settings = "source: { http: { url: \(source.url)/vigo } }, where: { id: { equals: \(value) } }"
        let field = try Self.field(settings, ["V": "1"])
        #expect(try await Self.refreshed(field, field)?.array?.count == count)
    }

    @Test("what a source answers comes into no log, whatever its level")
    func silence() async throws {
        let source = try await Self.source()
        let logs = RecordedLogs()
        let field = try Self.field("source: { http: { url: \(source.url)/vigo } }", logger: logs.logger)
        _ = try await Self.refreshed(field, field)
        #expect(!source.requests.isEmpty)
        #expect(logs.entries.isEmpty)
    }

    private static func fingerprint(_ settings: String, _ variables: [String: String] = [:]) throws -> String {
        let configuration = try Configuration.parse(
            "fields: { a: { ttl: 1m, \(settings) } }",
            file: "freshet.yaml",
            environment: Environment(variables)
        )
        return try #require(configuration.fields.first).fingerprint
    }

    @Test(
        "settings are told apart by what their variables hold, wherever they are",
        arguments: [
            "source: { http: { url: 'http://h/${V}' } }",
            "source: { http: { url: http://h, headers: { X: '${V}' } } }",
            "source: { file: { path: '${V}' } }",
            "source: { file: { path: x } }, select: { a: '${V}' }",
            "source: { file: { path: x } }, select: { a: { from: b, default: '${V}' } }",
            "source: { file: { path: x } }, where: { a: { equals: '${V}' } }",
            "source: { file: { path: x } }, where: { a: { in: ['${V}'] } }",
        ]
    )
    func fingerprints(settings: String) throws {
        let values = ["1", "2", "1: 2", "1, a: 2", "1 # 2", "'", "$${V}"]
        let fingerprints = try values.map { try Self.fingerprint(settings, ["V": $0]) }
        #expect(Set(fingerprints).count == values.count)
        #expect(try Self.fingerprint(settings, ["V": "1", "W": "2"]) == fingerprints[0])
    }

    @Test("a number is not the text of it, and the order of settings is nothing")
    func fingerprintForms() throws {
        func fingerprint(_ value: String) throws -> String {
            try Self.fingerprint("source: { file: { path: x } }, where: { a: { equals: \(value) } }", ["V": "1"])
        }
        #expect(try fingerprint("1") != fingerprint("'1'"))
        #expect(try fingerprint("'1'") == fingerprint("${V}"))
        let (one, two) = ("source: { file: { path: x } }", "select: { a: b }")
        #expect(try Self.fingerprint("\(one), \(two)") == Self.fingerprint("\(two), \(one)"))
    }
}
