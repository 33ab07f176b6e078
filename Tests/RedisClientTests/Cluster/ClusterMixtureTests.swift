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
        for number in 0..<3 { try await client.execute(RESPCommand("SET", "string:\(number)", 1), timeout: patient) }
        let disturbing = Task { try await Self.disturb(cluster, mixture, seed: seed) }
        let tallies = await mixture.crowd(of: 3, steps: 400, seed: seed) {
            try await client.execute($0, timeout: $1)
        } pipeline: {
            try await client.execute(pipeline: $0, timeout: $1)
        } transaction: {
            try await client.execute(transaction: $0, timeout: $1)
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
    private static func disturb(_ cluster: RedisCluster, _ mixture: Mixture, seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var moves = ["list:0", "queue:1", "list:2", "{both:0}", "{both:1}", "queue:0"]
        while !Task.isCancelled {
            let goal = mixture.steps + Int.random(in: 20...150, using: &random)
            _ = await eventually(within: .seconds(1)) { Task.isCancelled || mixture.steps >= goal }
            for server in cluster.servers { server.resume() }
            guard let server = cluster.servers.randomElement(using: &random) else { return }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: try server.command("CLIENT KILL TYPE normal")
            case 1: server.pause()
            case 2:
                guard let key = moves.popLast() else { break }
                // Some may take the one that stood still for lost yet.
                #expect(await eventually { cluster.servers.allSatisfy(\.isServing) })
                try await ClusterChangeTests.move(HashSlot.of(.string(key)), in: cluster, hop: moves.count)
            default: break
            }
        }
        for server in cluster.servers { server.resume() }
    }
}
