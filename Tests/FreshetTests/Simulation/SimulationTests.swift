import TestSupport
import Testing

@Suite("Simulation", .timeLimit(.minutes(10)))
struct SimulationTests {
    /// A seed decides the same again with `SWIFT_DETERMINISTIC_HASHING=1`.
    @Test("C1 to C6 hold whatever a seed decides")
    func contract() async throws {
        for seed in Seeds.drawn(unlessTold: 20) {
            do {
                try await World(seed: seed).run(for: .seconds(60))
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }
}
