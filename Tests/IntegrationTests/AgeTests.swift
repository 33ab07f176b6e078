import RESP
import RedisClient
import TestSupport
import Testing

extension OverProcesses {
    /// C6 over processes: a value's age is the fleet's, not a node's.
    @Suite("Age")
    struct AgeTests {
        @Test("C6: a value is gone from every node when it is gone from the store, whenever the node has read it")
        func end() async throws {
            let fleet = try await ServiceFleet(nodes: 3, policy: "ttl: 6s")
            let redis = RedisClient.patient(port: fleet.redis.port)
            #expect(try await fleet.nodes[0].version() == 1)
            fleet.source.version = 2
            #expect(try await fleet.nodes[1].version() == 1)
            let isAged = try await eventually {
                try await redis.execute(RESPCommand("PTTL", "value")).integer ?? 0 < 3000
            }
            #expect(isAged)
            _ = try await fleet.nodes[2].version()
            let isGone = try await eventually { try await redis.execute(RESPCommand("EXISTS", "value")).integer == 0 }
            #expect(isGone)
            for node in fleet.nodes { #expect(try await node.version() == 2) }
            #expect(fleet.source.loads == 2)
        }

        @Test("C6: the age that a node tells counts from the load on another; maxAge asks for less, on any")
        func age() async throws {
            let fleet = try await ServiceFleet(nodes: 2)
            let (a, b) = (fleet.nodes[0], fleet.nodes[1])
            #expect(try await a.version() == 1)
            let isAged = try await eventually { try await Int(a.ask()["Age"] ?? "") ?? 0 >= 2 }
            #expect(isAged)
            let copy = try await b.ask()
            #expect(copy["Cache-Status"]?.hasPrefix("freshet; hit") == true)
            #expect(Int(copy["Age"] ?? "") ?? 0 >= 1)
            fleet.source.version = 2
            #expect(try await b.version("?maxAge=3600") == 1)
            #expect(try await b.version("?maxAge=0") == 2)
            let hasHeard = try await eventually { try await a.version() == 2 }
            #expect(hasHeard)
            #expect(fleet.source.loads == 2)
        }
    }
}
