import Foundation
import Freshet
import FreshetRedis
import FreshetTesting
import RESP
import TestSupport
import Testing

/// Memory and Redis answer the same to the same operations: random walks, repeatable by their seed.
@Suite struct StoreModelTests {
    /// More of them, for a soak: FRESHET_MODEL_SEEDS=1000.
    static let seeds = 0..<(ProcessInfo.processInfo.environment["FRESHET_MODEL_SEEDS"].flatMap { UInt64($0) } ?? 12)

    @Test(arguments: seeds)
    func memoryAndRedisAgree(_ seed: UInt64) async throws {
        let executor = try await RedisFixture.shared.executor(seed.isMultiple(of: 2) ? .resp3 : .resp2)
        let spawner = TestSpawner(seed: seed)
        var memory = StoreWalker(MemoryStore(spawner: spawner), beginning: spawner.wallTime())
        var redis = StoreWalker(RedisStore(executor), beginning: SystemSpawner().wallTime())
        var generator = StoreOperationGenerator(random: SplitMix64(seed: seed))
        var history: [String] = []
        for _ in 0..<250 {
            let key = "walk-\(seed)-\(generator.pick(["a", "b", "c"]))"
            let memoryKnown = memory.known[key]
            let operation = generator.next(leases: memory.leases[key]?.count ?? 0, known: memoryKnown)
            let expected = await memory.run(operation, on: key)
            let actual = await redis.run(operation.knowing(redis.known[key]), on: key)
            history.append("\(key) \(operation)\n    memory \(expected)\n    redis  \(actual)")
            guard expected == actual else {
                Issue.record("seed \(seed):\n\(history.suffix(12).joined(separator: "\n"))")
                return
            }
            if operation.setsShortTime {
                // Longer than the margin of a script's clock.
                try await Task.sleep(for: .milliseconds(16))
                await spawner.advance(by: .milliseconds(16))
            }
        }
    }
}

extension StoreOperation {
    /// The same read by somebody who holds what this store told.
    fileprivate func knowing(_ known: EntryRead.Known?) -> StoreOperation {
        guard case .read(_?, let freshFor, let staleFor) = self else { return self }
        return .read(known, freshFor: freshFor, staleFor: staleFor)
    }
}
