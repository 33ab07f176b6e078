import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RedisClient

@Suite struct ConnectorTests {
    /// The first address refuses, as that of a server which listens on IPv4 alone does for `localhost`.
    @Test(arguments: [false, true])
    func triesAllAddressesOfAHost(isSecure: Bool) async throws {
        let certificates = try await TestCertificates()
        let server = try await RedisServer.start(certificates: certificates)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let port = isSecure ? try #require(server.tlsPort) : server.port
        var configuration = RedisClient.configuration(port: port)
        configuration.address = .hostname("redis.test", port: port)
        if isSecure {
            configuration.tls = .init(trust: .file(certificates.authority), verification: .certificateOnly)
        }
        let connector = Connector(
            configuration: configuration,
            names: HostNames { _ in
                try ["127.0.0.2", "127.0.0.1"].map { try SocketAddress(ipAddress: $0, port: 0) }
            }
        )
        let isOpen = try await eventLoop.flatSubmit {
            connector.connect(on: eventLoop).map { connection in
                defer { connection.value.close(RedisClientError(.closed, "The test is over.")) }
                return connection.value.isOpen
            }
        }.get()
        #expect(isOpen)
        // Nothing is left of the attempts; the length and the connection that asks are told.
        let isAlone = try await eventually {
            try server.command("CLIENT LIST").split(whereSeparator: \.isNewline).count == 2
        }
        #expect(isAlone)
    }

    @Test
    func whatIsNoAddressIsLookedUp() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let host = try #require(HostAddresses(numeric: .hostname("::1", port: 6379), eventLoop))
        #expect(try await host.initiateAQuery(host: "::1", port: 6379).get().isEmpty)
        #expect(try await host.initiateAAAAQuery(host: "::1", port: 6379).get().first?.port == 6379)
        for address: RedisClient.Configuration.Address in [
            .hostname("localhost", port: 1), .hostname("127.0.0.1", port: 65_536), .hostname("127.0.0.1", port: -1),
        ] { #expect(HostAddresses(numeric: address, eventLoop) == nil) }
    }

    @Test(arguments: [65_536, -1]) func aPortThatIsNoneIsRefused(port: Int) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let names = HostNames { _ in [try SocketAddress(ipAddress: "127.0.0.1", port: 0)] }
        let host = try #require(
            HostAddresses(named: .hostname("redis.test", port: port), within: .seconds(5), eventLoop, names)
        )
        await #expect(throws: UnknownHost.self) {
            try await host.initiateAQuery(host: "redis.test", port: port).get()
        }
    }

    /// Name servers may be away.
    @Test func anAddressIsNotLookedUp() async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n" }
        let names = HostNames { host in
            Issue.record("\(host) was looked up.")
            throw UnknownHost(description: "not known")
        }
        #expect(try await isReached("127.0.0.1", server, within: .seconds(5), names))
    }

    /// As where the first name server is away, and the system asks the next after some time.
    @Test func aNameThatIsFoundTooLateServesTheNextAttempt() async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n" }
        let (lookups, isFound) = (NIOLockedValueBox(0), DispatchSemaphore(value: 0))
        defer { isFound.signal() }
        let names = HostNames { host in
            if host == "redis.test" {
                lookups.withLockedValue { $0 += 1 }
                isFound.wait()
            }
            return [try SocketAddress(ipAddress: "127.0.0.1", port: 0)]
        }
        let error = try await clientError {
            try await isReached("redis.test", server, within: .milliseconds(50), names)
        }
        #expect(error?.code == .connectFailed)
        // Others are looked up beside it.
        #expect(try await isReached("other.test", server, within: .seconds(20), names))
        async let isReachedLater = isReached("redis.test", server, within: .seconds(20), names)
        isFound.signal()
        #expect(try await isReachedLater)
        #expect(try await isReached("redis.test", server, within: .seconds(20), names))
        #expect(lookups.withLockedValue { $0 } == 1)
    }

    /// Behind a client's end its event loops may be gone.
    @Test func theEndOfAnAttemptEndsItsLookup() async throws {
        final class Attempt {
            weak var connection: ConnectionHandler?
        }
        let isFound = DispatchSemaphore(value: 0)
        defer { isFound.signal() }
        var configuration = RedisClient.Configuration(host: "redis.test")
        configuration.connectTimeout = .seconds(3600)
        let connector = Connector(
            configuration: configuration,
            names: HostNames { _ in
                isFound.wait()
                return []
            }
        )
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let attempt = try await eventLoop.submit {
            let attempt = Attempt()
            _ = connector.connect(on: eventLoop) { connection in
                attempt.connection = connection.value
            }
            attempt.connection?.close(.clientClosed)
            return NIOLoopBound(attempt, eventLoop: eventLoop)
        }.get()
        // What waits for the addresses has it.
        let isOver = try await eventually { try await eventLoop.submit { attempt.value.connection == nil }.get() }
        #expect(isOver)
    }

    /// The attempt may have no time left to come to something, and each that follows would take as long for the name.
    @Test(arguments: [(TimeAmount.nanoseconds(1), 1), (.hours(1), 2)])
    func whatTookMuchOfAnAttemptIsKept(limit: TimeAmount, count: Int) async throws {
        let lookups = NIOLockedValueBox(0)
        let names = HostNames { _ in
            lookups.withLockedValue { $0 += 1 }
            return [try SocketAddress(ipAddress: "127.0.0.1", port: 0)]
        }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        for _ in 0..<2 {
            let (found, _) = names.addresses(of: "redis.test", within: limit, on: eventLoop)
            #expect(try await found.get().count == 1)
        }
        #expect(lookups.withLockedValue { $0 } == count)
    }

    @Test func aNameThatIsFoundInTimeIsLookedUpEachTime() async throws {
        let server = try await ScriptedServer.start { _ in "+OK\r\n" }
        let lookups = NIOLockedValueBox(0)
        let names = HostNames { host in
            lookups.withLockedValue { $0 += 1 }
            if lookups.withLockedValue({ $0 }) == 1 { throw UnknownHost(description: "not known") }
            return [try SocketAddress(ipAddress: "127.0.0.1", port: 0)]
        }
        let error = try await clientError { try await isReached("redis.test", server, within: .seconds(20), names) }
        #expect(error?.code == .connectFailed)
        for _ in 0..<2 { #expect(try await isReached("redis.test", server, within: .seconds(20), names)) }
        #expect(lookups.withLockedValue { $0 } == 3)
    }

    private func isReached(
        _ host: String,
        _ server: ScriptedServer,
        within limit: Duration,
        _ names: HostNames
    ) async throws -> Bool {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        var configuration = RedisClient.configuration(port: server.port)
        configuration.address = .hostname(host, port: server.port)
        configuration.connectTimeout = limit
        let connector = Connector(configuration: configuration, names: names)
        return try await eventLoop.flatSubmit {
            connector.connect(on: eventLoop).map { connection in
                defer { connection.value.close(RedisClientError(.closed, "The test is over.")) }
                return connection.value.isOpen
            }
        }.get()
    }

    #if os(Linux)
    @Test func aSocketWithoutAnAnswerEndsWithItsAttempt() async throws {
        // Accepts nobody: the system keeps one connection, and has others wait.
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 0)
            .serverChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let nodes = (0..<3).map { _ in
            RedisNode(
                configuration: RedisClient.configuration(port: port),
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
                logger: .init(label: "test")
            )
        }
        let attempts = nodes.map { node in Task { try await node.connect() } }
        #expect(try await eventually { try Self.unansweredCount(to: port) > 0 })
        for node in nodes { await node.close() }
        for attempt in attempts { #expect(try await clientError { try await attempt.value }?.code == .closed) }
        #expect(try await eventually { try Self.unansweredCount(to: port) == 0 })
        try await listener.close()
    }

    /// Sockets of this machine that call a port and have no answer.
    private static func unansweredCount(to port: Int) throws -> Int {
        let target = "0100007F:" + String(port, radix: 16, uppercase: true)
        let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/net/tcp"))
        var table = Data()
        // It has no size, and comes a page at a time.
        while let page = try file.read(upToCount: 1 << 16), !page.isEmpty { table += page }
        return String(decoding: table, as: UTF8.self).split(separator: "\n").count { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[2] == target && fields[3] == "02"
        }
    }
    #endif

    @Test func certificatesAreReadOnceForAllConnections() async throws {
        let (certificates, others) = (try await TestCertificates(), try await TestCertificates())
        let contexts = TLSContexts()
        let tls = RedisClient.TLS(
            identity: .init(certificateChainFile: certificates.certificate, privateKeyFile: certificates.key)
        )
        let context = try contexts.context(for: tls)
        #expect(try contexts.context(for: tls) === context)
        let other = RedisClient.TLS(trust: .file(others.authority))
        #expect(try contexts.context(for: other) !== context)
    }
}
