import Freshet
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import RESP
import RedisClient
import ServiceLifecycle
import TestSupport
import Testing

@testable import FreshetServer

@Suite("Draining")
struct DrainTests {
    @Test("a load that is not over when the time to drain is gets 503, which pages may read, and that is logged")
    func cutOff() async throws {
        // Its body never comes.
        let source = try await RawServer.start { _ in .init("200 OK", "Content-Length: 6") }
        let logs = RecordedLogs()
        let (group, ports) = try await Self.service(over: source, logger: logs.logger)
        async let running: Void = group.run()
        let port = try #require(await ports.first { _ in true })
        async let answer = HTTPAnswer(
            .GET,
            "http://127.0.0.1:\(port)/api/fields/slow",
            headers: ["Origin": "https://app.example"]
        )
        #expect(await eventually { !source.requests.isEmpty })
        await group.triggerGracefulShutdown()
        let refusal = try await answer
        #expect(refusal.status == 503)
        #expect(refusal["Retry-After"] == "1")
        #expect(refusal["Access-Control-Allow-Origin"] == "*")
        #expect(refusal.body.contains("\"error\":\"Shutting down\""))
        try await running
        #expect(logs.entries.contains { $0.level == .warning && $0.message.hasPrefix("the time to drain was over") })
    }

    @Test("a client that never reads its answer is not waited for beyond the drain")
    func unread() async throws {
        // More than the system takes for a connection.
        let json = "\"\(String(repeating: "x", count: 24 << 20))\""
        let source = try await RawServer.start { _ in
            .init("200 OK", "Content-Length: \(json.utf8.count)", body: ByteBuffer(string: json))
        }
        let (group, ports) = try await Self.service(over: source)
        async let running: Void = group.run()
        let port = try #require(await ports.first { _ in true })
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: port)
            .get()
        let request = "GET /api/fields/slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        try await client.writeAndFlush(ByteBuffer(string: request))
        let url = "http://127.0.0.1:\(port)/api/fields/slow"
        #expect(try await HTTPAnswer(.HEAD, url).status == 200)
        await group.triggerGracefulShutdown()
        try await running
        try await client.close()
    }

    @Test("C8: the store stays open for invalidations that wait for it, though the drain was cut off")
    func invalidationsThatWait() async throws {
        let server = try await RedisServer.start()
        let redis = RedisClient(try .init(url: server.url))
        let source = try await RawServer.start { _ in .init("200 OK", "Content-Length: 6") }
        let store = StoreLocation(url: server.url, origin: .file)
        let (group, ports) = try await Self.service(over: source, store: store)
        async let running: Void = group.run()
        let url = "http://127.0.0.1:\(try #require(await ports.first { _ in true }))/api/fields/slow"
        _ = try await redis.execute(RESPCommand("SET", "slow", "1"))
        _ = try await redis.execute(RESPCommand("CONFIG", "SET", "min-replicas-to-write", "1"))
        #expect(try await HTTPAnswer(.DELETE, url).status == 202)
        async let answer = HTTPAnswer(.GET, url)
        #expect(await eventually { !source.requests.isEmpty })
        await group.triggerGracefulShutdown()
        #expect(try await answer.status == 503)
        // Five times a second: longer than everything else has to end.
        let asked = try await Self.scripts(redis)
        #expect(await eventually { (try? await Self.scripts(redis)) ?? 0 > asked + 12 })
        _ = try await redis.execute(RESPCommand("CONFIG", "SET", "min-replicas-to-write", "0"))
        try await running
        #expect(try await redis.execute(RESPCommand("EXISTS", "slow")).integer == 0)
    }

    /// One field `slow`, and little time to drain.
    private static func service(
        over source: RawServer,
        store: StoreLocation? = nil,
        logger: Logger = RecordedLogs().logger
    ) async throws -> (ServiceGroup, ports: AsyncStream<Int>) {
        var configuration = Configuration()
        configuration.server.port = 0
        configuration.server.cors = ["*"]
        if let store { configuration.store = store }
        configuration.fields = [
            FieldSettings(
                name: "slow",
                key: "slow",
                policy: FieldPolicy(ttl: .seconds(60)),
                source: .http(url: source.url, headers: [:])
            )
        ]
        var limits = ServerLimits()
        limits.drainTime = .milliseconds(300)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let service = try await buildApplication(
            configuration: configuration,
            metrics: PrometheusRegistry(),
            limits: limits,
            logger: logger,
            onReady: { listening.yield($0) }
        )
        return (ServiceGroup(services: [service], logger: logger), ports)
    }

    /// How many scripts the server was asked for.
    private static func scripts(_ redis: RedisClient) async throws -> Int {
        let text = try await redis.execute(RESPCommand("INFO", "commandstats")).string ?? ""
        return text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("cmdstat_eval") }.compactMap { line in
            line.split(separator: "calls=").last.flatMap { Int($0.prefix { $0.isNumber }) }
        }.reduce(0, +)
    }
}
