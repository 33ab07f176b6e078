import Foundation
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct TLSTests {
    private func client(
        _ server: RedisServer,
        _ certificates: TestCertificates?,
        host: String = "127.0.0.1",
        verification: RedisClient.TLS.Verification = .full
    ) throws -> RedisClient {
        RedisClient(port: try #require(server.tlsPort)) {
            $0.address = .hostname(host, port: server.tlsPort ?? 0)
            $0.tls = .init(trust: certificates.map { .file($0.authority) } ?? .system, verification: verification)
        }
    }

    @Test func speaksTLSToWhomItTrusts() async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        for host in ["127.0.0.1", "localhost"] {
            let client = try client(server, certificates, host: host)
            #expect(try await client.execute(RESPCommand("ECHO", "safe")).string == "safe")
        }
        let url = "rediss://127.0.0.1:\(try #require(server.tlsPort))?cacert=\(certificates.authority)"
        let byURL = RedisClient(try .init(url: url))
        try await byURL.connect()
        await byURL.close()
        let blind = try client(server, nil, verification: .none)
        try await blind.connect()
        await blind.close()
    }

    @Test func refusesWhomItDoesNotTrust() async throws {
        let certificates = try await TestCertificates()
        let others = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        for trusted in [nil, others] {
            let client = try client(server, trusted)
            let error = try await clientError { try await client.connect() }
            #expect(error?.code == .tlsFailed)
            #expect(error?.message == "The server's certificate is not trusted.")
        }
    }

    @Test func refusesAnExpiredCertificate() async throws {
        let certificates = try await TestCertificates(isExpired: true)
        let server = try await RedisServer.start(certificates: certificates)
        let client = try client(server, certificates)
        let error = try await clientError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .tlsFailed)
        #expect(error?.message == "The server's certificate has expired.")
        #expect(error?.mayHaveExecuted == false)
    }

    @Test func tellsWhatIsWrongWithACertificatesTime() {
        #expect(TLSFailure.distrust(validIn: 2...3, at: 1) == "The server's certificate is not valid yet.")
        #expect(TLSFailure.distrust(validIn: 2...3, at: 4) == "The server's certificate has expired.")
        for times: ClosedRange<Double>? in [nil, 2...5] {
            #expect(TLSFailure.distrust(validIn: times, at: 4) == "The server's certificate is not trusted.")
        }
    }

    @Test(arguments: ["TLSv1.2", "TLSv1.3"])
    func tellsThatTheServerAsksForACertificate(version: String) async throws {
        let (certificates, others) = (try await TestCertificates(), try await TestCertificates())
        let server = try await RedisServer.start(
            arguments: ["--tls-auth-clients", "yes", "--tls-protocols", version],
            certificates: certificates
        )
        for identity in [nil, others, certificates] {
            let client = RedisClient(port: try #require(server.tlsPort)) {
                $0.tls = .init(trust: .file(certificates.authority))
                $0.tls?.identity = identity.map {
                    .init(certificateChainFile: $0.certificate, privateKeyFile: $0.key)
                }
            }
            let error = try await clientError { try await client.connect() }
            #expect(error?.code == (identity === certificates ? nil : .tlsFailed))
            if let error { #expect(error.message.contains("a client's certificate"), "\(error)") }
        }
    }

    @Test func refusesACertificateForAnotherHost() async throws {
        let certificates = try await TestCertificates(names: "DNS:elsewhere.example")
        let server = try await RedisServer.start(certificates: certificates)
        let strict = try client(server, certificates, host: "localhost")
        let error = try await clientError { try await strict.connect() }
        #expect(error?.code == .tlsFailed)
        #expect(error?.message == "The server's certificate was made for another host.")
        let lenient = try client(server, certificates, verification: .certificateOnly)
        try await lenient.connect()
    }

    @Test func tellsOfANameThatNoCertificateCanHave() async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        let client = RedisClient(port: try #require(server.tlsPort)) {
            $0.tls = .init(trust: .file(certificates.authority), serverName: "10.0.0.5")
        }
        let error = try await clientError { try await client.execute(RESPCommand("GET", "a")) }
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.contains("serverName") == true)
    }

    @Test func tellsOfAServerWithoutTLS() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.tls = .init()
            // Redis waits for the rest of what it takes for a command.
            $0.connectTimeout = .seconds(5)
        }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .tlsFailed || error?.message == Self.silence)
    }

    private static let silence = "The server did not answer over TLS in time; does it speak it here?"

    /// Which may be frozen, and speak TLS again in a moment.
    @Test func aSilentServerIsWaitedFor() async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        let proxy = try await FaultProxy.start(upstreamPort: try #require(server.tlsPort))
        proxy.faults.swallowsReplies = true
        let client = RedisClient(port: proxy.port) {
            $0.tls = .init(trust: .file(certificates.authority))
            // Enough for the connection itself on a busy machine.
            $0.connectTimeout = .seconds(2)
        }
        async let reply = client.execute(RESPCommand("ECHO", "back"))
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .connectFailed)
        #expect(error?.message == Self.silence)
        proxy.faults = .init()
        #expect(try await reply.string == "back")
    }

    @Test func certificatesMayBeReplaced() async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        let trusted = try await TestCertificates()
        let client = try client(server, trusted)
        #expect(try await clientError { try await client.connect() }?.code == .tlsFailed)
        try Data(contentsOf: URL(fileURLWithPath: certificates.authority))
            .write(to: URL(fileURLWithPath: trusted.authority), options: .atomic)
        #expect(await eventually { (try? await client.connect()) != nil })
    }

    /// As a balancer does whose servers are away, so that it may be another in a moment.
    @Test func anEndOfTheConnectionIsNoFailureOfTLS() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        proxy.faults.refuses = true
        let client = RedisClient(port: proxy.port) { $0.tls = .init() }
        #expect(try await clientError { try await client.connect() }?.code == .connectFailed)
    }

    @Test func tellsOfUnreadableCertificates() async throws {
        let client = RedisClient(port: 1) { $0.tls = .init(trust: .file("/nonexistent/ca.pem")) }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .tlsFailed)
    }
}
