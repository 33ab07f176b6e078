import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import RedisClient
import TestSupport
import Testing

/// What is told of a value that was stored, where nobody asks the store again for an hour of their own accord.
@Suite("Messages of fills", .timeLimit(.minutes(1)))
struct FillMessageTests {
    private struct Node: Backplane {
        let client: RedisClient
        let store: FaultyStore
        let heard = NIOLockedValueBox<[BackplaneEvent]>([])

        init(_ server: RedisServer) {
            client = RedisFixture.client(port: server.port)
            store = FaultyStore(RedisStore(client), spawner: SystemSpawner())
        }

        func listen(_ receive: @escaping @Sendable (BackplaneEvent) -> Void) async {
            await RedisBackplane(client: client).listen { event in
                receive(event)
                heard.withLockedValue { $0.append(event) }
            }
        }

        func waitForEvents(_ count: Int) async throws {
            try await waitUntil("\(count) events") { heard.withLockedValue { $0.count } == count }
        }

        /// How often the store is read for an answer.
        func reads(_ body: () async throws -> Int) async throws -> (value: Int, reads: Int) {
            let before = store.calls(of: .read)
            return (try await body(), store.calls(of: .read) - before)
        }
    }

    @Test("have every node ask for the value but the one that stored it")
    func nodes() async throws {
        let server = try await RedisServer.start()
        let loads = NIOLockedValueBox(0)
        let field = Field("agents", ttl: .seconds(3600)) {
            loads.withLockedValue { loads in
                loads += 1
                return loads
            }
        }
        let nodes = [Node(server), Node(server)]
        var caches: [FieldCache] = []
        var runs: [Task<Void, any Error>] = []
        for node in nodes {
            let cache = CacheService(store: node.store, timeout: .seconds(30), logger: Logger(label: "test"))
            try await cache.initialize()
            var configuration = FieldCache.Configuration()
            configuration.l1Recheck = .seconds(3600)
            let fields = FieldCache(
                cache: cache,
                catalog: try FieldCatalog([field]),
                configuration: configuration,
                backplane: node,
                logger: Logger(label: "test")
            )
            caches.append(fields)
            runs.append(Task { try await fields.run() })
            try await node.waitForEvents(1)
        }

        #expect(try await caches[0].value(of: field) == 1)
        for node in nodes { try await node.waitForEvents(2) }
        #expect(try await nodes[0].reads { try await caches[0].value(of: field) } == (1, 0))
        #expect(try await nodes[1].reads { try await caches[1].value(of: field) } == (1, 1))

        // The invalidation that a forced load begins with, and its value.
        #expect(try await caches[1].refresh(field).value == 2)
        for node in nodes { try await node.waitForEvents(4) }
        #expect(try await nodes[1].reads { try await caches[1].value(of: field) } == (2, 0))
        #expect(try await nodes[0].reads { try await caches[0].value(of: field) } == (2, 1))

        for run in runs { run.cancel() }
    }
}
