import NIOConcurrencyHelpers
import RESP
import Testing

@testable import RedisClient

/// Nodes that say what real ones say only for moments, or only in networks of their own.
@Suite struct ScriptedClusterTests {
    private static func node(_ host: String, _ port: Int, ip: String? = nil) -> String {
        let more = ip.map { "*2\r\n$2\r\nip\r\n$\($0.count)\r\n\($0)\r\n" } ?? "*0\r\n"
        return "*4\r\n$\(host.count)\r\n\(host)\r\n:\(port)\r\n$2\r\nid\r\n" + more
    }

    private static func slots(_ nodes: String...) -> String {
        "*1\r\n*\(nodes.count + 2)\r\n:0\r\n:16383\r\n" + nodes.joined()
    }

    private func client(_ port: Int, reads: RedisClient.Cluster.Reads = .primaries) -> RedisClient {
        RedisClient(port: port) { configuration in
            var cluster = RedisClient.Cluster(seeds: [configuration.address])
            cluster.reads = reads
            configuration.topology = .cluster(cluster)
            configuration.topologyInterval = .seconds(3600)
        }
    }

    @Test func nodesWithoutANameAreFoundByTheirAddress() async throws {
        // Both have the same port, as nodes in containers do.
        let port = NIOLockedValueBox(0)
        let owner = NIOLockedValueBox("127.0.0.1")
        @Sendable func answer(_ command: [String], from own: String) -> String {
            let (port, owner) = (port.withLockedValue { $0 }, owner.withLockedValue { $0 })
            if command.first == "CLUSTER" { return Self.slots(Self.node("?", port, ip: owner)) }
            return own == owner ? "+\(own)\r\n" : "-MOVED 1 ?:\(port)\r\n"
        }
        let first = try await ScriptedServer.start { answer($0, from: "127.0.0.1") }
        port.withLockedValue { $0 = first.port }
        let second = try await ScriptedServer.start(host: "127.0.0.2", port: first.port) {
            answer($0, from: "127.0.0.2")
        }
        let client = client(first.port)
        for host in ["127.0.0.1", "127.0.0.2", "127.0.0.1"] {
            owner.withLockedValue { $0 = host }
            #expect(try await client.execute(RESPCommand("GET", "a")).string == host)
        }
        await client.close()
        for server in [first, second] { try await server.stop() }
    }

    @Test(arguments: ["LOADING Redis is loading", "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN x"])
    func aReplicaThatCannotAnswerIsSpared(refusal: String) async throws {
        let (looks, refusals) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let replica = try await ScriptedServer.start { command in
            if command.first == "READONLY" { return "+OK\r\n" }
            refusals.withLockedValue { $0 += 1 }
            return "-\(refusal)\r\n"
        }
        let port = NIOLockedValueBox(0)
        let primary = try await ScriptedServer.start { command in
            switch command.first {
            case "READONLY": return "+OK\r\n"
            case "CLUSTER":
                looks.withLockedValue { $0 += 1 }
                let own = port.withLockedValue { $0 }
                return Self.slots(Self.node("127.0.0.1", own), Self.node("127.0.0.1", replica.port))
            default: return "+primary\r\n"
            }
        }
        port.withLockedValue { $0 = primary.port }
        let client = client(primary.port, reads: .replicas)
        let start = ContinuousClock.now
        for _ in 0..<50 { #expect(try await client.execute(RESPCommand("GET", "a")).string == "primary") }
        let replies = try await client.execute(pipeline: [RESPCommand("GET", "a"), RESPCommand("GET", "b")])
        #expect(replies.map(\.string) == ["primary", "primary"])
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect((1...(1 + Int(seconds) * 2)).contains(refusals.withLockedValue { $0 }))
        #expect(looks.withLockedValue { $0 } == 1)
        await client.close()
        for server in [primary, replica] { try await server.stop() }
    }
}
