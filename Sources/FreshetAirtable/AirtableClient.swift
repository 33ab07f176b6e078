public import AsyncHTTPClient
import Foundation
public import Freshet
import HTTPAsking
public import Logging

/// Lists the records of Airtable tables: all of them or an error, never a part.
///
/// All clients of a process share ``BaseLimiters``, so that together they keep to five requests a second to a base, and
/// fifty with a token. A page that fails with 502, 503, 504, a broken connection
/// or a timeout is asked for again, with its own offset. When Airtable has forgotten the iteration, the list begins
/// anew. After a 429 nobody asks that base for 30 seconds, and after that of a second base nobody asks with the token.
/// Processes that share a ``pace`` keep to the limit of a base together, and are closed together.
public struct AirtableClient: Sendable {
    /// `https://api.airtable.com`
    public static let defaultEndpoint = "https://api.airtable.com"

    public struct Configuration: Sendable {
        /// How long one page may take.
        public var requestTimeout: Duration = .seconds(30)
        /// The largest page accepted, in bytes.
        public var maxPageSize = 32 << 20
        /// How often a page is asked for again.
        public var maxRetries = 3
        /// How long to wait before the first of these, at most. Doubles each time, up to eight times as long.
        public var backoff: Duration = .milliseconds(500)
        /// How often a list begins anew because Airtable forgot the iteration.
        public var maxRestarts = 2

        public init() {}
    }

    let endpoint: String
    let token: String
    let configuration: Configuration
    let httpClient: HTTPClient
    let limiters: BaseLimiters
    let limiter: BaseLimiter
    let logger: Logger
    /// What other processes ask the same bases by, too, such as `CacheService.pace`; nil where there are none.
    ///
    /// Each page takes a turn of it, and keeps to ``BaseLimiters`` as well, and a 429 closes the base for all. While it fails, this
    /// process goes by its own limiters alone.
    public var pace: (any SharedPace)?

    /// - Parameters:
    ///   - token: a personal access token with the scope `data.records:read`.
    ///   - endpoint: scheme, host and port, without a path.
    ///   - httpClient: should not follow redirects, since they are an error here, and use HTTP/1.1 only (`httpVersion`):
    ///     over HTTP/2 every list goes on failing on a connection that is dead. It asks for compressed pages only if its
    ///     `decompression` is enabled, and an answer with a status below 100 ends the process in it. Without one, all
    ///     clients share one, which refuses such an answer.
    ///   - limiters: who paces; clients that share them share the limits.
    ///   - pace: shared with other processes; see ``pace``. An ``AirtableService`` takes that of its cache by itself.
    /// - Throws: `CacheError` with `configuration` if token or endpoint cannot be used.
    public init(
        token: String,
        endpoint: String = AirtableClient.defaultEndpoint,
        configuration: Configuration = Configuration(),
        httpClient: HTTPClient? = nil,
        limiters: BaseLimiters = .shared,
        pace: (any SharedPace)? = nil,
        logger: Logger = Logger(label: "freshet.airtable") { _ in SwiftLogNoOpLogHandler() }
    ) throws {
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CacheError(.configuration, "the Airtable token is empty or has characters that no token has")
        }
        var endpoint = endpoint
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard let url = URL(string: endpoint), HTTPAsking.canAsk(url), url.path().isEmpty, url.query() == nil,
            url.fragment() == nil
        else {
            throw CacheError(
                .configuration,
                "the Airtable endpoint must be a URL of scheme, host and port, such as \(Self.defaultEndpoint)"
            )
        }
        self.endpoint = endpoint
        self.token = token
        self.configuration = configuration
        self.httpClient = httpClient ?? HTTPAsking.client
        self.limiters = limiters
        limiter = limiters.limiter(endpoint: endpoint)
        self.pace = pace
        self.logger = logger
    }
}

extension AirtableClient: CustomStringConvertible, CustomReflectable {
    /// The endpoint; never the token.
    public var description: String { endpoint }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension AirtableClient {
    /// All records of a table, in the order of the view or of `query.sort`.
    ///
    /// Costs one request for every 100 records.
    ///
    /// - Parameters:
    ///   - base: its id, `app…`.
    ///   - table: its id, `tbl…`, or its name.
    /// - Throws: `CacheError`: `sourceFailed`, `sourceTimedOut`, `overloaded` with `retryAfter` while the base is
    ///   closed after a 429, `invalidArgument` for a query that Airtable would refuse; or `CancellationError`.
    public func records(base: String, table: String, query: AirtableQuery = AirtableQuery()) async throws
        -> [AirtableRecord]
    {
        let list = try AirtableList(endpoint: endpoint, base: base, table: table, query: query)
        var restarts = 0
        while true {
            do {
                return try await allPages(of: list)
            } catch PageFailure.iteratorGone(let error) {
                guard restarts < configuration.maxRestarts else { throw error }
                restarts += 1
                logger.debug(
                    "Airtable forgot the iteration; starting over",
                    metadata: [
                        "airtable.base": "\(base)", "airtable.table": "\(table)", "airtable.restart": "\(restarts)",
                    ]
                )
            }
        }
    }

    /// Whether a table has a column of a name. Costs one request, and says so even where all cells are empty.
    ///
    /// - Throws: as ``records(base:table:query:)``.
    public func hasColumn(_ name: String, base: String, table: String) async throws -> Bool {
        let query = AirtableQuery(fields: [name], maxRecords: 1)
        let list = try AirtableList(endpoint: endpoint, base: base, table: table, query: query)
        do {
            _ = try await page(of: list, offset: nil)
            return true
        } catch PageFailure.unknownColumn {
            return false
        } catch let failure as PageFailure {
            throw failure.error
        }
    }

    private func allPages(of list: AirtableList) async throws -> [AirtableRecord] {
        var records: [AirtableRecord] = []
        var offset: String?
        var seen: Set<String> = []
        repeat {
            let page: AirtablePage
            do {
                page = try await self.page(of: list, offset: offset)
            } catch let failure as PageFailure {
                if case .iteratorGone = failure { throw failure }
                throw failure.error
            }
            records.append(contentsOf: page.records)
            offset = page.offset
            if let offset, !seen.insert(offset).inserted {
                throw CacheError(.sourceFailed, "Airtable's pages of \(list.name) go round in a circle")
            }
        } while offset != nil
        return records
    }

    /// One page, asked for again where that is safe and may help.
    private func page(of list: AirtableList, offset: String?) async throws -> AirtablePage {
        var attempt = 0
        while true {
            try await waitForTurn(list.base)
            do {
                return try await send(list, offset: offset)
            } catch PageFailure.transient(let error) where attempt < configuration.maxRetries {
                logger.debug(
                    "an Airtable page failed; asking again",
                    metadata: ["airtable.base": "\(list.base)", "airtable.table": "\(list.table)", "error": "\(error)"]
                )
                try await limiters.spawner.sleep(for: pause(before: attempt))
                attempt += 1
            }
        }
    }

    /// Exponential, and anywhere in the upper half of it, so that clients that failed together do not return together.
    private func pause(before attempt: Int) -> Duration {
        let limit = configuration.backoff * (1 << min(attempt, 3))
        return limit * (0.5 + limiters.spawner.fraction() / 2)
    }
}
