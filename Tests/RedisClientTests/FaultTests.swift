import NIOCore
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

    @Test(arguments: Fault.allCases)
    func everyCallEnds(fault: Fault) async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: server.port)
        let client = RedisClient(port: proxy.port) {
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
            await eventually(within: .seconds(30)) {
                (try? await client.execute(RESPCommand("ECHO", "well")))?.string == "well"
            }
        )
        await client.close()
        try await proxy.stop()
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
        await client.close()
        try await proxy.stop()
    }
}
