import Freshet
import FreshetAirtable
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import Testing

@Suite("AirtableService: lists, cached")
struct AirtableServiceTests {
    /// A registry with cache and Airtable in it, as an application sets it up.
    private func service(_ airtable: Airtable) async throws -> AirtableService {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let registry = ServiceRegistry(logger: logger)
        try registry.register(.cache) { _ in CacheService(store: MemoryStore(), logger: logger) }
        try registry.registerAirtable(try airtable.client())
        try await registry.initializeCoreServices([.cache, .airtable])
        return try await registry.service(.airtable, as: AirtableService.self)
    }

    @Test("A list is loaded once, flattened, and then comes from the cache")
    func cached() async throws {
        try await Airtable.with { airtable in
            let service = try await service(airtable)
            let query = AirtableQuery(view: "Agentes de venta")
            let first = try await service.fetchRecords(base: Airtable.base, table: Airtable.people, options: query)
            let second = try await service.fetchRecords(base: Airtable.base, table: Airtable.people, options: query)
            #expect(first.count == 160 && first == second)
            #expect(first.allSatisfy { $0["id"]?.string?.hasPrefix("rec") == true && $0["Email"]?.string != nil })
            #expect(airtable.standIn.statistics.requests == 2)
        }
    }

    @Test("A thousand callers of a cold list cost one load")
    func singleFlight() async throws {
        try await Airtable.with { airtable in
            let service = try await service(airtable)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<1000 {
                    group.addTask { try await service.fetchRecords(base: Airtable.base, table: Airtable.people).count }
                }
                for try await count in group { #expect(count == 400) }
            }
            #expect(airtable.standIn.statistics.requests == 4)
        }
    }

    @Test("A forced refresh shows what has changed; one that fails leaves the old list")
    func forced() async throws {
        try await Airtable.with { airtable in
            let service = try await service(airtable)
            let (base, table) = (Airtable.base, "Altas/Bajas 2024")
            #expect(try await service.fetchRecords(base: base, table: table).first?["id"] == "rec00000000000900")
            airtable.standIn.addRecord(base: base, table: table, cells: ["Tipo": "Baja"])
            let cached = try await service.fetchRecords(base: base, table: table).count
            let fresh = try await service.fetchRecords(base: base, table: table, forceRefresh: true).count
            #expect([cached, fresh] == [12, 13])

            airtable.standIn.inject(.truncated)
            let error = await cacheError {
                try await service.fetchRecords(base: base, table: table, forceRefresh: true)
            }
            #expect(error?.code == .sourceFailed)
            let kept = try await service.fetchRecords(base: base, table: table).count
            #expect(kept == 13)
        }
    }

    @Test("Without a column nothing is asked for, though all of them are cached")
    func noColumns() async throws {
        try await Airtable.with { airtable in
            let service = try await service(airtable)
            func list(_ fields: [String]?) async throws -> [JSONValue] {
                let options = AirtableQuery(fields: fields)
                return try await service.fetchRecords(base: Airtable.base, table: Airtable.people, options: options)
            }
            #expect(try await list(nil).count == 400)
            #expect(await cacheError { try await list([]) }?.code == .invalidArgument)
        }
    }

    @Test("A load is given up at the deadline, and not before", arguments: [false, true])
    func deadline(isForced: Bool) async throws {
        try await Airtable.with { airtable in
            let spawner = TestSpawner()
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: logger)
            try await cache.initialize()
            let service = AirtableService(client: try airtable.client(), cache: cache, deadline: .seconds(120))
            airtable.standIn.inject(.hang)
            let isOver = NIOLockedValueBox(false)
            let list = Task {
                defer { isOver.withLockedValue { $0 = true } }
                return try await service.fetchRecords(
                    base: Airtable.base,
                    table: Airtable.people,
                    forceRefresh: isForced
                )
            }
            let standIn = airtable.standIn
            try await waitUntil("the request") { standIn.statistics.requests == 1 }
            await spawner.advance(by: .seconds(119))
            #expect(!isOver.withLockedValue { $0 })
            await spawner.advance(by: .seconds(2))
            #expect(await cacheError { try await list.value }?.code == .sourceTimedOut)
        }
    }

    @Test("Comments are counted in a list where they are asked for, whatever the columns are called")
    func comments() async throws {
        try await Airtable.with { airtable in
            let service = try await service(airtable)
            let record = try #require(airtable.standIn.records(base: Airtable.base, table: Airtable.people).first?.id)
            airtable.standIn.setCell(
                base: Airtable.base,
                table: Airtable.people,
                record: record,
                column: "commentCount",
                to: "many"
            )
            func counts(_ query: AirtableQuery) async throws -> [JSONValue?] {
                try await service.fetchRecords(base: Airtable.base, table: Airtable.people, options: query)
                    .map { $0["commentCount"] }
            }
            #expect(try await counts(AirtableQuery(maxRecords: 2, countsComments: true)) == [0, 1])
            #expect(try await counts(AirtableQuery(maxRecords: 2)) == ["many", nil])
        }
    }

    @Test("Keys tell lists apart, and the same list has one key")
    func keys() {
        let key = AirtableService.cacheKey(
            base: "appA",
            table: "Altas/Bajas {1}",
            options: AirtableQuery(fields: ["b", "a"], view: "Agentes de venta")
        )
        #expect(
            key == "airtable:appA:Altas%2FBajas%20%7B1%7D?fields%5B%5D=a&fields%5B%5D=b&view=Agentes%20de%20venta"
        )
        let queries = [
            AirtableQuery(), AirtableQuery(fields: ["a"]), AirtableQuery(view: "a"),
            AirtableQuery(filterByFormula: "a"), AirtableQuery(sort: [.init(field: "a")]),
            AirtableQuery(sort: [.init(field: "a", isDescending: true)]), AirtableQuery(maxRecords: 1),
            AirtableQuery(pageSize: 1), AirtableQuery(returnFieldsByFieldId: true),
            AirtableQuery(cellFormat: .string(timeZone: "a", userLocale: "b")), AirtableQuery(countsComments: true),
        ]
        let keys = Set(queries.map { AirtableService.cacheKey(base: "appA", table: "t", options: $0) })
        #expect(keys.count == queries.count)
        let long = ["a", "b"].map { end in
            let formula = String(repeating: "{\u{e1}}&", count: 5000) + end
            return AirtableService.cacheKey(base: "appA", table: "t", options: AirtableQuery(filterByFormula: formula))
        }
        #expect(Set(long).count == 2)
        #expect(long.allSatisfy { $0.hasPrefix("airtable:appA:t#") && $0.utf8.count == 56 })
    }
}
