import NIOHTTP1
import RESP
import RedisClient
import TestSupport
import Testing

extension OverProcesses {
    /// C1 against programs that know nothing of Freshet: they read and write the plain value.
    @Suite("A foreign program")
    struct ForeignProgramTests {
        private let theirs = "{\"version\":900}"

        /// What it wrote tells nobody; L1 finds it within ten times `recheck`.
        private static let recheck = "100ms"

        @Test("C1: what it has set before the first read is served, and costs no load")
        func before() async throws {
            let fleet = try await ServiceFleet(nodes: 2, recheck: Self.recheck)
            let redis = RedisClient.patient(port: fleet.redis.port)
            try await redis.execute(RESPCommand("SET", "value", theirs))
            for node in fleet.nodes { #expect(try await node.version() == 900) }
            try await redis.execute(RESPCommand("DEL", "value"))
            for node in fleet.nodes { #expect(try await eventually { try await node.version() == 1 }) }
            #expect(fleet.source.loads == 1)
        }

        @Test("C1: what it sets during a load is not overwritten by it, on whatever node")
        func during() async throws {
            let fleet = try await ServiceFleet(nodes: 2, recheck: Self.recheck)
            let redis = RedisClient.patient(port: fleet.redis.port)
            fleet.source.isBlocked = true
            let early = Task { try await fleet.nodes[0].ask() }
            #expect(await eventually { fleet.source.loads == 1 })
            try await redis.execute(RESPCommand("SET", "value", theirs))
            #expect(try await fleet.nodes[1].version() == 900)
            fleet.source.release()
            let overtaken = try await early.value
            #expect((overtaken.version, overtaken["Cache-Status"]) == (1, "freshet; fwd=miss"))
            for node in fleet.nodes { #expect(try await node.version() == 900) }
            #expect(try await redis.execute(RESPCommand("GET", "value")).string == theirs)
            #expect(fleet.source.loads == 1)
        }

        @Test("C1: what it deletes during a load does not come back by it", arguments: [true, false])
        func deletedDuring(readElsewhere: Bool) async throws {
            let fleet = try await ServiceFleet(nodes: 2, recheck: Self.recheck)
            let redis = RedisClient.patient(port: fleet.redis.port)
            #expect(try await fleet.nodes[0].version() == 1)
            fleet.source.isBlocked = true
            let early = Task { try await fleet.nodes[0].ask(.GET, "?maxAge=0") }
            #expect(await eventually { fleet.source.loads == 2 })
            fleet.source.version = 2
            try await redis.execute(RESPCommand("DEL", "value"))
            let late = readElsewhere ? Task { try await fleet.nodes[1].ask() } : nil
            if readElsewhere { #expect(await eventually { fleet.source.loads == 3 }) }
            fleet.source.release()
            let overtaken = try await early.value
            #expect((overtaken.version, overtaken["Cache-Status"]) == (1, "freshet; fwd=miss"))
            if let late { #expect(try await late.value.version == 2) }
            for node in fleet.nodes { #expect(try await eventually { try await node.version() == 2 }) }
            #expect(fleet.source.loads == 3)
        }

        @Test("C1: what it sets or deletes after a load is noticed within L1's trust")
        func after() async throws {
            let fleet = try await ServiceFleet(nodes: 2, recheck: Self.recheck)
            let redis = RedisClient.patient(port: fleet.redis.port)
            for node in fleet.nodes { #expect(try await node.version() == 1) }
            try await redis.execute(RESPCommand("SET", "value", theirs))
            for node in fleet.nodes { #expect(try await eventually { try await node.version() == 900 }) }
            fleet.source.version = 2
            try await redis.execute(RESPCommand("DEL", "value"))
            for node in fleet.nodes { #expect(try await eventually { try await node.version() == 2 }) }
            #expect(fleet.source.loads == 2)
        }
    }
}
