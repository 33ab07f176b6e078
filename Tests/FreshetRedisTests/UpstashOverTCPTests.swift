import FreshetRedis
import FreshetTesting
import NIOCore
import RESP
import RedisClient
import TestSupport
import Testing

/// Upstash over TCP: TLS only, the user `default`, and scripts that lock their keys only.
@Suite struct UpstashOverTCPTests {
    private static let token = "AXgAASQgNjE4="

    /// One server for all checks, which keep to keys of their own.
    private actor Service {
        static let shared = Service()

        struct Running {
            let server: RedisServer
            let certificates: TestCertificates
            let client: RedisClient
        }

        private var running: Task<Running, any Error>?

        func client() async throws -> RedisClient { try await run().client }

        func run() async throws -> Running {
            let running = self.running ?? Task { try await Self.start() }
            self.running = running
            return try await running.value
        }

        private static func start() async throws -> Running {
            let certificates = try await TestCertificates()
            let server = try await RedisServer.start(arguments: ["--requirepass", token], certificates: certificates)
            let configuration = try UpstashOverTCPTests.configuration(server, certificates, token: token)
            return Running(server: server, certificates: certificates, client: RedisClient(configuration))
        }
    }

    private static func configuration(
        _ server: RedisServer,
        _ certificates: TestCertificates,
        token: String
    ) throws -> RedisClient.Configuration {
        let port = try #require(server.tlsPort)
        let password = token.replacing("=", with: "%3D")
        var configuration = try RedisClient.Configuration(
            url: "rediss://default:\(password)@localhost:\(port)?cacert=\(certificates.authority)"
        )
        // Tests are not about haste, and the machine may be busy.
        configuration.commandTimeout = .seconds(30)
        return configuration
    }

    @Test(arguments: StoreContract.checks)
    func keeps(_ check: StoreContract.Check) async throws {
        let executor = WithoutFlags(base: try await Service.shared.client())
        try await check.run(on: StoreContract.Subject { RedisStore(executor, dialect: .upstash) })
    }

    @Test func carriesBytesAndPipelines() async throws {
        let client = try await Service.shared.client()
        let bytes = ByteBuffer(bytes: (0...255).map { UInt8($0) })
        let replies = try await client.execute(pipeline: [
            RESPCommand("SET", "bytes", bytes), RESPCommand("INCR", "bytes"), RESPCommand("GET", "bytes"),
        ])
        #expect(replies[0].string == "OK" && replies[1].error != nil && replies[2].bytes == bytes)
        var events = try await client.subscribe(to: ["news"]).makeAsyncIterator()
        #expect(try await client.execute(RESPCommand("PUBLISH", "news", "hi")).integer == 1)
        let message = RedisMessage(channel: "news", payload: ByteBuffer(string: "hi"))
        #expect(try await events.next() == .message(message))
    }

    @Test func refusesAnotherToken() async throws {
        let running = try await Service.shared.run()
        let client = RedisClient(try Self.configuration(running.server, running.certificates, token: "another"))
        do {
            try await client.execute(RESPCommand("PING"))
            Issue.record("the server took another token")
        } catch let error as RedisClientError {
            #expect(error.code == .authenticationFailed)
            #expect(!"\(error)".contains("another"))
        }
    }
}
