import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Scripts may answer with any error; servers refuse them with some of the same.
@Suite(.serialized) struct ScriptErrorTests {
    private let script = "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])"

    @Test func whatAScriptMakesUpIsItsAnswer() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) { $0.commandTimeout = .seconds(20) }
        let stranger = try await ScriptedServer.start { _ in "+mine\r\n" }
        var runs = 0
        for error in [
            "MOVED 12182 127.0.0.1:\(stranger.port)", "ASK 12182 127.0.0.1:\(stranger.port)", "TRYAGAIN later",
            "CLUSTERDOWN made up", "LOADING made up", "MASTERDOWN made up", "READONLY made up",
        ] {
            let command = RESPCommand("EVAL", script, 1, "foo", error)
            let thrown = await #expect(throws: RESPError.self) { try await client.execute(command) }
            #expect(thrown?.text == error)
            let commands = [RESPCommand("SET", "other", error), command, RESPCommand("GET", "foo")]
            let replies = try await client.execute(pipeline: commands)
            #expect(replies[1].error?.text == error)
            let leased = try await client.withConnection(for: ["foo"]) { try await $0.execute(pipeline: [command]) }
            #expect(leased[0].error?.text == error)
            runs += 3
            #expect(replies[2].string == "\(runs - 1)")
        }
        #expect(try await client.execute(RESPCommand("GET", "foo")).string == "\(runs)")
        #expect(stranger.acceptedCount == 0)
        await client.close()
        try await stranger.stop()
    }

    @Test func aScriptFollowsItsSlot() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) {
            $0.topologyInterval = .seconds(3600)
            $0.commandTimeout = .seconds(60)
        }
        let sum = "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])"
        @Sendable func run(_ keys: [String]) -> RESPCommand {
            var command = RESPCommand("EVAL", sum, 2)
            command.append(contentsOf: keys)
            return command
        }
        let keys = ["{foo}a", "{foo}b"]
        #expect(try await client.execute(run(keys)).integer == 2)
        let migration = try SlotMigration(
            of: 12_182,
            from: cluster.servers[2],
            to: cluster.servers[1],
            among: cluster.servers
        )
        try migration.move(keys[0])
        // One key is here, the other there.
        let waiting = Task { try await client.execute(run(keys)).integer }
        #expect(try await eventually { try migration.from.errors("TRYAGAIN") > 3 })
        try migration.move(keys[1])
        #expect(try await waiting.value == 4)
        // Both are there, though the slot is not.
        #expect(try await client.execute(pipeline: [run(keys), run(keys)]).map(\.integer) == [6, 8])
        try migration.end()
        #expect(try await client.execute(run(keys)).integer == 10)
        await client.close()
    }
}
