import NIOConcurrencyHelpers
import NIOHTTP1
import RESP
import RedisClient
import TestSupport
import Testing

extension OverProcesses {
    /// C8 and C10 over processes: the store goes, a node goes, readers go on.
    @Suite("Outages")
    struct OutageTests {
        @Test(
            "C8, C10: redis is killed under traffic and comes back empty: every read is answered, and a removal is made up for"
        )
        func store() async throws {
            let fleet = try await ServiceFleet(nodes: 2, storeTimeout: "500ms")
            let (a, b) = (fleet.nodes[0], fleet.nodes[1])
            let isOver = NIOLockedValueBox(false)
            let readers = fleet.nodes.flatMap { node in
                (0..<4).map { _ in
                    Task {
                        var count = 0
                        while !isOver.withLockedValue({ $0 }) {
                            let answer = try await node.ask()
                            #expect(answer.status == 200, "\(answer.body)")
                            count += 1
                        }
                        return count
                    }
                }
            }
            for node in fleet.nodes { #expect(try await node.version() == 1) }
            await fleet.redis.stop()
            fleet.source.version = 2
            #expect(try await a.ask(.DELETE).status == 202)
            #expect(try await a.version() == 2, "at once on the node itself")
            #expect(try await eventually { try await a.readiness.contains("degraded") })
            fleet.source.version = 3
            try await fleet.redis.restart()
            let redis = RedisClient.patient(port: fleet.redis.port)
            let isReplayed = try await eventually {
                try await redis.execute(RESPCommand("EXISTS", "{value}:meta")).integer == 1
            }
            #expect(isReplayed)
            for node in fleet.nodes {
                #expect(try await eventually { try await node.version() ?? 0 > 1 })
                #expect(try await eventually { try await node.readiness.contains("ready") })
            }
            let isOne = try await eventually {
                let stored = try await redis.execute(RESPCommand("GET", "value")).string
                let (here, there) = (try await a.ask(), try await b.ask())
                return here.body == stored && there.body == stored
            }
            #expect(isOne, "both nodes serve what the store holds")
            isOver.withLockedValue { $0 = true }
            for reader in readers { #expect(try await reader.value > 0) }
            #expect(await fleet.stop() == [0, 0])
        }

        @Test(
            "C8: a removal that was queued reaches a store that answers again when the node is told to stop, or soon after",
            arguments: [true, false]
        )
        func stoppedWithRemoval(isBackBefore: Bool) async throws {
            let fleet = try await ServiceFleet(nodes: 1, storeTimeout: "500ms")
            let node = fleet.nodes[0]
            #expect(try await node.version() == 1)
            #expect(try fleet.redis.command("EXISTS value").contains(":1"))
            fleet.redis.pause()
            #expect(try await node.ask(.DELETE).status == 202)
            #expect(try await node.readiness.contains("degraded"))
            if isBackBefore { fleet.redis.resume() }
            node.process.terminate()
            if !isBackBefore {
                #expect(await eventually { (try? await node.readiness)?.contains("degraded") != true })
                fleet.redis.resume()
            }
            #expect(await node.process.exitCode() == 0)
            #expect(try fleet.redis.command("EXISTS value").contains(":0"))
            #expect(!node.process.standardError.contains("lost"))
        }

        @Test("a node that is told to stop under traffic answers what it was asked, and the others go on")
        func node() async throws {
            // Every read is a load, now and then: requests are under way when the node is told to stop.
            let fleet = try await ServiceFleet(nodes: 2, policy: "ttl: 5ms")
            let isOver = NIOLockedValueBox(false)
            let workers = (0..<16).map { number in
                Task {
                    // Of all its requests: those answered, and how often it had to go elsewhere.
                    var (answered, moves) = (0, 0)
                    var target = number % 2
                    while !isOver.withLockedValue({ $0 }) {
                        guard let connection = try? await WireConnection.open(port: fleet.nodes[target].port) else {
                            target = 1 - target
                            moves += 1
                            continue
                        }
                        while !isOver.withLockedValue({ $0 }) {
                            let outcome = try await connection.ask(.GET, ServiceFleet.Node.path)
                            if case .closed = outcome { break }
                            #expect(outcome.status == 200, "\(outcome)")
                            answered += 1
                        }
                    }
                    return (answered, moves)
                }
            }
            #expect(await eventually { fleet.source.loads > 20 })
            fleet.nodes[0].process.terminate()
            #expect(await fleet.nodes[0].process.exitCode() == 0)
            let loads = fleet.source.loads
            #expect(await eventually { fleet.source.loads > loads + 20 })
            isOver.withLockedValue { $0 = true }
            var moves = 0
            for worker in workers {
                let result = try await worker.value
                #expect(result.0 > 0)
                moves += result.1
            }
            #expect(moves >= 8, "those of the node that stopped went to the other")
        }
    }
}
