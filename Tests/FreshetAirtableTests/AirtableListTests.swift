import Foundation
import Freshet
import Testing

@testable import FreshetAirtable

@Suite("Airtable: requests")
struct AirtableListTests {
    private func list(_ query: AirtableQuery = AirtableQuery(), table: String = "tblA") throws -> AirtableList {
        try AirtableList(endpoint: "https://a.example", base: "appA", table: table, query: query)
    }

    @Test("Names of tables are percent-encoded, slashes too")
    func tableNames() throws {
        let call = try list(table: "Altas/Bajas 2024 ñ+%").request(offset: nil)
        #expect(call.url == "https://a.example/v0/appA/Altas%2FBajas%202024%20%C3%B1%2B%25")
    }

    @Test("All options, in a fixed order, with the offset encoded")
    func options() throws {
        let query = AirtableQuery(
            fields: ["a", "b c"],
            filterByFormula: "{a}='b&c'",
            view: "Agentes de venta",
            sort: [.init(field: "a"), .init(field: "b", isDescending: true)],
            maxRecords: 250,
            pageSize: 50,
            returnFieldsByFieldId: true,
            cellFormat: .string(timeZone: "Europe/Madrid", userLocale: "es"),
            countsComments: true
        )
        let url = try list(query).request(offset: "itr1/rec1").url
        #expect(
            url.removingPercentEncoding == """
                https://a.example/v0/appA/tblA?cellFormat=string&fields[]=a&fields[]=b c&filterByFormula={a}='b&c'\
                &maxRecords=250&pageSize=50&recordMetadata[]=commentCount&returnFieldsByFieldId=true\
                &sort[0][field]=a&sort[0][direction]=asc&sort[1][field]=b&sort[1][direction]=desc\
                &view=Agentes de venta&timeZone=Europe/Madrid&userLocale=es&offset=itr1/rec1
                """
        )
        #expect(url.hasSuffix("&offset=itr1%2Frec1"))
    }

    @Test("GET up to 15,999 characters, POST from 16,000")
    func postBeforeTooLong() throws {
        let shell = try list(AirtableQuery(filterByFormula: "")).request(offset: nil).url.utf8.count
        let fits = try list(AirtableQuery(filterByFormula: String(repeating: "x", count: 15_999 - shell)))
        #expect(try fits.request(offset: nil).url.utf8.count == 15_999)
        #expect(try fits.request(offset: nil).body == nil)
        #expect(try fits.request(offset: "itr1/rec1").body != nil)
        let over = try list(AirtableQuery(filterByFormula: String(repeating: "x", count: 16_000 - shell)))
        #expect(try over.request(offset: nil).body != nil)

        let long = AirtableQuery(
            filterByFormula: String(repeating: "x", count: 16_000 - shell),
            sort: [.init(field: "a", isDescending: true)],
            cellFormat: .string(timeZone: "UTC", userLocale: "es")
        )
        let call = try list(long).request(offset: "itr1/rec1")
        #expect(call.url == "https://a.example/v0/appA/tblA/listRecords?timeZone=UTC&userLocale=es")
        let body = try StoredJSON.decode(JSONValue.self, from: #require(call.body))
        #expect(Set((body.object ?? [:]).keys) == ["cellFormat", "filterByFormula", "offset", "sort"])
        #expect(body["sort"] == [["field": "a", "direction": "desc"]])
        #expect(body["offset"] == "itr1/rec1")
    }

    @Test(
        "Queries that Airtable would refuse, or understand in two ways, are not sent",
        arguments: [
            AirtableQuery(pageSize: 0), AirtableQuery(pageSize: 101), AirtableQuery(maxRecords: 0),
            AirtableQuery(fields: []), AirtableQuery(fields: [""]), AirtableQuery(sort: [.init(field: "")]),
        ]
    )
    func invalidQueries(_ query: AirtableQuery) {
        #expect { try list(query) } throws: { ($0 as? CacheError)?.code == .invalidArgument }
    }

    @Test("A base and a table are needed")
    func missingNames() {
        #expect { try list(table: "") } throws: { ($0 as? CacheError)?.code == .invalidArgument }
    }

    @Test("A bad token or endpoint is a configuration error that does not repeat it")
    func badConfiguration() {
        for (token, endpoint) in [
            ("", "https://a.example"), ("secret\r\nX: y", "https://a.example"), ("sécret", "https://a.example"),
            ("t", ""), ("t", "a.example"), ("t", "ftp://a.example"), ("t", "https://user:secret@a.example"),
            ("t", "https://a.example/v0"), ("t", "https://a.example?secret=1"),
        ] {
            #expect("\(token) \(endpoint)") {
                try AirtableClient(token: token, endpoint: endpoint)
            } throws: {
                ($0 as? CacheError)?.code == .configuration && !"\($0)".contains("secret")
                    && !"\($0)".contains("sécret")
            }
        }
    }

    @Test("The record's id wins over a column of that name")
    func flattening() {
        let record = AirtableRecord(id: "rec1", fields: ["id": "C-1", "Nombre": "Ana"])
        #expect(record.flattened == ["id": "rec1", "Nombre": "Ana"])
    }
}
