import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Many callers at once, some impatient, while slots move, nodes stand still and connections are cut.
@Suite(.serialized) struct ClusterMixtureTests {
    @Test(arguments: Seeds.drawn(unlessTold: 1)) func nothingIsRunTwice(seed: UInt64) async throws {
        let cluster = try await RedisCluster.start(replicas: 0)
        let client = RedisClient(cluster: cluster) {
            $0.commandTimeout = .milliseconds(500)
            $0.connectTimeout = .seconds(2)
            $0.keepAliveInterval = .milliseconds(300)
            $0.reconnectBackoff = .milliseconds(1)...Duration.milliseconds(20)
        }
        let mixture = Mixture { error in
            // Where there is no time to follow, what the server said is the answer.
            if let error = error as? RESPError { return [.ask, .clusterDown, .moved, .tryAgain].contains(error.code) }
            guard let error = error as? RedisClientError else { return false }
            return [.timedOut, .cancelled, .connectionLost, .connectFailed].contains(error.code)
        }
        // On a busy machine, too.
        let patient = Duration.seconds(30)
        for worker in 0..<3 { try await client.execute(RESPCommand("SET", "string:\(worker)", 1), timeout: patient) }
        let disturbing = Task { try await Self.disturb(cluster, mixture) }
        let tallies = await withTaskGroup(of: (String, Mixture.Tally)?.self) { group in
            for worker in 0..<3 {
                let seed = seed << 8 + UInt64(worker)
                for key in ["list:\(worker)", "queue:\(worker)"] {
                    group.addTask {
                        let tally = await mixture.append(to: key, steps: 400, seed: seed) {
                            try await client.execute($0, timeout: $1)
                        }
                        return (key, tally)
                    }
                }
                group.addTask {
                    await mixture.pipelines(of: "string:\(worker)", steps: 150, seed: seed) {
                        try await client.execute(pipeline: $0, timeout: $1)
                    }
                    return nil
                }
                group.addTask {
                    await mixture.transactions(on: "both:\(worker)", steps: 150, seed: seed) {
                        try await client.execute(transaction: $0, timeout: $1)
                    }
                    return nil
                }
            }
            return await group.reduce(into: [String: Mixture.Tally]()) {
                if let (key, tally) = $1 { $0[key] = tally }
            }
        }
        disturbing.cancel()
        try await disturbing.value
        for (key, tally) in tallies {
            let list = RESPCommand("LRANGE", key, 0, -1)
            mixture.check(tally, of: key, try await client.execute(list, timeout: patient))
        }
        await client.close()
        #expect(mixture.breaches == [])
        let kinds: Set = ["append", "pipeline", "transaction"]
        #expect(kinds.isSubset(of: mixture.answers.keys), "\(mixture.answers)")
    }

    /// Does one thing after the other until its task is cancelled. Each slot moves once: whoever follows a redirection
    /// when it has come back makes a second key beside the one that is to be moved.
    private static func disturb(_ cluster: RedisCluster, _ mixture: Mixture) async throws {
        var moves = ["list:0", "queue:1", "list:2", "{both:0}", "{both:1}", "queue:0"]
        while !Task.isCancelled {
            let goal = mixture.steps + Int.random(in: 20...150)
            _ = await eventually(within: .seconds(1)) { Task.isCancelled || mixture.steps >= goal }
            for server in cluster.servers { server.resume() }
            guard let server = cluster.servers.randomElement() else { return }
            switch Int.random(in: 0..<4) {
            case 0: try server.command("CLIENT KILL TYPE normal")
            case 1: server.pause()
            case 2:
                guard let key = moves.popLast() else { break }
                try await ClusterChangeTests.move(HashSlot.of(.string(key)), in: cluster, hop: moves.count)
            default: break
            }
        }
        for server in cluster.servers { server.resume() }
    }
}
