import Freshet
import FreshetTesting
import Testing

@Suite struct MemoryStoreContractTests {
    @Test(arguments: StoreContract.checks)
    func keeps(_ check: StoreContract.Check) async throws {
        let spawner = TestSpawner()
        let subject = StoreContract.Subject(
            { MemoryStore(spawner: spawner) },
            passTime: { await spawner.advance(by: $0) }
        )
        try await check.run(on: subject)
    }

    @Test(arguments: StoreContract.checks)
    func keepsInRealTime(_ check: StoreContract.Check) async throws {
        try await check.run(on: StoreContract.Subject { MemoryStore() })
    }

    @Test func everyCheckHasItsOwnName() {
        #expect(Set(StoreContract.checks.map(\.name)).count == StoreContract.checks.count)
    }
}
