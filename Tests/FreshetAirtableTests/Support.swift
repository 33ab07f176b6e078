import AsyncHTTPClient
import Freshet
import FreshetAirtable
import FreshetTesting
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

/// A clock that jumps to the end of every sleep, so that waiting 30 seconds takes no time.
final class JumpingSpawner: Spawner {
    private let nanoseconds = NIOLockedValueBox<Int64>(0)

    func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds.withLockedValue { $0 }) }

    func wallTime() -> Duration { .nanoseconds(now().nanoseconds) }

    func sleep(until instant: MonotonicInstant) async throws {
        try Task.checkCancellation()
        nanoseconds.withLockedValue { $0 = max($0, instant.nanoseconds) }
    }

    func spawn(_ operation: @escaping @Sendable () async -> Void) -> SpawnedTask {
        SpawnedTask(Task.detached { await operation() })
    }

    func random() -> UInt64 { .random(in: .min ... .max) }

    func advance(by time: Duration) {
        nanoseconds.withLockedValue { $0 += time.clampedNanoseconds }
    }
}

/// A stand-in and a client for it, on one clock.
struct Airtable: Sendable {
    static let base = "appPeople00000001"
    static let people = "Personas"

    let standIn: AirtableStandIn
    let spawner: JumpingSpawner
    let limiters: BaseLimiters

    func client(
        token: String? = nil,
        _ change: (inout AirtableClient.Configuration) -> Void = { _ in }
    ) throws -> AirtableClient {
        var configuration = AirtableClient.Configuration()
        change(&configuration)
        return try AirtableClient(
            token: token ?? standIn.token,
            endpoint: standIn.url,
            configuration: configuration,
            limiters: limiters
        )
    }

    func list(_ query: AirtableQuery = AirtableQuery(), base: String = base, table: String = people) async throws
        -> [AirtableRecord]
    {
        try await client().records(base: base, table: table, query: query)
    }

    static func with<Result: Sendable>(
        bases: [AirtableStandIn.Base] = [.people],
        _ change: (inout AirtableStandIn.Configuration) -> Void = { _ in },
        _ body: @Sendable (Airtable) async throws -> Result
    ) async throws -> Result {
        let spawner = JumpingSpawner()
        var configuration = AirtableStandIn.Configuration()
        change(&configuration)
        let standIn = AirtableStandIn(bases: bases, configuration: configuration, spawner: spawner)
        return try await AirtableStandIn.withStandIn(standIn) { standIn in
            try await body(Airtable(standIn: standIn, spawner: spawner, limiters: BaseLimiters(spawner: spawner)))
        }
    }
}

/// A plain request to the stand-in, for what the client would never send.
func request(
    _ url: String,
    token: String?,
    body: String? = nil
) async throws -> (status: Int, type: String, json: JSONValue?) {
    var request = HTTPClientRequest(url: url)
    if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
    if let body {
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: body))
    }
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
    let bytes = try await response.body.collect(upTo: 10 << 20)
    return (
        Int(response.status.code), response.headers.first(name: "content-type") ?? "",
        try? StoredJSON.decode(JSONValue.self, from: bytes)
    )
}

/// The `CacheError` that an operation throws.
func cacheError(_ operation: () async throws -> some Any) async -> CacheError? {
    await #expect(throws: CacheError.self) { _ = try await operation() }
}
