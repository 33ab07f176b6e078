import Freshet
import FreshetRedis
import FreshetTesting
import Logging
import RESP
import Testing

/// Several nodes with one scheduled field on a real server, in real time: the numbers of loads are held against the
/// time that has passed, however slow the machine.
@Suite struct ScheduleOverRedisTests {
    private actor Source {
        private(set) var loads = 0
        /// Those that ended with their node.
        private(set) var givenUp = 0
        private(set) var running = 0
        private(set) var mostAtOnce = 0

        func load(for time: Duration) async throws -> Int {
            loads += 1
            running += 1
            mostAtOnce = max(mostAtOnce, running)
            defer { running -= 1 }
            let number = loads
            do {
                try await Task.sleep(for: time)
            } catch {
                givenUp += 1
                throw error
            }
            return number
        }
    }

    private struct Node {
        let cache: FieldCache
        let run: Task<Void, any Error>

        init(_ store: any CacheStore, _ field: Field<Int>) async throws {
            let logger = Logger(label: "test")
            let service = CacheService(store: store, timeout: .seconds(30), logger: logger)
            try await service.initialize()
            let cache = FieldCache(cache: service, catalog: try FieldCatalog([field]), logger: logger)
            self.cache = cache
            run = Task { try await cache.run() }
        }
    }

    private func field(
        _ key: String,
        every interval: Duration,
        _ source: Source,
        loadTime: Duration = .milliseconds(20),
        hardDeadline: Duration = .seconds(60)
    ) -> Field<Int> {
        var policy = FieldPolicy(ttl: .seconds(600))
        policy.refreshEvery = .every(interval)
        policy.hardDeadline = hardDeadline
        return Field(key, policy: policy) { _ in .value(try await source.load(for: loadTime)) }
    }

    @Test("once a slot over all nodes, whichever live or die, and readers never find it stale")
    func once() async throws {
        let store = RedisStore(try await RedisFixture.shared.executor(.resp3))
        let source = Source()
        let interval = Duration.milliseconds(200)
        let field = field("scheduled", every: interval, source)
        let begun = ContinuousClock.now
        var nodes: [Node] = []
        for _ in 0..<4 { nodes.append(try await Node(store, field)) }
        try await waitUntil("the first load") { await source.loads > 0 }
        _ = try await nodes[0].cache.value(of: field)
        for _ in 0..<3 {
            let before = await source.loads
            let alive = nodes
            try await waitUntil("three more slots") {
                for node in alive {
                    let status = try await node.cache.read(field).status
                    #expect(status == .hit)
                }
                return await source.loads >= before + 3
            }
            nodes.removeFirst().run.cancel()
        }
        let before = await source.loads
        try await waitUntil("the last node's slots") { await source.loads >= before + 3 }
        let slots = Int((ContinuousClock.now - begun) / interval)
        // Those it began and ended in; a load that ends with its node leaves its slot to another.
        #expect(await source.loads - source.givenUp <= slots + 2)
        #expect(await source.givenUp <= 3)
        #expect(await source.mostAtOnce == 1)
        for node in nodes { node.run.cancel() }
    }

    @Test("when a node dies while it loads, another takes over")
    func death() async throws {
        let store = RedisStore(try await RedisFixture.shared.executor(.resp2))
        let source = Source()
        let doomedField = field(
            "scheduled-death",
            every: .seconds(3600),
            source,
            loadTime: .seconds(3600),
            hardDeadline: .milliseconds(10)
        )
        let doomed = FaultyStore(store)
        // It gets a lease and is not heard of again.
        doomed.inject(.hang, into: [.fill, .fail, .release])
        let first = try await Node(doomed, doomedField)
        try await waitUntil("the doomed load") { await source.loads == 1 }
        let second = try await Node(
            store,
            field("scheduled-death", every: .seconds(3600), source, hardDeadline: .seconds(60))
        )
        try await waitUntil("the second load", within: .seconds(60)) { await source.loads == 2 }
        try await waitUntil("its value") { try await second.cache.value(of: doomedField) == 2 }
        first.run.cancel()
        second.run.cancel()
    }
}
