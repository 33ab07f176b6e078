import Foundation
import NIOConcurrencyHelpers
import RESP
import TestSupport
import Testing

@testable import RedisClient

/// Everything that a client does, by many at once, over a path that breaks in many ways: nobody gets the reply of
/// another, nothing is run twice, nothing is said not to have run that did, and a copy of keys is right in the end.
@Suite(.serialized) struct MixtureTests {
    @Test(arguments: Seeds.drawn(unlessTold: 2)) func everythingAtOnce(seed: UInt64) async throws {
        let certificates = seed.isMultiple(of: 2) ? try await TestCertificates() : nil
        let server = try await RedisServer.start(certificates: certificates)
        let proxy = try await FaultProxy.start(upstreamPort: server.tlsPort ?? server.port)
        let authority = try certificates.map { try String(contentsOfFile: $0.authority, encoding: .utf8) }
        let client = RedisClient(port: proxy.port) {
            $0.tls = authority.map { RedisClient.TLS(trust: .pem($0)) }
            $0.clientSideCaching = true
            $0.commandTimeout = .milliseconds(300)
            $0.connectTimeout = .seconds(2)
            $0.keepAliveInterval = .milliseconds(300)
            $0.reconnectBackoff = .milliseconds(1)...Duration.milliseconds(20)
        }
        let other = RedisClient(server)
        let stable = Set((0..<100).map { "stable:\($0)" })
        for key in stable { try await other.set(key, to: 1) }
        for number in 0..<3 { try await other.set("string:\(number)", to: 1) }

        let mixture = Mixture { error in
            guard let error = error as? RedisClientError else { return false }
            return [.timedOut, .cancelled, .connectionLost, .connectFailed].contains(error.code)
        }
        let copy = KeyCopy()
        let heard = NIOLockedValueBox(-1)
        let invalidations = client.invalidations
        let following = Task { await copy.follow(invalidations) }
        let listening = Task { await mixture.listen(to: "news", of: client, heard) }
        let publishing = Task { await mixture.publish(to: "news") { try await other.execute($0) } }
        #expect(await eventually { heard.withLockedValue { $0 } >= 0 })
        let disturbing = Task { await mixture.disturb(proxy, server, seed: seed) }
        async let others: Void = withTaskGroup { group in
            for number in 0..<3 {
                group.addTask { await Self.take(from: "jobs:\(number)", client, other, mixture) }
                group.addTask { await Self.read(copy, client, other, mixture, seed: seed + UInt64(number)) }
            }
            group.addTask { await Self.scan(for: stable, client, mixture) }
            group.addTask {
                await mixture.pipelines(of: "string:0", steps: 60, seed: seed) { pipeline, _ in
                    try await client.tracked.execute(pipeline: pipeline)
                }
            }
            group.addTask {
                await mixture.transactions(on: "watched", steps: 30, seed: seed, watches: true) { commands, _ in
                    try await Self.watching("watched", client, commands, mixture)
                }
            }
        }
        let tallies = await mixture.crowd(of: 3, steps: 200, seed: seed) {
            try await client.execute($0, timeout: $1)
        } pipeline: {
            try await client.execute(pipeline: $0, timeout: $1)
        } transaction: {
            try await client.execute(transaction: $0, timeout: $1)
        }
        await others
        disturbing.cancel()
        await disturbing.value

        for (key, tally) in tallies {
            mixture.check(tally, of: key, try await other.execute(RESPCommand("LRANGE", key, 0, -1)))
        }
        // What takes its time may have come to nothing so far.
        await Self.take(from: "jobs:3", client, other, mixture)
        await Self.scan(for: stable, client, mixture)
        // On a path that is well, copies stay.
        let (reads, before) = (Mixture { ($0 as? RedisClientError)?.isTimeout == true }, heard.withLockedValue { $0 })
        #expect(
            await eventually {
                await Self.read(copy, client, other, reads, seed: seed)
                return copy.values.count > 20
            }
        )
        #expect(
            try await eventually {
                for (key, value) in copy.values {
                    if try await other.execute(RESPCommand("GET", key)).string != value { return false }
                }
                return true
            }
        )
        #expect(await eventually { heard.withLockedValue { $0 } > before })
        publishing.cancel()
        await publishing.value
        listening.cancel()
        await listening.value
        await client.close()
        await following.value
        await other.close()
        try await proxy.stop()
        #expect(mixture.breaches + reads.breaches == [])
        let kinds: Set = ["append", "pipeline", "transaction", "take", "read", "scan"]
        #expect(kinds.isSubset(of: mixture.answers.keys), "\(mixture.answers)")
    }

    /// A transaction whose halves are the same before, too.
    private static func watching(
        _ name: String,
        _ client: RedisClient,
        _ commands: [RESPCommand],
        _ mixture: Mixture
    ) async throws -> [RESPValue] {
        let keys = ["{\(name)}:left", "{\(name)}:right"]
        return try await client.withTransaction(watching: keys) { connection in
            let halves = try await connection.execute(RESPCommand("MGET", arguments: keys)).array ?? []
            if halves.count != 2 || halves[0].string != halves[1].string { mixture.breach("halves: \(halves)") }
            return commands
        } ?? []
    }

    /// Takes what another client puts into a list: each once, in order.
    private static func take(from list: String, _ client: RedisClient, _ other: RedisClient, _ mixture: Mixture) async {
        var last = -1
        for step in 0..<15 {
            async let isPut = (try? other.execute(RESPCommand("RPUSH", list, step))) != nil
            await mixture.attempt("take") {
                let taken = try await client.withConnection { connection in
                    try await connection.execute(RESPCommand("BLPOP", list, "0.05"), timeout: .milliseconds(400))
                }
                if taken.isNull { return }
                guard taken.array?.first?.string == list, let number = taken.array?.last?.integer, number > last else {
                    return mixture.breach("\(list): \(taken) after \(last)")
                }
                last = number
            }
            if await !isPut { mixture.breach("\(list): nothing was put in") }
        }
    }

    /// Reads keys into a copy, while another client changes them.
    private static func read(
        _ copy: KeyCopy,
        _ client: RedisClient,
        _ other: RedisClient,
        _ mixture: Mixture,
        seed: UInt64
    ) async {
        for step in 0..<200 {
            let key = "read:\((step * 7 + Int(seed % 30)) % 30)"
            if step.isMultiple(of: 5) {
                if (try? await other.set(key, to: step)) == nil { mixture.breach("\(key) was not changed") }
            }
            await mixture.attempt("read") { try await copy.read(key, from: client) }
        }
    }

    /// Finds at least the keys that are there all the time.
    private static func scan(for keys: Set<String>, _ client: RedisClient, _ mixture: Mixture) async {
        for _ in 0..<15 {
            await mixture.attempt("scan") {
                var found: Set<String> = []
                for try await key in client.scan(matching: "stable:*") { found.insert(key.string ?? "") }
                if found != keys { mixture.breach("scan: \(found)") }
            }
        }
    }
}
