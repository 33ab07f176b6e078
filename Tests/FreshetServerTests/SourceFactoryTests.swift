import Foundation
import Freshet
import FreshetTesting
import Logging
import Testing

@testable import FreshetServer

@Suite("Sources by configuration")
struct SourceFactoryTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The field of a configuration whose source is a file of offices.
    private static func field(select: String, in folder: URL) throws -> Field<JSONValue> {
        let configuration = try Configuration.parse(
            """
            fields:
              offices:
                ttl: 1m
                staleIfError: 1h
                source: { file: { path: offices.json } }
                select: { \(select) }
            """,
            file: folder.appending(path: "freshet.yaml").path,
            environment: Environment([:])
        )
        return try SourceFactory(configuration: configuration, logger: logger).field(
            try #require(configuration.fields.first)
        )
    }

    @Test("a changed select takes effect at the next load, though the source is as it was")
    func changedTransform() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "freshet-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(#"[{"id":1,"city":"Vigo"}]"#.utf8).write(to: folder.appending(path: "offices.json"))
        let spawner = TestSpawner()
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: Self.logger)
        try await cache.initialize()
        let fields = FieldCache(cache: cache, catalog: try FieldCatalog(), spawner: spawner, logger: Self.logger)
        let before = try Self.field(select: "id: id", in: folder)
        let after = try Self.field(select: "town: city", in: folder)
        #expect(try await fields.value(of: before) == [["id": 1]])
        await spawner.advance(by: .seconds(10))
        #expect(try await fields.refresh(before).reading.status == .refreshed)
        await spawner.advance(by: .seconds(10))
        #expect(try await fields.refresh(after).value == [["town": "Vigo"]])
    }
}
