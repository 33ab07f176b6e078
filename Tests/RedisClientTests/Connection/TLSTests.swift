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
            #expect(error?.message == "\(client.configuration.address): The server's certificate is not trusted.")
        }
    }

    @Test func refusesAnExpiredCertificate() async throws {
        let certificates = try await TestCertificates(isExpired: true)
        let server = try await RedisServer.start(certificates: certificates)
        let client = try client(server, certificates)
        let error = try await clientError { try await client.execute(RESPCommand("PING")) }
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.hasSuffix(": The server's certificate has expired.") == true)
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
        #expect(error?.message.hasSuffix(": The server's certificate was made for another host.") == true)
        let lenient = try client(server, certificates, verification: .certificateOnly)
        try await lenient.connect()
    }

    /// Whoever has an address gets a certificate for it, be it where the name is meant to lead or not.
    @Test func anAddressInACertificateIsNoNameOfTheHost() async throws {
        let certificates = try await TestCertificates(names: "DNS:elsewhere.example,DNS:*.example,IP:127.0.0.1")
        let server = try await RedisServer.start(arguments: ["--requirepass", "sesame"], certificates: certificates)
        func attempt(_ host: String, as name: String?, _ verification: RedisClient.TLS.Verification) async throws {
            let client = RedisClient(port: try #require(server.tlsPort)) {
                $0.address = .hostname(host, port: server.tlsPort ?? 0)
                $0.tls = .init(trust: .file(certificates.authority), verification: verification, serverName: name)
                $0.password = "sesame"
            }
            try await client.connect()
            await client.close()
        }
        for (host, name) in [("localhost", nil), ("127.0.0.1", "a.b.example"), ("127.0.0.1", "example")] {
            let error = try await clientError { try await attempt(host, as: name, .full) }
            #expect(error?.code == .tlsFailed)
            #expect(error?.message.hasSuffix(": The server's certificate was made for another host.") == true)
            try await attempt(host, as: name, .certificateOnly)
            try await attempt(host, as: name, .none)
        }
        for name in [nil, "Elsewhere.Example", "a.example", "elsewhere.example."] {
            try await attempt("127.0.0.1", as: name, .full)
        }
    }

    @Test func aNameIsAnnouncedWithoutItsLastDot() throws {
        for (host, name) in [("a.example.", "a.example"), ("a.b", "a.b"), ("127.0.0.1", nil), ("::1", nil)] {
            var configuration = RedisClient.Configuration(host: host)
            configuration.tls = .init(verification: .none)
            #expect(try TLSFactory(configuration)?.serverName == name)
        }
    }

    @Test func tellsOfANameThatCannotBeChecked() async throws {
        let certificates = try await TestCertificates(names: "DNS:my_redis,DNS:localhost")
        let server = try await RedisServer.start(certificates: certificates)
        let client = RedisClient(port: try #require(server.tlsPort)) {
            $0.tls = .init(trust: .file(certificates.authority), serverName: "my_redis")
        }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.contains("other characters than letters, digits, - and .") == true)
    }

    /// RFC 8996.
    @Test func doesNotSpeakTheVersionsOfTLSThatAreBroken() async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(
            arguments: ["--tls-protocols", "TLSv1.1", "--tls-ciphers", "DEFAULT:@SECLEVEL=0"],
            certificates: certificates
        )
        let client = try client(server, certificates)
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .tlsFailed && error?.message.hasSuffix("speaks no TLS of 1.2 or newer.") == true)
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
        let certificates = try await TestCertificates()
        let none = "/nonexistent/some.pem"
        for (tls, what) in [
            (RedisClient.TLS(trust: .file(none)), "certificate"),
            (.init(identity: .init(certificateChainFile: none, privateKeyFile: certificates.key)), "certificate"),
            (
                .init(identity: .init(certificateChainFile: certificates.certificate, privateKeyFile: none)),
                "private key"
            ),
        ] {
            let client = RedisClient(port: 1) { $0.tls = tls }
            let error = try await clientError { try await client.connect() }
            #expect(error?.code == .tlsFailed)
            #expect(error?.message == "No \(what) can be read from \(none).")
        }
    }
}
