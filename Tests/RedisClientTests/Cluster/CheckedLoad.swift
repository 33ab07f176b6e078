import Foundation
import NIOConcurrencyHelpers
import RESP
import RedisClient
import TestSupport

/// Tasks that write and read keys of their own and check every answer: a value says which key it was written to, and
/// how many writes came before it.
final class CheckedLoad: Sendable {
    struct Outcome: Sendable {
        /// Commands with an answer, all of them checked.
        var commands = 0
        /// Answers that belong to another command, and values of another key.
        var wrong: [String] = []
        /// Values older than the last write that was confirmed.
        var lost = 0
        var failures: [String] = []
    }

    private let client: RedisClient
    private let outcome = NIOLockedValueBox(Outcome())
    private let isStopped = NIOLockedValueBox(false)
    /// How often each task has begun anew.
    private let rounds = NIOLockedValueBox<[String: Int]>([:])
    private static let keysPerTask = 40

    init(_ client: RedisClient) {
        self.client = client
    }

    var commands: Int { outcome.withLockedValue { $0.commands } }

    /// Whether every task is done with what it did when this was called; `false` if that takes long.
    func comesRound() async -> Bool {
        let before = rounds.withLockedValue { $0 }
        return await eventually(within: .seconds(60)) {
            self.rounds.withLockedValue { now in before.allSatisfy { now[$0.key] != $0.value } }
        }
    }

    func stop() {
        isStopped.withLockedValue { $0 = true }
    }

    /// Runs until it is stopped or its task is cancelled.
    func run(tasks: Int, keyPrefix: String) async -> Outcome {
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<tasks { group.addTask { await self.work("\(keyPrefix):\(task)") } }
        }
        return outcome.withLockedValue { $0 }
    }

    private func work(_ name: String) async {
        var confirmed = [Int](repeating: 0, count: Self.keysPerTask)
        var round = 0
        // A test that ends early cancels it.
        while !Task.isCancelled, !isStopped.withLockedValue({ $0 }) {
            round += 1
            rounds.withLockedValue { $0[name] = round }
            var result = Outcome()
            do {
                if round.isMultiple(of: 3) {
                    try await pipeline(name, round, &confirmed, &result)
                } else {
                    try await single(name, round, &confirmed, &result)
                }
            } catch {
                result.failures.append("\(error)")
            }
            outcome.withLockedValue { [result] in
                $0.commands += result.commands
                $0.wrong += result.wrong
                $0.lost += result.lost
                $0.failures += result.failures
            }
        }
    }

    private func single(_ name: String, _ round: Int, _ confirmed: inout [Int], _ result: inout Outcome) async throws {
        let index = round % Self.keysPerTask
        let key = "\(name):\(index)"
        try await checkSet(client.execute(RESPCommand("SET", key, "\(key)=\(round)")), &result)
        confirmed[index] = round
        check(try await client.execute(RESPCommand("GET", key)), key, confirmed[index], &result)
    }

    private func pipeline(
        _ name: String,
        _ round: Int,
        _ confirmed: inout [Int],
        _ result: inout Outcome
    ) async throws {
        let keys = (0..<Self.keysPerTask).map { "\(name):\($0)" }
        let sets = keys.map { RESPCommand("SET", $0, "\($0)=\(round)") }
        for reply in try await client.execute(pipeline: sets + [RESPCommand("ECHO", name)]).dropLast() {
            try checkSet(reply, &result)
        }
        confirmed = confirmed.map { _ in round }
        let gets = keys.map { RESPCommand("GET", $0) } + [RESPCommand("MGET", arguments: keys)]
        let replies = try await client.execute(pipeline: gets)
        for (key, reply) in zip(keys, replies) { check(try reply.get(), key, round, &result) }
        for (key, reply) in zip(keys, try replies[keys.count].get().array ?? []) { check(reply, key, round, &result) }
    }

    private func checkSet(_ reply: RESPValue, _ result: inout Outcome) throws {
        result.commands += 1
        if try reply.get() != .simpleString("OK") { result.wrong.append("SET was answered \(reply)") }
    }

    private func check(_ reply: RESPValue, _ key: String, _ round: Int, _ result: inout Outcome) {
        result.commands += 1
        if reply.isNull {
            result.lost += 1
            return
        }
        let parts = (reply.string ?? "").split(separator: "=")
        guard parts.count == 2, parts[0] == key, let found = Int(parts[1]), found <= round else {
            return result.wrong.append("\(key) after \(round) is \(reply)")
        }
        if found < round { result.lost += 1 }
    }
}
