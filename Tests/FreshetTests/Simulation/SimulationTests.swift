import Foundation
import Testing

@Suite("Simulation", .timeLimit(.minutes(10)))
struct SimulationTests {
    /// `FRESHET_SEED` is the first seed, `FRESHET_SEEDS` how many there are. A seed decides the same again with
    /// `SWIFT_DETERMINISTIC_HASHING=1`.
    @Test("C1 to C6 hold whatever a seed decides")
    func contract() async throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["FRESHET_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["FRESHET_SEEDS"].flatMap { UInt64($0) } ?? 20
        for seed in (0..<count).map({ first &+ $0 }) {
            do {
                try await World(seed: seed).run(for: .seconds(60))
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }
}
