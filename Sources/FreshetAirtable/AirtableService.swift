public import Freshet
import NIOCore

/// Lists of Airtable records, cached through `CacheService`.
///
/// ```swift
/// let client = try AirtableClient(token: token)
/// try registry.registerAirtable(client, ttl: .seconds(600))
/// try await registry.initializeCoreServices([.cache, .airtable])
/// let airtable = try await registry.service(.airtable, as: AirtableService.self)
/// let people = try await airtable.fetchRecords(base: "app…", table: "Personas")
/// ```
///
/// Where the cache's store is shared with other processes, they keep to Airtable's limit of a base together.
///
/// For stale values, limits on age and scheduled refreshes make a field of an ``AirtableSource`` instead.
public final class AirtableService: CoreService {
    /// As it was given, with the pace of the cache's store unless it had another.
    public let client: AirtableClient
    private let cache: CacheService
    private let ttl: Duration
    private let deadline: Duration

    /// - Parameters:
    ///   - ttl: how long a list is kept. Over two hours, URLs of attachments in it are dead before it is.
    ///   - deadline: when a load is given up. Airtable's pace allows about 460 records a second, so that the default is
    ///     enough for 135,000.
    public init(
        client: AirtableClient,
        cache: CacheService,
        ttl: Duration = .seconds(300),
        deadline: Duration = .seconds(300)
    ) {
        var client = client
        client.pace = client.pace ?? cache.pace
        self.client = client
        self.cache = cache
        self.ttl = ttl
        self.deadline = deadline
    }

    /// Asks Airtable nothing, since every call is metered. Whether the token is good shows with the first list.
    public func initialize() async throws {}

    /// The records of a table as `{id, …fields}`; the record's id wins over a column named `id`.
    ///
    /// Whoever asks for the same list while it is loaded shares the load.
    ///
    /// - Parameter forceRefresh: load it whatever the cache holds. The old list stays cached until then, and if the
    ///   load fails.
    /// - Throws: as ``AirtableClient/records(base:table:query:)`` and `CacheService.getOrLoad` do.
    public func fetchRecords(
        base: String,
        table: String,
        options: AirtableQuery = AirtableQuery(),
        forceRefresh: Bool = false
    ) async throws -> [JSONValue] {
        try options.validate()
        let client = client
        let load: @Sendable () async throws -> [JSONValue] = {
            try await client.records(base: base, table: table, query: options).map(\.flattened)
        }
        let key = Self.cacheKey(base: base, table: table, options: options)
        return forceRefresh
            ? try await cache.refresh(key: key, ttl: ttl, deadline: deadline, fetch: load)
            : try await cache.getOrLoad(key: key, ttl: ttl, deadline: deadline, load: load)
    }

    /// Where a list is cached: `airtable:{base}:{table}`, and the options as in Airtable's URL; everything
    /// percent-encoded. Options of more than 4096 bytes are told by their SHA-1, behind `#`. The same query always has the
    /// same key.
    public static func cacheKey(base: String, table: String, options: AirtableQuery = AirtableQuery()) -> String {
        // Field order does not change the answer.
        var options = options
        options.fields = options.fields.map { Array(Set($0)).sorted() }
        let items = options.items.encoded
        let list = items.utf8.count > 4096 ? "#\(ByteBuffer(string: items).sha1)" : items
        return "airtable:\(base.percentEncoded):\(table.percentEncoded)\(list)"
    }
}

extension ServiceKey {
    /// The ``AirtableService``.
    public static let airtable: ServiceKey = "airtable"
}

extension ServiceRegistry {
    /// Registers an ``AirtableService`` that depends on the `CacheService`.
    ///
    /// - Parameters: as ``AirtableService/init(client:cache:ttl:deadline:)`` takes them.
    /// - Throws: `CacheError` with `configuration` if there is one already.
    public func registerAirtable(
        _ client: AirtableClient,
        ttl: Duration = .seconds(300),
        deadline: Duration = .seconds(300)
    ) throws {
        try register(.airtable, dependsOn: [.cache]) { registry in
            AirtableService(client: client, cache: try await registry.service(.cache), ttl: ttl, deadline: deadline)
        }
    }
}
