import BoundedCache
import MetricsTestKit
import Testing

@testable import Freshet

@Suite struct L1MetricsTests {
    @Test func gaugesAndCountersByCause() throws {
        let factory = TestMetrics()
        let metrics = L1Metrics(factory)
        metrics.set(entries: 3, bytes: 900)
        metrics.count(.expired)
        metrics.count(.expired)
        metrics.count(.capacity)
        #expect(try factory.expectMeter("freshet_l1_entries").lastValue == 3)
        #expect(try factory.expectMeter("freshet_l1_bytes").lastValue == 900)
        let evictions = "freshet_l1_evictions_total"
        #expect(try factory.expectCounter(evictions, [("cause", "expired")]).totalValue == 2)
        #expect(try factory.expectCounter(evictions, [("cause", "capacity")]).totalValue == 1)
    }
}
