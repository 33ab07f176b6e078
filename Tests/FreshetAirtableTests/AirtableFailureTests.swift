import Freshet
import FreshetAirtable
import FreshetTesting
import NIOCore
import TestSupport
import Testing

@Suite("Airtable: what goes wrong in the wild")
struct AirtableFailureTests {
    struct Refusal: Sendable {
        var status: Int
        var says: [String]
    }

    @Test(
        "Each status is an error that names base and table and says what to do",
        arguments: [
            Refusal(status: 401, says: ["AUTHENTICATION_REQUIRED", "AIRTABLE_TOKEN"]),
            Refusal(status: 402, says: ["plan"]),
            Refusal(status: 403, says: ["INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", "gone", "access"]),
            Refusal(status: 404, says: ["NOT_FOUND", "address"]),
            Refusal(status: 413, says: ["too large"]),
            Refusal(status: 414, says: ["too large"]),
            Refusal(status: 422, says: ["INVALID_REQUEST_UNKNOWN", "refuses"]),
            Refusal(status: 500, says: ["SERVER_ERROR"]),
            Refusal(status: 302, says: ["no meaning"]),
        ]
    )
    func statuses(_ refusal: Refusal) async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.status(refusal.status))
            let error = await cacheError { try await airtable.list() }
            #expect(error?.code == .sourceFailed)
            for text in refusal.says + ["(\(refusal.status))", Airtable.base, Airtable.people] {
                #expect(error?.message.contains(text) == true, "\(text): \(error?.message ?? "")")
            }
            #expect(error?.refusal == [401: .credentials, 402: .quota, 403: .credentials][refusal.status])
            #expect(airtable.standIn.statistics.requests == 1)
        }
    }

    @Test("A token that is refused is not repeated in the error")
    func wrongToken() async throws {
        try await Airtable.with { airtable in
            let client = try airtable.client(token: "patSecret123")
            let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(error?.code == .sourceFailed)
            #expect(error.map { !"\($0)".contains("Secret") } == true)
        }
    }

    @Test(
        "A token that a proxy repeats in its answer is not in the error",
        arguments: [
            RawServer.Answer(
                "403 Forbidden",
                "Content-Type: application/json",
                body: ByteBuffer(string: #"{"error":{"type":"DENIED","message":"no Bearer patSecret123 here"}}"#),
                isLast: true
            ),
            RawServer.Answer(
                "403 Forbidden",
                body: ByteBuffer(string: #"{"error":"DENIED patSecret123"}"#),
                isLast: true
            ),
            RawServer.Answer(
                "403 Forbidden",
                body: ByteBuffer(string: #"{"errors":[{"error":"DENIED","message":"pat\u0053ecret123"}]}"#),
                isLast: true
            ),
            RawServer.Answer(
                "200 OK",
                "Content-Type: denied/\(String(repeating: "x", count: 70))patSecret123\(String(repeating: "x", count: 9000))",
                body: ByteBuffer(string: "{}"),
                isLast: true
            ),
        ]
    )
    func repeatedToken(_ answer: RawServer.Answer) async throws {
        let server = try await RawServer.start { _ in answer }
        let client = try AirtableClient(
            token: "patSecret123",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message.lowercased().contains("denied") == true)
        #expect(error.map { !"\($0)".lowercased().contains("pats") && $0.message.utf8.count < 500 } == true)
    }

    @Test("A status below 100 is no HTTP, with a body or without", arguments: ["", "{}"])
    func lowStatus(_ body: String) async throws {
        let server = try await RawServer.start { _ in
            RawServer.Answer("000 X", "Content-Length: \(body.utf8.count)", body: ByteBuffer(string: body))
        }
        let client = try AirtableClient(
            token: "t",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message.contains("what it answers is no HTTP") == true)
    }

    @Test("A text that a formula has cut within an emoji costs no more than that character")
    func halfAnEmoji() async throws {
        let server = try await RawServer.start { _ in
            let body = #"{"records":[{"id":"rec1","fields":{"Inicial":"\ud83d","Nombre":"\ud83d\ude00 Ana"}}]}"#
            return RawServer.Answer(
                "200 OK",
                "Content-Type: application/json",
                body: ByteBuffer(string: body),
                isLast: true
            )
        }
        let client = try AirtableClient(
            token: "patSecret123",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let records = try await client.records(base: Airtable.base, table: Airtable.people)
        #expect(records.map(\.fields) == [["Inicial": "\u{FFFD}", "Nombre": "😀 Ana"]])
    }

    @Test(
        "What is almost a page is an error, and no last page",
        arguments: [
            #""offset":{"itr":"rec1"}"#, #""offset":7"#, #""records":{}"#, #""records":[{"id":"rec2"}]"#,
            #""records":[{"id":"rec2","fields":{},"createdTime":5}]"#,
            #""records":[{"id":"rec2","fields":{},"commentCount":1.5}]"#,
        ]
    )
    func almostPage(_ member: String) async throws {
        let body = ByteBuffer(string: "{\(member),\"records\":[{\"id\":\"rec1\",\"fields\":{}}]}")
        let server = try await RawServer.start { _ in
            RawServer.Answer("200 OK", "Content-Type: application/json", body: body, isLast: true)
        }
        let client = try AirtableClient(
            token: "patSecret123",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.code == .sourceFailed)
    }

    @Test("Real refusals: base, table, view, column, formula")
    func realRefusals() async throws {
        try await Airtable.with { airtable in
            func message(
                _ query: AirtableQuery = AirtableQuery(),
                base: String = Airtable.base,
                table: String = "Personas"
            )
                async -> String
            {
                await cacheError { try await airtable.list(query, base: base, table: table) }?.message ?? ""
            }
            #expect(await message(base: "appUnknown0000001").contains("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"))
            #expect(await message(base: "nonsense").contains("NOT_FOUND"))
            #expect(await message(table: "Nobody").contains("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"))
            #expect(await message(AirtableQuery(view: "Nobody")).contains("VIEW_NAME_NOT_FOUND"))
            #expect(await message(AirtableQuery(view: "viwNobody00000001")).contains("VIEW_ID_NOT_FOUND"))
            #expect(await message(AirtableQuery(fields: ["Nobody"])).contains("UNKNOWN_FIELD_NAME"))
            #expect(await message(AirtableQuery(filterByFormula: "{Nombre")).contains("INVALID_FILTER_BY_FORMULA"))
        }
    }

    @Test(
        "A page that fails in passing is asked for again with its offset",
        arguments: [AirtableStandIn.Fault.status(502), .status(503), .cut]
    )
    func retry(_ fault: AirtableStandIn.Fault) async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(fault, skipping: 2, times: 3)
            let count = try await airtable.list().count
            #expect(count == 400)
            #expect(airtable.standIn.statistics.requests == 7)
        }
    }

    @Test("Retries have an end, and pauses between them that grow")
    func retriesEnd() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.status(503), times: 100)
            let error = await cacheError { try await airtable.list() }
            #expect(error?.code == .sourceFailed)
            #expect(airtable.standIn.statistics.requests == 4)
            let waited = airtable.spawner.now() - MonotonicInstant(nanoseconds: 0)
            #expect(waited >= .milliseconds(1750) && waited <= .milliseconds(3500 + 3 * 215))
        }
    }

    @Test(
        "A broken 200 is an error, at once, and no partial result",
        arguments: [AirtableStandIn.Fault.html, .garbage, .truncated, .wrongTypes]
    )
    func brokenAnswers(_ fault: AirtableStandIn.Fault) async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(fault, skipping: 3)
            let error = await cacheError { try await airtable.list() }
            #expect(error?.code == .sourceFailed)
            if fault == .html { #expect(error?.message.contains("text/html") == true) }
            #expect(airtable.standIn.statistics.requests == 4)
        }
    }

    @Test("An iteration that Airtable forgot begins anew, and what was collected is thrown away")
    func iteratorRestart() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.iteratorGone, skipping: 2)
            let ids = try await airtable.list().map(\.id)
            #expect(ids.count == 400 && Set(ids).count == 400)
            #expect(airtable.standIn.statistics.requests == 3 + 4)
        }
    }

    @Test("An iterator that idles too long is really gone")
    func iteratorExpires() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.delay(.seconds(301)), skipping: 1)
            let count = try await airtable.list().count
            #expect(count == 400)
            #expect(airtable.standIn.statistics.statuses == [200: 5, 422: 1])
        }
    }

    @Test("Pages that go round in a circle have an end")
    func circle() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.circle, skipping: 1, times: 100)
            let error = await cacheError { try await airtable.list() }
            #expect(error?.message.contains("in a circle") == true)
            #expect(airtable.standIn.statistics.requests == 2)
        }
    }

    @Test("Starting over has an end")
    func restartsEnd() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.iteratorGone, skipping: 1, times: 100)
            let error = await cacheError { try await airtable.list() }
            #expect(error?.message.contains("LIST_RECORDS_ITERATOR_NOT_AVAILABLE") == true)
            #expect(airtable.standIn.statistics.requests == 1 + 3)
        }
    }

    @Test("A rate limit closes the base for everybody for 30 s, without a probe")
    func rateLimit() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.rateLimit, skipping: 1)
            let error = await cacheError { try await airtable.list() }
            #expect(error?.code == .overloaded)
            #expect(error?.retryAfter == .seconds(30))
            #expect(airtable.standIn.statistics.requests == 2)

            let other = try airtable.client()
            airtable.spawner.advance(by: .seconds(29))
            let second = await cacheError { try await other.records(base: Airtable.base, table: Airtable.people) }
            #expect(second?.code == .overloaded)
            #expect(second?.retryAfter == .seconds(1))
            #expect(airtable.standIn.statistics.requests == 2)

            airtable.spawner.advance(by: .seconds(1))
            let count = try await airtable.list().count
            #expect(count == 400)
        }
    }

    private static let tenBases = (0..<10).map { index in
        AirtableStandIn.Base(
            id: "appBase000000000\(index)",
            tables: [AirtableStandIn.Table(id: "tblTable000000001", name: "T", columns: [])]
        )
    }

    @Test("Where others have spent what the token's user may ask, two bases find out, and the lock has its end")
    func limitOfUser() async throws {
        try await Airtable.with(bases: Self.tenBases) { airtable in
            let ids = Self.tenBases.map(\.id)
            for id in ids + ids + ids + ids + ids {
                let url = "\(airtable.standIn.url)/v0/\(id)/T"
                let status = try await request(url, token: airtable.standIn.token).status
                #expect(status == 200)
            }
            for (index, id) in ids.enumerated() {
                let error = await cacheError { try await airtable.list(base: id, table: "T") }
                #expect(error?.code == .overloaded)
                let rest = index == 0 ? 30 : 33 - 3 * index
                #expect(error?.retryAfter.map { abs($0.clampedMilliseconds - Int64(rest) * 1000) < 100 } == true)
                #expect(error?.message.contains("with their token") == (index > 1))
                airtable.spawner.advance(by: .seconds(3))
            }
            #expect(airtable.standIn.statistics.statuses == [200: 50, 429: 2])
            airtable.spawner.advance(by: .seconds(3))
            for id in ids {
                let records = try await airtable.list(base: id, table: "T")
                #expect(records.isEmpty)
            }
        }
    }

    @Test("Two bases that others ask too much close alone where a page came in between")
    func limitsOfBases() async throws {
        try await Airtable.with(bases: Self.tenBases) { airtable in
            let ids = Self.tenBases.map(\.id)
            for id in ids.prefix(2) {
                airtable.standIn.inject(.rateLimit)
                let error = await cacheError { try await airtable.list(base: id, table: "T") }
                #expect(error?.code == .overloaded)
                let records = try await airtable.list(base: ids[2], table: "T")
                #expect(records.isEmpty)
            }
            #expect(airtable.standIn.statistics.statuses == [200: 2, 429: 2])
        }
    }

    @Test(
        "A refusal counts though its body is cut off, stalls or is no gzip: a 429 is not asked again, and closes the base",
        arguments: [
            RawServer.Answer(
                "429 Too Many Requests",
                "Content-Length: 99",
                body: ByteBuffer(string: "{"),
                isLast: true
            ),
            RawServer.Answer("429 Too Many Requests", "Content-Length: 99", body: ByteBuffer(string: "{")),
            RawServer.Answer(
                "429 Too Many Requests",
                "Content-Encoding: gzip",
                "Content-Length: 9",
                body: ByteBuffer(string: "{\"errors\"")
            ),
        ]
    )
    func brokenRefusal(_ answer: RawServer.Answer) async throws {
        let server = try await RawServer.start { _ in answer }
        var configuration = AirtableClient.Configuration()
        configuration.requestTimeout = .seconds(10)
        let client = try AirtableClient(
            token: "t",
            endpoint: server.url,
            configuration: configuration,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        for _ in 1...2 {
            let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(error?.code == .overloaded)
            #expect(error?.retryAfter == .seconds(30))
            #expect(server.requests.count == 1)
        }
    }

    @Test("A refused token is one though the body is cut off", arguments: [401, 403])
    func brokenRefusalOfToken(_ status: Int) async throws {
        let server = try await RawServer.start { _ in
            RawServer.Answer("\(status) No", "Content-Length: 99", body: ByteBuffer(string: "{"), isLast: true)
        }
        let client = try AirtableClient(
            token: "t",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.refusal == .credentials)
        #expect(server.requests.count == 1)
    }

    @Test("A spent monthly quota is told, and not asked about again for an hour")
    func quota() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.spendMonthlyQuota()
            for _ in 1...2 {
                let error = await cacheError { try await airtable.list() }
                #expect(error?.code == .sourceFailed)
                #expect(error?.retryAfter == .seconds(3600))
                #expect(error?.refusal == .quota)
                #expect(error?.message.contains("this month") == true)
                #expect(airtable.standIn.statistics.requests == 1)
            }
        }
    }

    @Test("A quota that is spent halfway leaves no partial result")
    func quotaHalfway() async throws {
        try await Airtable.with({ $0.monthlyCalls = 3 }) { airtable in
            let error = await cacheError { try await airtable.list() }
            #expect(error?.message.contains("PUBLIC_API_BILLING_LIMIT_EXCEEDED") == true)
        }
    }

    @Test(
        "A server that never answers, or stops halfway, is a timeout",
        arguments: [AirtableStandIn.Fault.hang, .stall]
    )
    func hang(_ fault: AirtableStandIn.Fault) async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(fault)
            let client = try airtable.client {
                $0.requestTimeout = .milliseconds(200)
                $0.maxRetries = 0
            }
            let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(error?.code == .sourceTimedOut)
        }
    }

    @Test("A slow server is waited for")
    func slow() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.delay(.seconds(3)), times: 2)
            let count = try await airtable.list().count
            #expect(count == 400)
        }
    }

    @Test("Cancelling frees the caller, whatever the server does")
    func cancellation() async throws {
        try await Airtable.with { airtable in
            airtable.standIn.inject(.hang)
            let client = try airtable.client()
            let task = Task { try await client.records(base: Airtable.base, table: Airtable.people) }
            let standIn = airtable.standIn
            try await waitUntil("the request") { standIn.statistics.requests == 1 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("A page larger than the limit is an error")
    func oversized() async throws {
        try await Airtable.with { airtable in
            let client = try airtable.client { $0.maxPageSize = 1000 }
            let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
            #expect(error?.code == .sourceFailed)
            #expect(error?.message.contains("1000 bytes") == true)
        }
    }

    @Test("A compressed page that cannot be read is told")
    func brokenCompression() async throws {
        let server = try await RawServer.start { _ in
            RawServer.Answer(
                "200 OK",
                "Content-Type: application/json",
                "Content-Encoding: gzip",
                "Content-Length: 2",
                body: ByteBuffer(string: "{}")
            )
        }
        let client = try AirtableClient(
            token: "t",
            endpoint: server.url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message.hasSuffix("failed: the compressed body cannot be read") == true)
    }

    @Test("A server that is not there is an error that can be retried later")
    func deadServer() async throws {
        let url = try await Airtable.with { $0.standIn.url }
        let client = try AirtableClient(
            token: "t",
            endpoint: url,
            limiters: BaseLimiters(spawner: JumpingSpawner())
        )
        let error = await cacheError { try await client.records(base: Airtable.base, table: Airtable.people) }
        #expect(error?.code == .sourceFailed)
        #expect(error?.message.contains("the connection is refused") == true)
    }
}
