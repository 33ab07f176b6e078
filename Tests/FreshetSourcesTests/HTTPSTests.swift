import AsyncHTTPClient
import Foundation
import Freshet
import FreshetSources
import HTTPAsking
import NIOCore
import NIOSSL
import TestSupport
import Testing

@Suite("http source over TLS")
struct HTTPSTests {
    /// Why a load from a server of Redis fails, which takes requests of HTTP for wrong commands.
    private func reason(
        _ host: String,
        _ server: RedisServer,
        _ certificates: TestCertificates,
        headers: [String: String] = [:]
    ) async throws -> String? {
        var configuration = HTTPAsking.configuration(connectTimeout: .seconds(10))
        configuration.tlsConfiguration?.trustRoots = .file(certificates.authority)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let url = "https://\(host):\(try #require(server.tlsPort))"
        let error = await cacheError {
            try await HTTPSource(url: url, headers: headers, httpClient: client).load(LoadContext())
        }
        try await client.shutdown()
        return error?.message.components(separatedBy: " failed: ").last
    }

    private func wasAsked(_ server: RedisServer) throws -> Bool {
        try server.command("INFO errorstats").contains("errorstat_ERR")
    }

    private static let otherHost = "its certificate was made for another host"

    /// Whoever has an address gets a certificate for it, be it where the name is meant to lead or not.
    @Test("An address in a certificate is no name of the host, and nothing is sent then")
    func addressForName() async throws {
        let certificates = try await TestCertificates(names: "DNS:elsewhere.example,IP:127.0.0.1")
        let server = try await RedisServer.start(certificates: certificates)
        for host in ["localhost", "LOCALHOST"] {
            #expect(try await reason(host, server, certificates) == Self.otherHost)
        }
        #expect(try !wasAsked(server))
        #expect(try await reason("127.0.0.1", server, certificates) != Self.otherHost)
        #expect(try wasAsked(server))
    }

    @Test("A certificate is for each of its names and addresses", arguments: ["localhost", "LocalHost", "127.0.0.1"])
    func severalNames(host: String) async throws {
        let certificates = try await TestCertificates(names: "DNS:*.example,DNS:LOCALHOST,IP:127.0.0.1")
        let server = try await RedisServer.start(certificates: certificates)
        for headers in [[:], ["Host": "a.example:1"]] {
            #expect(try await reason(host, server, certificates, headers: headers) != Self.otherHost)
        }
        #expect(try wasAsked(server))
    }

    @Test("A server that asks for a client's certificate is told")
    func clientCertificate() async throws {
        let certificates = try await TestCertificates()
        for (version, words) in [
            ("TLSv1.3", "it asks for a client's certificate, or does not accept the one it got"),
            ("TLSv1.2", "it refused the secure connection; it may ask for a client's certificate"),
        ] {
            let arguments = ["--tls-auth-clients", "yes", "--tls-protocols", version]
            let server = try await RedisServer.start(arguments: arguments, certificates: certificates)
            #expect(try await reason("localhost", server, certificates) == words)
        }
    }

    /// RFC 8996.
    @Test("The versions of TLS that are broken are not spoken")
    func oldVersion() async throws {
        let certificates = try await TestCertificates()
        let arguments = ["--tls-protocols", "TLSv1.1", "--tls-ciphers", "DEFAULT:@SECLEVEL=0"]
        let server = try await RedisServer.start(arguments: arguments, certificates: certificates)
        #expect(try await reason("localhost", server, certificates) == "it speaks no TLS of 1.2 or newer")
    }

    @Test("Names that cannot be checked, and a machine without authorities, are told")
    func uncheckable() {
        let name = HTTPAsking.reason(NIOSSLExtraError.serverHostnameImpossibleToMatch)
        #expect(name == "no certificate can be checked for a host with other characters than letters, digits, - and .")
        for error: any Error in [BoringSSLError.unknownError([]), NIOSSLError.failedToLoadCertificate] {
            let authorities = "this machine has no certificates of authorities that can be read"
            #expect(HTTPAsking.reason(error) == authorities)
        }
    }
}
