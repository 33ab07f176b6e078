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
        let other = RedisClient(.init(host: "127.0.0.1", port: server.port))
        for worker in 0..<3 { try await other.set("string:\(worker)", to: 1) }

        let mixture = Mixture { error in
            guard let error = error as? UpstashError else { return false }
            return [.timedOut, .cancelled, .connectionLost, .connectFailed, .serverFailed].contains(error.code)
        }
        let heard = NIOLockedValueBox(-1)
        let listening = Task { await mixture.listen(to: "news", of: client, heard) }
        let publishing = Task {
            await mixture.publish(to: "news") { try await other.execute($0, timeout: .seconds(20)) }
        }
        let disturbing = Task { await mixture.disturb(proxy, server, seed: seed) }
        let counts = await withTaskGroup(of: (String, ClosedRange<Int>)?.self) { group in
            for worker in 0..<3 {
                let seed = seed << 8 + UInt64(worker)
                for key in ["count:\(worker)", "counter:\(worker)"] {
                    group.addTask {
                        let range = await mixture.count(on: key, steps: 150, seed: seed) {
                            try await client.execute($0, timeout: $1)
                        }
                        return (key, range)
                    }
                }
                group.addTask {
                    await mixture.pipelines(of: "string:\(worker)", steps: 60, seed: seed) {
                        try await client.execute(pipeline: $0, timeout: $1)
                    }
                    return nil
                }
                group.addTask {
                    await mixture.transactions(on: "both:\(worker)", steps: 60, seed: seed) {
                        try await client.transaction($0, timeout: $1)
                    }
                    return nil
                }
            }
            return await group.reduce(into: [String: ClosedRange<Int>]()) {
                if let (key, range) = $1 { $0[key] = range }
            }
        }
        disturbing.cancel()
        await disturbing.value

        for (key, range) in counts {
            let count = try await other.execute(RESPCommand("GET", key)).integer ?? 0
            if !range.contains(count) { mixture.breach("\(key) is \(count), not in \(range)") }
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
        let kinds: Set = ["count", "pipeline", "transaction"]
        #expect(kinds.isSubset(of: mixture.answers.keys), "\(mixture.answers)")
    }
}
