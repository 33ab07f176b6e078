import Freshet
import FreshetTesting
import Testing

@Suite("Airtable stand-in: the protocol")
struct StandInTests {
    private static let path = "/v0/appPeople00000001/Personas"

    @Test("Pages of 100 with an opaque offset, none after the last")
    func paging() async throws {
        try await Airtable.with { airtable in
            let url = airtable.standIn.url + Self.path
            var page = try await request(url, token: airtable.standIn.token)
            #expect(page.status == 200)
            #expect(page.type.hasPrefix("application/json"))
            #expect(page.json?["records"]?.array?.count == 100)
            let record = page.json?["records"]?.array?.first
            #expect(Set((record?.object ?? [:]).keys) == ["id", "createdTime", "fields"])
            for expected in [100, 100, 100] {
                let offset = try #require(page.json?["offset"]?.string)
                #expect(offset.hasPrefix("itr") && offset.contains("/rec"))
                let encoded = offset.replacing("/", with: "%2F")
                page = try await request(url + "?offset=" + encoded, token: airtable.standIn.token)
                #expect(page.json?["records"]?.array?.count == expected)
                airtable.spawner.advance(by: .milliseconds(250))
            }
            #expect(page.json?["offset"] == nil)
        }
    }

    @Test("The same offset may be asked for again")
    func sameOffset() async throws {
        try await Airtable.with { airtable in
            let url = airtable.standIn.url + Self.path
            let first = try await request(url, token: airtable.standIn.token)
            let offset = try #require(first.json?["offset"]?.string).replacing("/", with: "%2F")
            let one = try await request(url + "?offset=" + offset, token: airtable.standIn.token)
            let two = try await request(url + "?offset=" + offset, token: airtable.standIn.token)
            #expect(one.json?["records"]?.array?.map(\.["id"]) == two.json?["records"]?.array?.map(\.["id"]))
        }
    }

    @Test("Records may have any id, and formulas name columns by theirs")
    func ids() async throws {
        let column = AirtableStandIn.Column(id: "fldNumber00000001", name: "Number")
        let records = (0..<150).map {
            AirtableStandIn.Record(id: "a/\($0)", createdTime: "", cells: ["Number": .integer(Int64($0 % 2))])
        }
        let table = AirtableStandIn.Table(id: "tblNumbers0000001", name: "Numbers", columns: [column], records: records)
        let standIn = AirtableStandIn(bases: [AirtableStandIn.Base(id: "appNumbers0000001", tables: [table])])
        try await AirtableStandIn.withStandIn(standIn) { standIn in
            let url = "\(standIn.url)/v0/appNumbers0000001/Numbers"
            let page = try await request(url, token: standIn.token)
            let offset = try #require(page.json?["offset"]?.string).replacing("/", with: "%2F")
            let next = try await request("\(url)?offset=\(offset)", token: standIn.token)
            #expect(next.json?["records"]?.array?.count == 50)
            let odd = try await request("\(url)?filterByFormula=%7BfldNumber00000001%7D='1'", token: standIn.token)
            #expect(odd.json?["records"]?.array?.count == 75)
        }
    }

    @Test("A start that is cancelled ends", .timeLimit(.minutes(1)))
    func cancelledStart() async throws {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await AirtableStandIn().start()
        }
        await #expect(throws: (any Error).self) { try await task.value }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var body: String?
        var status: Int
        var error: JSONValue?
        var testDescription: String { "\(status) \(path.prefix(60))" }
    }

    @Test(
        "Errors, in their shapes",
        arguments: [
            Case(path: "/v1/x", status: 404, error: ["error": "NOT_FOUND"]),
            Case(path: "/v0/nonsense/Personas", status: 404, error: ["error": "NOT_FOUND"]),
            Case(path: path + "?pageSize=101", status: 422),
            Case(path: path + "?pageSize=0", status: 422),
            Case(path: path + "?maxRecords=-1", status: 422),
            Case(path: path + "?nonsense=1", status: 422),
            Case(path: path + "?cellFormat=string", status: 422),
            Case(path: path + "?cellFormat=string&timeZone=UTC", status: 422),
            Case(path: path + "?offset=nonsense", status: 422),
            Case(
                path: path + "?offset=itr00000000000000/rec00000000000001",
                status: 422,
                error: ["error": ["type": "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"]]
            ),
            Case(path: path + "?fields[]=" + String(repeating: "x", count: 16_000), status: 414),
            Case(path: path + "/listRecords", body: "{", status: 422),
            Case(path: path + "/listRecords", body: #"{"timeZone":"UTC"}"#, status: 422),
            Case(path: path + "/listRecords", body: #"{"pageSize":500}"#, status: 422),
            Case(path: path + "/listRecords", body: String(repeating: " ", count: 2 << 20), status: 413),
            Case(path: path + "/listRecords", body: #"{"maxRecords":1}"#, status: 200),
            Case(path: path + "?cellFormat=string&timeZone=UTC&userLocale=es&maxRecords=1", status: 200),
        ]
    )
    func errors(_ sample: Case) async throws {
        try await Airtable.with { airtable in
            let answer = try await request(
                airtable.standIn.url + sample.path.replacing("[]", with: "%5B%5D"),
                token: airtable.standIn.token,
                body: sample.body
            )
            #expect(answer.status == sample.status)
            if let error = sample.error { #expect(answer.json == error) }
            if [413, 414].contains(sample.status) { #expect(answer.type == "text/html") }
        }
    }

    @Test("Only the token gets in")
    func token() async throws {
        try await Airtable.with { airtable in
            for token in [nil, "", "other"] {
                let answer = try await request(airtable.standIn.url + Self.path, token: token)
                #expect(answer.status == 401)
                #expect(answer.json?["error"]?["type"] == "AUTHENTICATION_REQUIRED")
            }
        }
    }

    @Test("The sixth request within a second is refused, and hammering keeps the base locked")
    func rateLimit() async throws {
        try await Airtable.with { airtable in
            let url = airtable.standIn.url + Self.path + "?maxRecords=1"
            func status() async throws -> Int { try await request(url, token: airtable.standIn.token).status }
            for _ in 0..<5 { #expect(try await status() == 200) }
            let refused = try await request(url, token: airtable.standIn.token)
            #expect(refused.status == 429)
            #expect(refused.json?["errors"]?.array?.first?["error"] == "RATE_LIMIT_REACHED")
            airtable.spawner.advance(by: .seconds(29))
            #expect(try await status() == 429)
            airtable.spawner.advance(by: .seconds(29))
            #expect(try await status() == 429)
            airtable.spawner.advance(by: .seconds(30))
            #expect(try await status() == 200)
        }
    }

    @Test("The fifty-first request to all bases within a second is refused, and all of them are locked")
    func limitOfUser() async throws {
        try await Airtable.with { airtable in
            func status(_ base: Int) async throws -> Int {
                let url = "\(airtable.standIn.url)/v0/appBase00000000\(base)/Personas"
                return try await request(url, token: airtable.standIn.token).status
            }
            for index in 0..<50 {
                let accepted = try await status(10 + index % 10)
                #expect(accepted == 403)
            }
            #expect(try await status(20) == 429)
            airtable.spawner.advance(by: .seconds(29))
            #expect(try await status(10) == 429)
            airtable.spawner.advance(by: .seconds(30))
            #expect(try await status(20) == 403)
        }
    }

    @Test("The window slides: requests 200 ms apart pass, for ever")
    func slidingWindow() async throws {
        try await Airtable.with { airtable in
            let url = airtable.standIn.url + Self.path + "?maxRecords=1"
            for _ in 0..<15 {
                let answer = try await request(url, token: airtable.standIn.token)
                #expect(answer.status == 200)
                airtable.spawner.advance(by: .milliseconds(200))
            }
        }
    }

    @Test("Data change while it runs")
    func mutation() async throws {
        let standIn = AirtableStandIn()
        let (base, table) = (Airtable.base, Airtable.people)
        let id = standIn.addRecord(base: base, table: table, cells: ["Nombre": "Nueva", "Extra": 1])
        #expect(standIn.records(base: base, table: table).count == 401)
        standIn.setCell(base: base, table: table, record: id, column: "Nombre", to: "Otra")
        #expect(standIn.records(base: base, table: table).last?.cells["Nombre"] == "Otra")
        standIn.deleteRecord(base: base, table: table, record: id)
        #expect(standIn.records(base: base, table: table).count == 400)
    }

    @Test("It stops, starts again, and says so when its port is taken")
    func life() async throws {
        let first = AirtableStandIn()
        var configuration = AirtableStandIn.Configuration()
        configuration.port = try await first.start()
        #expect(first.port == configuration.port)
        let second = AirtableStandIn(configuration: configuration)
        await #expect(throws: (any Error).self) { try await second.start() }

        await first.stop()
        #expect(first.port == nil)
        let port = try await second.start()
        #expect(port == configuration.port)
        let answer = try await request(second.url + Self.path, token: second.token)
        #expect(answer.status == 200)
        await second.stop()
    }

    @Test("It listens on an address of IPv6, with brackets or without", arguments: ["::1", "[::1]"])
    func addressOfIPv6(host: String) async throws {
        var configuration = AirtableStandIn.Configuration()
        configuration.host = host
        let standIn = AirtableStandIn(configuration: configuration)
        #expect(standIn.url == "http://[::1]:0")
        do {
            let answer = try await AirtableStandIn.withStandIn(standIn) { standIn in
                try await request(standIn.url + Self.path, token: standIn.token)
            }
            #expect(answer.status == 200)
        } catch {
            // A machine without IPv6, or a kernel.
            let reasons = ["assign requested address", "Address family not supported"]
            #expect(reasons.contains { "\(error)".contains($0) })
        }
    }

    @Test("The people: 400 of them, some without a usable name, the same every time")
    func people() {
        let people = AirtableStandIn().records(base: Airtable.base, table: Airtable.people)
        #expect(people == AirtableStandIn().records(base: Airtable.base, table: Airtable.people))
        #expect(people.count == 400)
        #expect(Set(people.map(\.id)).count == 400)
        let names = people.map { $0.cells["Nombre"]?.string }
        #expect(names.contains(nil) && names.contains("N/A") && names.contains("   "))
        #expect(names.contains { $0?.contains("ñ") == true } && names.contains { $0?.contains("Á") == true })
    }
}
