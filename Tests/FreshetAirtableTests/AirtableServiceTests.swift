import Freshet
import FreshetAirtable
import FreshetTesting
import Logging
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
            AirtableQuery(), AirtableQuery(fields: []), AirtableQuery(fields: ["a"]), AirtableQuery(view: "a"),
            AirtableQuery(filterByFormula: "a"), AirtableQuery(sort: [.init(field: "a")]),
            AirtableQuery(sort: [.init(field: "a", isDescending: true)]), AirtableQuery(maxRecords: 1),
            AirtableQuery(pageSize: 1), AirtableQuery(returnFieldsByFieldId: true),
            AirtableQuery(cellFormat: .string(timeZone: "a", userLocale: "b")), AirtableQuery(countsComments: true),
        ]
        let keys = Set(queries.map { AirtableService.cacheKey(base: "appA", table: "t", options: $0) })
        #expect(keys.count == queries.count - 1, "no fields asked for is the same as all of them in a URL")
    }
}
