import Freshet
import FreshetAirtable
import FreshetRedis
import FreshetTesting
import Logging
import NIOHTTP1
import RedisClient
import TestSupport
import Testing

extension OverProcesses {
    /// Airtable counts the requests to a base over all who ask it.
    @Suite("One pace")
    struct SharedPaceTests {
        /// What a process has: a client of the store, a cache, limiters.
        private static func node(_ redis: RedisServer, _ standIn: AirtableStandIn) async throws -> AirtableService {
            let store = RedisStore(RedisClient.patient(port: redis.port))
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let cache = CacheService(store: store, timeout: .seconds(20), logger: logger)
            try await cache.initialize()
            // Long: of six turns the first would have to be four seconds late for all of them to fall into one second.
            let limiters = BaseLimiters(interval: .seconds(1))
            let client = try AirtableClient(token: standIn.token, endpoint: standIn.url, limiters: limiters)
            return AirtableService(client: client, cache: cache)
        }

        @Test("six nodes that load six tables of one base at once are all within its five requests a second")
        func together() async throws {
            let redis = try await RedisServer.start()
            let tables = (1...6).map { AirtableStandIn.Table(id: "tblTable00000000\($0)", name: "T\($0)", columns: []) }
            let base = AirtableStandIn.Base(id: "appTogether000001", tables: tables)
            try await AirtableStandIn.withStandIn(AirtableStandIn(bases: [base])) { standIn in
                var nodes: [AirtableService] = []
                for _ in tables { nodes.append(try await Self.node(redis, standIn)) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (node, table) in zip(nodes, tables) {
                        group.addTask { _ = try await node.fetchRecords(base: base.id, table: table.name) }
                    }
                    try await group.waitForAll()
                }
                #expect(standIn.statistics.statuses == [200: 6])
            }
        }

        @Test("a base that one node is refused is left alone by the other, which tells its readers for how long")
        func closed() async throws {
            let redis = try await RedisServer.start()
            let folder = try Folder()
            let yaml = """
                storeTimeout: 20s
                fields:
                  people: { ttl: 1h, source: { airtable: { base: appPeople00000001, table: Personas } } }
                  changes: { ttl: 1h, source: { airtable: { base: appPeople00000001, table: Altas/Bajas 2024 } } }
                """
            try folder.write(yaml, to: "freshet.yaml")
            try await AirtableStandIn.withStandIn { standIn in
                let processes = try (0..<2).map { _ in
                    try FreshetProcess(
                        ["serve", "--port", "0", "--store", redis.url],
                        environment: ["AIRTABLE_TOKEN": standIn.token, "AIRTABLE_ENDPOINT": standIn.url],
                        directory: folder.url
                    )
                }
                var urls: [String] = []
                for process in processes {
                    let url = await process.ready()
                    urls.append(try #require(url, "\(process.standardError)"))
                }
                standIn.inject(.rateLimit)
                let refused = try await HTTPAnswer(.GET, "\(urls[0])/api/fields/people")
                #expect(refused.status == 503)
                let spared = try await HTTPAnswer(.GET, "\(urls[1])/api/fields/changes")
                #expect(spared.status == 503)
                let rest = try #require(spared["Retry-After"].flatMap { Int($0) })
                #expect(rest > 0 && rest <= 30)
                #expect(standIn.statistics.statuses == [429: 1])
                for process in processes {
                    process.terminate()
                    #expect(await process.exitCode() == 0)
                }
            }
        }
    }
}
