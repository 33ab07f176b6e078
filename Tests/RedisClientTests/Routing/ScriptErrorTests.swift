import NIOConcurrencyHelpers
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
        let keyless = RESPCommand("EVAL", "return redis.error_reply('LOADING made up')", 0)
        #expect(await #expect(throws: RESPError.self) { try await client.execute(keyless) }?.text == "LOADING made up")
        // In the server's own words it may be over, and is believed once.
        let forged = "READONLY You can't write against a read only replica."
        let command = RESPCommand("EVAL", script, 1, "foo", forged)
        #expect(await #expect(throws: RESPError.self) { try await client.execute(command) }?.text == forged)
        #expect(try await client.execute(pipeline: [command])[0].error?.text == forged)
        runs += 4
        #expect(try await client.execute(RESPCommand("GET", "foo")).string == "\(runs)")
        #expect(stranger.acceptedCount == 0)
    }

    @Test func norIsItBelievedWhereTransactionsAreNotAllowed() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        for server in cluster.servers { try server.command("ACL SETUSER app on >pw ~* +@all -multi") }
        let client = RedisClient(cluster: cluster) {
            $0.username = "app"
            $0.password = "pw"
            $0.commandTimeout = .seconds(20)
        }
        let stranger = try await ScriptedServer.start { _ in "+mine\r\n" }
        let error = "MOVED 12182 127.0.0.1:\(stranger.port)"
        let transaction = [
            RESPCommand("MULTI"), RESPCommand("EVAL", script, 1, "foo", error), RESPCommand("EXEC"),
        ]
        let replies = try await client.execute(pipeline: transaction)
        #expect(replies[0].error?.code == .noPermission && replies[1].error?.text == error)
        #expect(try await client.execute(RESPCommand("GET", "foo")).string == "1")
        #expect(stranger.acceptedCount == 0)
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
        // A lease has the map looked at again.
        let leased = RedisClient(cluster: cluster) {
            $0.topologyInterval = .seconds(3600)
            $0.commandTimeout = .seconds(60)
        }
        try await leased.connect()
        try migration.end()
        #expect(
            await eventually {
                (try? await leased.withConnection(for: keys) { try await $0.execute(run(keys)) })?.integer == 10
            }
        )
        #expect(try await client.execute(run(keys)).integer == 12)
    }

    /// Whatever happens between the script and the question.
    @Test func callersDoNotNoticeThatASlotMoves() async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) { $0.commandTimeout = .seconds(60) }
        let (failures, calls) = (NIOLockedValueBox<[String]>([]), NIOLockedValueBox(0))
        // Nothing stays that would have to be moved.
        let script = "redis.call('SET', KEYS[1], 1) return redis.call('DEL', KEYS[1])"
        let callers = (0..<8).map { caller in
            Task {
                while !Task.isCancelled {
                    let command = RESPCommand("EVAL", script, 1, "{foo}\(caller)")
                    do {
                        let replies =
                            caller.isMultiple(of: 2)
                            ? [try await client.execute(command)] : try await client.execute(pipeline: [command])
                        if replies[0].integer != 1 { failures.withLockedValue { $0.append("\(replies)") } }
                    } catch {
                        if !Task.isCancelled { failures.withLockedValue { $0.append("\(error)") } }
                    }
                    calls.withLockedValue { $0 += 1 }
                }
            }
        }
        func callsGoOn() async -> Bool {
            let before = calls.withLockedValue { $0 }
            return await eventually { calls.withLockedValue { $0 } > before + 50 }
        }
        for hop in 0..<20 {
            let (from, to) = (cluster.servers[2 - hop % 2], cluster.servers[1 + hop % 2])
            let migration = try SlotMigration(of: 12_182, from: from, to: to, among: cluster.servers)
            #expect(await callsGoOn())
            try migration.end()
            #expect(await callsGoOn())
        }
        for caller in callers { caller.cancel() }
        for caller in callers { await caller.value }
        #expect(failures.withLockedValue { $0 } == [])
    }

    private static let known = RedisClient.Configuration.Address.hostname("h", port: 1)

    @Test(arguments: [
        ("MOVED 7 h:1", "MOVED 7 h:1" as String?, ScriptError.Verdict.refused(RESPError("MOVED 7 h:1"))),
        ("ASK 7 x:1", "MOVED 7 h:1", .refused(RESPError("MOVED 7 h:1"))),
        // Between the script and the question the node may have got the slot; a stranger is not asked.
        ("MOVED 7 h:1", nil, .doubtful), ("MOVED 7 x:1", nil, .madeUp), ("ASK 7 x:1", "NOPERM EXISTS", .madeUp),
        // The script may have removed the key that the server looks for elsewhere now.
        ("TRYAGAIN later", "ASK 7 h:1", .doubtful), ("TRYAGAIN later", nil, .madeUp),
        ("LOADING Redis is loading the dataset in memory", nil, .doubtful),
    ])
    func whoSaidIt(error: String, answer: String?, verdict: ScriptError.Verdict) {
        let script = RESPCommand("EVAL", "s", 1, "k")
        let question = ScriptError(RESPError(error), to: script, isAsking: false, mayBeReplica: false)
        #expect(question.question.command == RESPCommand("EXISTS", "k"))
        let given = question.verdict(answer.map { .error(RESPError($0)) } ?? .integer(1)) { error in
            FollowUp(error, from: .hostname("own", port: 1))
        } isKnown: { address in
            address == Self.known
        }
        #expect(given == verdict)
    }

    @Test(arguments: [
        ("MOVED 7 h:1", true), ("CLUSTERDOWN The cluster is down and only accepts read commands", false),
    ])
    func whatIsNotWrittenIsAskedAsIfItWere(text: String, mayBeReplica: Bool) {
        func question(to script: String) -> RESPCommand {
            let script = RESPCommand(script, "f", 1, "k")
            let error = ScriptError(RESPError(text), to: script, isAsking: false, mayBeReplica: mayBeReplica)
            return error.question.command
        }
        #expect(question(to: "FCALL") == RESPCommand("SETRANGE", "k", 0, ""))
        #expect(question(to: "FCALL_RO") == RESPCommand("EXISTS", "k"))
    }
}
