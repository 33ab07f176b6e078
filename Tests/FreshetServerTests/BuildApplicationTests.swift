import Freshet
import NIOHTTP1
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Putting a service together")
struct BuildApplicationTests {
    @Test("what was started is shut down, and its connections closed, where a later step fails")
    func takesBack() async throws {
        let server = try await RedisServer.start()
        var configuration = Configuration(store: StoreLocation(url: server.url, origin: .flag))
        configuration.fields = ["a", "b"].map { name in
            FieldSettings(name: name, key: "same", policy: FieldPolicy(ttl: .seconds(1)), source: .file(path: "x"))
        }
        let logs = RecordedLogs()
        let error = await #expect(throws: CacheError.self) {
            _ = try await buildApplication(configuration: configuration, logger: logs.logger)
        }
        #expect(error?.code == .configuration)
        func services(_ message: String) -> [String?] {
            logs.entries.filter { $0.message == message }.map { $0.metadata["service.key"] }
        }
        #expect(services("service started") == ["store", "cache"])
        #expect(services("service shut down") == ["cache", "store"])
        #expect(try server.command("INFO commandstats").contains("cmdstat_hello"))
        let isGone = try await eventually { try !server.command("CLIENT LIST").contains(" name=freshet ") }
        #expect(isGone)
    }

    @Test("a store whose user may not publish what changes is refused")
    func mayNotPublish() async throws {
        let server = try await RedisServer.start()
        try server.command("ACL SETUSER app on >secret resetchannels ~* +@all")
        let url = "redis://app:secret@127.0.0.1:\(server.port)"
        let configuration = Configuration(store: StoreLocation(url: url, origin: .flag))
        let error = await #expect(throws: CacheError.self) {
            _ = try await buildApplication(configuration: configuration, logger: RecordedLogs().logger)
        }
        #expect(error?.refusal == .credentials)
        #expect(error?.message.contains("&freshet:invalidations") == true)
    }

    @Test("C2: one that is cancelled, as where it cannot listen, gives its leases back before it closes its store")
    func leases() async throws {
        let server = try await RedisServer.start()
        let logger = RecordedLogs().logger
        let configuration = Configuration(store: StoreLocation(url: server.url, origin: .flag))
        let sources = try SourceFactory(configuration: configuration, logger: logger)
        let registry = try CoreServices.register(configuration, sources: sources, logger: logger)
        try await registry.initializeCoreServices([.cache])
        let (loads, begun) = AsyncStream.makeStream(of: Void.self)
        let field = Field("slow", ttl: .seconds(3600)) {
            begun.yield()
            try await Task.sleep(for: .seconds(3600))
            return 1
        }
        let cache = try await registry.service(.cache, as: CacheService.self)
        let fields = FieldCache(cache: cache, catalog: try FieldCatalog([field]), logger: logger)
        let running = Task { try await FieldService(fields: fields, registry: registry).run() }
        let reading = Task { try await fields.value(of: field) }
        for await _ in loads { break }
        #expect(try server.command("HEXISTS {slow}:meta leaseToken").hasPrefix(":1"))
        running.cancel()
        try await running.value
        #expect(try server.command("HEXISTS {slow}:meta leaseToken").hasPrefix(":0"))
        _ = await reading.result
    }

    @Test("one whose task is cancelled ends with that error")
    func cancelled() async throws {
        var configuration = Configuration()
        configuration.server.port = 0
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await buildApplication(
            configuration: configuration,
            logger: RecordedLogs().logger,
            onReady: { listening.yield($0) }
        )
        let running = Task { try await service.run() }
        for await _ in ports { break }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        #expect(service.state.phase == .draining)
    }

    @Test("connections beyond the limit wait until others have ended", arguments: [1, 100])
    func connections(limit: Int) async throws {
        var limits = ServerLimits()
        limits.maxConnections = limit
        var configuration = Configuration()
        configuration.server.port = 0
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await buildApplication(
            configuration: configuration,
            metrics: PrometheusRegistry(),
            limits: limits,
            logger: RecordedLogs().logger,
            onReady: { listening.yield($0) }
        )
        try await withRunning(service) {
            let port = try #require(await ports.first { _ in true })
            // Its connection stays open.
            let answer = try await HTTPAnswer(.GET, "http://127.0.0.1:\(port)/healthz")
            #expect(answer.status == 200)
            let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            if limit == 1 {
                #expect(LoopbackSocket.exchange(request, port: port).isEmpty)
            } else {
                let isTaken = await eventually {
                    LoopbackSocket.exchange(request, port: port).hasPrefix("HTTP/1.1 200")
                }
                #expect(isTaken)
            }
        }
    }
}
