import Foundation
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// What happens to a cluster under load: slots that move, nodes that die.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ClusterChangeTests {
    /// How many commands are checked while slots move and a primary dies. A long run sets more, such as 1000000.
    private static let commands =
        ProcessInfo.processInfo.environment["FRESHET_CHECKED_COMMANDS"].flatMap { Int($0) } ?? 40_000

    @Test func movesSlotsUnderLoad() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) { $0.commandTimeout = .seconds(30) }
        let load = CheckedLoad(client)
        async let outcome = load.run(tasks: 16, keyPrefix: "move")
        var moved = 0
        while load.commands < Self.commands {
            try Task.checkCancellation()
            // One of the slots that the load writes to, from where it is to the next node.
            let slot = HashSlot.of(.string("move:\(moved % 16):\(moved % 40)"))
            try await Self.move(slot, in: cluster, hop: moved / 16)
            moved += 1
            // Whoever follows a redirection only after the slot has gone back and come again makes a second key beside
            // the one that is to be moved. No client can know; so no slot comes again that soon.
            if moved.isMultiple(of: 16) { #expect(await load.comesRound()) }
        }
        load.stop()
        let result = await outcome
        #expect(result.wrong == [])
        #expect(result.lost == 0)
        #expect(result.failures == [])
        #expect(moved > 3)
    }

    /// Moves a slot, one key at a time.
    static func move(_ slot: Int, in cluster: RedisCluster, hop: Int) async throws {
        let owner = try #require(
            cluster.servers.indices.first { index in
                (try? cluster.servers[index].command("CLUSTER COUNTKEYSINSLOT \(slot)")) != nil
                    && (try? cluster.servers[index].command("CLUSTER NODES"))?.owns(slot) == true
            }
        )
        let target = (owner + 1 + hop % 2) % cluster.servers.count
        let migration = try SlotMigration(
            of: slot,
            from: cluster.servers[owner],
            to: cluster.servers[target],
            among: cluster.servers
        )
        while true {
            let keys = try migration.from.command("CLUSTER GETKEYSINSLOT \(slot) 10").split(whereSeparator: \.isNewline)
                .filter { !$0.hasPrefix("*") && !$0.hasPrefix("$") }
            if keys.isEmpty { break }
            for key in keys { try migration.move(key) }
            await Task.yield()
        }
        try migration.end()
        // The next move is to begin from what all agree on: nodes that made changes of their own at the same time may
        // contradict each other for seconds.
        let epoch = try migration.to.command("CLUSTER NODES").epoch(of: cluster.ids[target])
        for server in cluster.servers {
            let agrees = try await eventually {
                try server.command("CLUSTER NODES").epoch(of: cluster.ids[target]) == epoch
            }
            #expect(agrees)
        }
    }

    @Test func survivesTheDeathOfAPrimaryUnderLoad() async throws {
        let cluster = try await RedisCluster.start()
        // For what has to succeed, on a busy machine too.
        let patient = Duration.seconds(30)
        // Found by a replica, so that the seed that is known is not the one that dies.
        let client = RedisClient(cluster: cluster, seed: 3) {
            $0.commandTimeout = .milliseconds(500)
            // So that nothing but the failure itself makes the client look.
            $0.topologyInterval = .seconds(3600)
        }
        let load = CheckedLoad(client)
        async let outcome = load.run(tasks: 16, keyPrefix: "die")
        #expect(await eventually { load.commands > 1000 })
        let key = try #require((0...).lazy.map { "probe-\($0)" }.first { HashSlot.of(.string($0)) < 5000 })
        try await client.execute(RESPCommand("SET", key, "before"), timeout: patient)
        // Without any other command, which would notice.
        let transacting = RedisClient(cluster: cluster, seed: 3) {
            $0.commandTimeout = .milliseconds(500)
            $0.topologyInterval = .seconds(3600)
        }
        func transact() async -> Bool {
            let commands = [RESPCommand("SET", key, "together")]
            let whole = try? await transacting.execute(transaction: commands, timeout: .milliseconds(500))
            let leased = try? await transacting.withTransaction(watching: [key]) { _ in commands }
            return whole != nil && leased != nil
        }
        #expect(await eventually { await transact() })
        await cluster.servers[0].stop()
        // The new primary is there once it says so itself, and recovery follows from that.
        #expect(await eventually { cluster.servers[3].isPrimary && cluster.servers[3].isServing })
        let start = ContinuousClock.now
        let hasRecovered = await eventually(within: .seconds(60)) {
            (try? await client.execute(RESPCommand("SET", key, "after"))) != nil
        }
        #expect(hasRecovered)
        // Far more than is measured, for busy machines.
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(await eventually(within: .seconds(10)) { await transact() })
        try await client.execute(RESPCommand("SET", key, "after"), timeout: patient)
        let recovered = load.commands
        #expect(await eventually(within: .seconds(60)) { load.commands > recovered + 1000 })
        #expect(await eventually(within: .seconds(600)) { load.commands >= Self.commands })
        load.stop()
        let result = await outcome
        #expect(result.wrong == [])
        // Calls failed while there was no primary; their number is bounded by their deadline.
        #expect(result.failures.count < 16 * 60)
        // The node that comes back is a replica, and is found.
        try await cluster.servers[0].restart()
        #expect(await eventually { !cluster.servers[0].isPrimary })
        #expect(try await client.execute(RESPCommand("GET", key), timeout: patient).string == "after")
    }
}

extension String {
    fileprivate func epoch(of id: String) -> Substring? {
        split(whereSeparator: \.isNewline).first { $0.hasPrefix(id) }?.split(separator: " ").dropFirst(6).first
    }

    /// Whether the node that said this of the cluster has a slot.
    fileprivate func owns(_ slot: Int) -> Bool {
        guard let own = split(separator: "\n").first(where: { $0.contains("myself") }) else { return false }
        return own.split(separator: " ").dropFirst(8).contains { range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last else { return false }
            return (first...last).contains(slot)
        }
    }
}
