import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport
import Testing
import UpstashClient

/// Everything that a client does, by many at once, over a path that breaks in many ways, to our own endpoint.
@Suite(.serialized) struct MixtureTests {
    @Test(
        "nobody gets the answer of another, nothing is run twice, nothing is said not to have run that did",
        arguments: Seeds.drawn(unlessTold: 1)
    )
    func everythingAtOnce(seed: UInt64) async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(upstreamPort: try await Endpoint.serve(server.url))
        let client = try Endpoint.client(port: proxy.port) {
            $0.commandTimeout = .seconds(1)
            $0.retryBackoff = .milliseconds(1)...Duration.milliseconds(20)
            $0.subscriptionIdleTimeout = .seconds(2)
        }
        var own = RedisClient.Configuration(host: "127.0.0.1", port: server.port)
        own.commandTimeout = .seconds(20)
        own.connectTimeout = .seconds(20)
        let other = RedisClient(own)
        for number in 0..<3 { try await other.set("string:\(number)", to: 1) }

        let mixture = Mixture { error in
            guard let error = error as? UpstashError else { return false }
            return [.timedOut, .cancelled, .connectionLost, .connectFailed, .serverFailed].contains(error.code)
        }
        let heard = NIOLockedValueBox(-1)
        let listening = Task { await mixture.listen(to: "news", of: client, heard) }
        let publishing = Task {
            await mixture.publish(to: "news") { try await other.execute($0) }
        }
        #expect(await eventually { heard.withLockedValue { $0 } >= 0 })
        let disturbing = Task { await mixture.disturb(proxy, server, seed: seed) }
        let tallies = await mixture.crowd(of: 3, steps: 150, seed: seed) {
            try await client.execute($0, timeout: $1)
        } pipeline: {
            try await client.execute(pipeline: $0, timeout: $1)
        } transaction: {
            try await client.transaction($0, timeout: $1)
        }
        disturbing.cancel()
        await disturbing.value

        for (key, tally) in tallies {
            mixture.check(tally, of: key, try await other.execute(RESPCommand("LRANGE", key, 0, -1)))
        }
        let before = heard.withLockedValue { $0 }
        #expect(await eventually { heard.withLockedValue { $0 } > before })
        publishing.cancel()
        await publishing.value
        listening.cancel()
        await listening.value
        await client.close()
        await other.close()
        try await proxy.stop()
        #expect(mixture.breaches == [])
        let kinds: Set = ["append", "pipeline", "transaction"]
        #expect(kinds.isSubset(of: mixture.answers.keys), "\(mixture.answers)")
    }
}
