import AsyncHTTPClient
import Foundation
import Freshet
import FreshetTesting
import NIOCore
import TestSupport
import Testing

@testable import FreshetAirtable

@Suite("Airtable: listing records")
struct AirtableClientTests {
    @Test("400 people cost four requests, at most five a second, and all arrive in order")
    func paging() async throws {
        try await Airtable.with { airtable in
            let records = try await airtable.list()
            #expect(
                records.map(\.id) == airtable.standIn.records(base: Airtable.base, table: Airtable.people).map(\.id)
            )
            #expect(airtable.standIn.statistics.statuses == [200: 4])
            #expect(airtable.spawner.now() == MonotonicInstant(nanoseconds: 645_000_000))
        }
    }

    @Test("What Airtable answers comes into no log, whatever its level")
    func silence() async throws {
        try await Airtable.with { airtable in
            let logs = RecordedLogs()
            let client = try AirtableClient(
                token: airtable.standIn.token,
                endpoint: airtable.standIn.url,
                limiters: airtable.limiters,
                logger: logs.logger
            )
            let count = try await client.records(base: Airtable.base, table: Airtable.people).count
            #expect(count == 400)
            #expect(logs.entries.isEmpty)
        }
    }

    @Test("The token is not printed")
    func printsNoToken() throws {
        let client = try AirtableClient(token: "patSecret123")
        let source = try AirtableSource(client: client, base: Airtable.base, table: Airtable.people)
        #expect("\(client)" == AirtableClient.defaultEndpoint)
        #expect(!printed(client).contains("Secret"))
        #expect(!printed(source).contains("Secret"))
    }

    /// `{"records":[{"id":"rec1","fields":{}}]}`
    private static let compressedPage =
        Data(base64Encoded: "H4sIAAAAAAACA6tWKkpNzi9KKVayiq5WykxRsgIJGCrpKKVlpuaAhKtra2NrAXbqGV4nAAAA") ?? Data()

    /// Decompresses nothing.
    private static let plainClient = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: HTTPClient.Configuration(redirectConfiguration: .disallow)
    )

    @Test("A client of one's own asks for compressed pages only if it decompresses them")
    func ownHTTPClient() async throws {
        let server = try await RawServer.start { request in
            let type = "Content-Type: application/json"
            guard request.contains("gzip") else {
                let page = ByteBuffer(string: #"{"records":[{"id":"rec1","fields":{}}]}"#)
                return RawServer.Answer("200 OK", type, body: page, isLast: true)
            }
            let page = ByteBuffer(bytes: Self.compressedPage)
            return RawServer.Answer("200 OK", type, "Content-Encoding: gzip", body: page, isLast: true)
        }
        for httpClient in [Self.plainClient, HTTPClient.shared, nil] {
            let client = try AirtableClient(
                token: "t",
                endpoint: server.url,
                httpClient: httpClient,
                limiters: BaseLimiters(spawner: JumpingSpawner())
            )
            let records = try await client.records(base: Airtable.base, table: Airtable.people)
            #expect(records.map(\.id) == ["rec1"])
        }
        #expect(server.requests.map { $0.contains("\naccept-encoding: ") } == [false, true, true])
    }

    @Test("HTTP/2 is not spoken: a connection that is dead would be used on and on")
    func offersOnlyHTTP1() async throws {
        let listener = try await SilentListener.start()
        let client = try AirtableClient(
            token: "t",
            endpoint: listener.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let list = Task { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(await eventually { listener.greetings.contains { $0.contains("http/1.1") } })
        #expect(listener.greetings.allSatisfy { $0.contains(SilentListener.http1Only) })
        list.cancel()
        await #expect(throws: CancellationError.self) { try await list.value }
    }

    @Test("Lists at once share the base's pace on a real clock, too")
    func sharedPace() async throws {
        // Two more than Airtable takes: a busy machine bunches what was sent at a pace. Eight at once are still too
        // many.
        var configuration = AirtableStandIn.Configuration()
        configuration.requestsPerSecond = 7
        let standIn = AirtableStandIn(configuration: configuration)
        try await AirtableStandIn.withStandIn(standIn) { standIn in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    let client = try AirtableClient(token: standIn.token, endpoint: standIn.url)
                    let query = AirtableQuery(maxRecords: 200)
                    group.addTask {
                        try await client.records(base: Airtable.base, table: Airtable.people, query: query).count
                    }
                }
                for try await count in group { #expect(count == 200) }
            }
            #expect(standIn.statistics.statuses == [200: 8])
        }
    }

    @Test("Sixty bases, one after the other, are more than a user may ask at once")
    func manyBases() async throws {
        try await Airtable.with { airtable in
            for base in 10..<70 {
                let error = await cacheError { try await airtable.list(base: "appBase00000000\(base)") }
                #expect(error?.message.contains("403") == true)
            }
            #expect(airtable.standIn.statistics.statuses == [403: 60])
            #expect(airtable.spawner.now() == MonotonicInstant(nanoseconds: 59 * 21_500_000))
        }
    }

    @Test("Empty cells are left out, zero and odd cells are kept")
    func cells() async throws {
        try await Airtable.with { airtable in
            let people = try await airtable.list()
            let first = try #require(people.first)
            #expect(first.fields["Activo"] == nil)
            #expect(first.fields["Idiomas"] == nil)
            #expect(first.fields["Salario"] == 0)
            #expect(people[13].fields["Nombre"] == nil)
            #expect(people[29].fields["Nombre"] == "   ")
            #expect(people[7].fields["Bono"] == ["specialValue": "NaN"])
            #expect(people[9].fields["Antigüedad"] == ["error": "#ERROR!"])
            #expect(people[1].fields["Notas"] == nil)
        }
    }

    @Test("View, fields, sort, formula, maxRecords, ids for names, text cells, comments")
    func options() async throws {
        try await Airtable.with { airtable in
            let agents = try await airtable.list(AirtableQuery(view: "Agentes de venta"))
            #expect(agents.count == 160)
            #expect(agents.allSatisfy { $0.fields["Puesto"] == "Agente de ventas" })

            let names = try await airtable.list(
                AirtableQuery(
                    fields: ["Nombre"],
                    filterByFormula: "{Puesto}='Gerente'",
                    sort: [.init(field: "Nombre", isDescending: true)],
                    maxRecords: 70,
                    pageSize: 30
                )
            )
            #expect(names.count == 70)
            #expect(names.allSatisfy { Set($0.fields.keys).isSubset(of: ["Nombre"]) })
            let keys = names.map { ($0.fields["Nombre"]?.string ?? "").lowercased() }
            #expect(keys == keys.sorted(by: >))

            let texts = try await airtable.list(
                AirtableQuery(
                    maxRecords: 2,
                    returnFieldsByFieldId: true,
                    cellFormat: .string(timeZone: "Europe/Madrid", userLocale: "es"),
                    countsComments: true
                )
            )
            #expect(texts[1].fields["fldPeople00000006"] == "checked")
            #expect(texts.map(\.commentCount) == [0, 1])
        }
    }

    @Test("A query too long for a URL goes as POST, page after page")
    func post() async throws {
        try await Airtable.with { airtable in
            let never = (0..<400).map { "{Nombre}='nobody number \($0)'" }.joined(separator: ", ")
            let formula =
                "NOT(OR(\((0..<4).map { _ in "OR(\(never.split(separator: ", ").prefix(99).joined(separator: ",")))" }.joined(separator: ","))))"
            let query = AirtableQuery(
                filterByFormula: formula + String(repeating: " ", count: 3000),
                cellFormat: .string(timeZone: "UTC", userLocale: "es")
            )
            let count = try await airtable.list(query).count
            #expect(count == 400)
            #expect(airtable.standIn.statistics.posts == 4)
            #expect(airtable.standIn.statistics.statuses == [200: 4])
        }
    }

    @Test("A table whose name has a slash and a space is found by it")
    func tableName() async throws {
        try await Airtable.with { airtable in
            for table in ["Altas/Bajas 2024", "tblChanges0000001"] {
                let count = try await airtable.list(table: table).count
                #expect(count == 12)
            }
        }
    }

    @Test("The order is that of the first page, cells are read live, deleted records are left out")
    func frozenOrder() async throws {
        // Its clock stands still between two pages.
        let spawner = TestSpawner()
        try await AirtableStandIn.withStandIn(AirtableStandIn(spawner: spawner)) { standIn in
            let airtable = Airtable(
                standIn: standIn,
                spawner: JumpingSpawner(),
                limiters: BaseLimiters(spawner: JumpingSpawner())
            )
            let query = AirtableQuery(sort: [.init(field: "Nombre")])
            let before = try await airtable.list(query).map(\.id)
            await spawner.advance(by: .seconds(1))
            standIn.inject(.delay(.seconds(1)), skipping: 1)
            async let list = airtable.list(query)
            try await spawner.waitForSleepers(1)
            let (moved, changed, deleted) = (before[150], before[399], before[200])
            for record in [moved, before[0]] {
                standIn.setCell(base: Airtable.base, table: Airtable.people, record: record, column: "Nombre", to: "Zz")
            }
            standIn.setCell(base: Airtable.base, table: Airtable.people, record: changed, column: "Notas", to: "new")
            standIn.deleteRecord(base: Airtable.base, table: Airtable.people, record: deleted)
            await spawner.advance(by: .seconds(1))
            let records = try await list
            #expect(records.map(\.id) == before.filter { $0 != deleted })
            #expect(records[150].fields["Nombre"] == "Zz" && records[0].fields["Nombre"] != "Zz")
            #expect(records.last?.fields["Notas"] == "new")
        }
    }

    @Test(
        "An endpoint is scheme, host and port",
        arguments: [
            "", "api.example", "ftp://api.example", "https://api.example/v0", "https://u:p@api.example",
            "https://api.example?a", "https://api.example#a", "http://127.0.0.1:99999", "http://[::1]:70000",
            "http://127.0.0.1:0",
        ]
    )
    func badEndpoint(_ endpoint: String) async {
        #expect(await cacheError { try AirtableClient(token: "t", endpoint: endpoint) }?.code == .configuration)
    }

    @Test("Columns can be asked for by name, even where every cell is empty")
    func hasColumn() async throws {
        try await Airtable.with { airtable in
            let client = try airtable.client()
            #expect(try await client.hasColumn("id", base: Airtable.base, table: "Altas/Bajas 2024"))
            #expect(try await !client.hasColumn("id", base: Airtable.base, table: Airtable.people))
            let source = try AirtableSource(client: client, base: Airtable.base, table: "Altas/Bajas 2024")
            #expect(try await source.inspect() == .init(hasIDColumn: true, attachmentColumns: []))
            let people = try AirtableSource(client: client, base: Airtable.base, table: Airtable.people)
            #expect(try await people.inspect() == .init(hasIDColumn: false, attachmentColumns: ["Foto"]))
        }
    }

    @Test("A source gives an array of flattened records")
    func source() async throws {
        try await Airtable.with { airtable in
            let source = try AirtableSource(
                client: airtable.client(),
                base: Airtable.base,
                table: "Altas/Bajas 2024",
                query: AirtableQuery(fields: ["id", "Tipo"], maxRecords: 1)
            )
            guard case .value(let value, _) = try await source.load(LoadContext()) else {
                Issue.record("no value")
                return
            }
            #expect(value == [["id": "rec00000000000900", "Tipo": "Alta"]])
        }
    }
}
