import Foundation
import NIOCore
import NIOPosix
import RESP
import RedisClient
import TestSupport
import Testing

/// Whatever happens to the path, a call ends: by its reply, by its deadline, or because the connection did.
@Suite(.serialized) struct FaultTests {
    enum Fault: String, CaseIterable, Sendable {
        case cut, delay, drip, repliesVanish, requestsVanish, everythingVanishes, nothingIsRead, refused, serverFrozen

        var faults: FaultProxy.Faults {
            var faults = FaultProxy.Faults()
            switch self {
            case .cut, .serverFrozen: break
            case .delay: faults.delay = .milliseconds(40)
            case .drip: faults.dripSize = 1
            case .repliesVanish: faults.swallowsReplies = true
            case .requestsVanish: faults.swallowsRequests = true
            case .everythingVanishes: (faults.swallowsReplies, faults.swallowsRequests) = (true, true)
            case .nothingIsRead: faults.stopsReading = true
            case .refused: faults.refuses = true
            }
            return faults
        }
    }

    /// The path to a server, and what a client needs to know of its certificate.
    private func setUp(isSecure: Bool) async throws -> (RedisServer, FaultProxy, RedisClient.TLS?) {
        let certificates = isSecure ? try await TestCertificates() : nil
        let server = try await RedisServer.start(certificates: certificates)
        let proxy = try await FaultProxy.start(upstreamPort: server.tlsPort ?? server.port)
        let authority = try certificates.map { try String(contentsOfFile: $0.authority, encoding: .utf8) }
        return (server, proxy, authority.map { RedisClient.TLS(trust: .pem($0)) })
    }

    @Test(arguments: Fault.allCases, [false, true])
    func everyCallEnds(fault: Fault, isSecure: Bool) async throws {
        let (server, proxy, tls) = try await setUp(isSecure: isSecure)
        let client = RedisClient(port: proxy.port) {
            $0.tls = tls
            // How long a silent server is trusted, and a silent attempt to connect.
            $0.commandTimeout = .milliseconds(500)
            $0.connectTimeout = .seconds(2)
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        proxy.faults = fault.faults
        if fault == .cut || fault == .refused { proxy.cut() }
        if fault == .serverFrozen { server.pause() }
        let wrong = await withTaskGroup(of: Int.self) { group in
            for task in 0..<50 {
                group.addTask { await Self.call(client, task) }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
        // And when it is over, everything is as before.
        proxy.faults = .init()
        // TCP loses nothing from the middle of a connection that goes on.
        if proxy.swallowedBytes > 0 { proxy.cut() }
        server.resume()
        #expect(
            await eventually {
                (try? await client.execute(RESPCommand("ECHO", "well")))?.string == "well"
            }
        )
    }

    /// Those too whose deadline comes just after the connection is given up, when TLS still waits for the peer.
    @Test(arguments: [false, true])
    func noCallEndsLate(isSecure: Bool) async throws {
        let (server, proxy, tls) = try await setUp(isSecure: isSecure)
        let client = RedisClient(port: proxy.port) {
            $0.tls = tls
            $0.commandTimeout = .milliseconds(100)
        }
        #expect(await eventually { (try? await client.connect()) != nil })
        proxy.faults = Fault.everythingVanishes.faults
        let end = ContinuousClock.now + .seconds(10)
        let timers = Task { try await Self.latenessOfTimers() }
        let latest = await withTaskGroup(of: Duration.self) { group in
            for task in 0..<20 {
                group.addTask {
                    var latest = Duration.zero
                    while proxy.acceptedCount == 1, ContinuousClock.now < end {
                        let timeout = Duration.milliseconds(30 + 5 * task)
                        let start = ContinuousClock.now
                        _ = try? await client.execute(RESPCommand("INCR", "a"), timeout: timeout)
                        latest = max(latest, ContinuousClock.now - start - timeout)
                    }
                    return latest
                }
            }
            return await group.reduce(.zero, max)
        }
        timers.cancel()
        // TLS waits for a second.
        #expect(try await latest < timers.value + .milliseconds(500))
        #expect(proxy.acceptedCount > 1)
        await client.close()
        try await proxy.stop()
        withExtendedLifetime(server) {}
    }

    /// How late timers were that waited for nothing else, at most, when it was cancelled: machines are busy.
    private static func latenessOfTimers() async throws -> Duration {
        try await withThrowingTaskGroup(of: Duration.self) { group in
            for eventLoop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
                group.addTask {
                    var latest = Duration.zero
                    while !Task.isCancelled {
                        let start = ContinuousClock.now
                        try await eventLoop.scheduleTask(in: .milliseconds(30)) {}.futureResult.get()
                        latest = max(latest, ContinuousClock.now - start - .milliseconds(30))
                    }
                    return latest
                }
            }
            return try await group.reduce(.zero, max)
        }
    }

    /// - Returns: how many replies were wrong, or errors of a kind that cannot come of this.
    private static func call(_ client: RedisClient, _ task: Int) async -> Int {
        var wrong = 0
        for round in 0..<4 {
            let text = "\(task) \(round)"
            let timeout = Duration.milliseconds(10 + 7 * ((task + round) % 20))
            do {
                let command = RESPCommand("ECHO", text)
                if round.isMultiple(of: 2) {
                    let reply = try await client.execute(command, timeout: timeout)
                    if reply.string != text { wrong += 1 }
                } else {
                    let replies = try await client.execute(pipeline: [command, command], timeout: timeout)
                    if replies.map(\.string) != [text, text] { wrong += 1 }
                }
            } catch let error as RedisClientError {
                if ![.timedOut, .connectionLost, .connectFailed].contains(error.code) { wrong += 1 }
            } catch {
                wrong += 1
            }
        }
        return wrong
    }

    @Test(arguments: [Fault.repliesVanish, .everythingVanishes, .cut])
    func aLeasedConnectionEndsToo(fault: Fault) async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port)
        let error = try await clientError {
            try await client.withConnection { connection in
                try await connection.execute(RESPCommand("PING"))
                proxy.faults = fault.faults
                if fault == .cut { proxy.cut() }
                try await connection.execute(RESPCommand("GET", "a"), timeout: .milliseconds(100))
            }
        }
        #expect(error?.code == (fault == .cut ? .connectionLost : .timedOut))
    }
}
