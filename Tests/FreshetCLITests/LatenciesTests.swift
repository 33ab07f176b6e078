import Testing

@testable import FreshetCLI

@Suite struct LatenciesTests {
    @Test("latencies take no more room the longer they are, and none is left out")
    func size() {
        var latencies = Latencies()
        let footprint = latencies.footprint
        for latency in [Duration.milliseconds(1), .milliseconds(40), .seconds(3), .seconds(100_000), .zero] {
            latencies.record(latency)
        }
        #expect(latencies.count == 5)
        #expect(latencies.footprint == footprint && footprint < 32_000)
        #expect((39.6...40.4).contains(latencies.quantile(60)))
        #expect((3_564_000...3_636_000).contains(latencies.max))
        latencies.add(latencies)
        #expect(latencies.count == 10)
    }
}
