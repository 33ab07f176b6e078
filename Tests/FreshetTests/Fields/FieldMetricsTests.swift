import CoreMetrics
import MetricsTestKit
import Testing

@testable import Freshet

@Suite struct FieldMetricsTests {
    @Test("each end of a load counts as itself, and one that was given up as none")
    func loads() throws {
        let factory = TestMetrics()
        let metrics = FieldMetrics(field: "agents", factory)
        let ends: [(FieldEvent.LoadEnd, String?)] = [
            (.changed, "changed"), (.unchanged, "unchanged"), (.absent, "absent"), (.uncacheable, "uncacheable"),
            (.failed(.sourceFailed, nil), "failed"), (.refused(.overtaken), "refused"), (.cancelled, nil),
        ]
        for (end, _) in ends { metrics.count(end) }
        metrics.loadSeconds.recordNanoseconds(1)
        #expect(try factory.expectTimer("freshet_load_seconds", [("field", "agents")]).values == [1])
        for outcome in ends.compactMap(\.1) {
            let dimensions = [("field", "agents"), ("outcome", outcome)]
            #expect(try factory.expectCounter("freshet_loads_total", dimensions).totalValue == 1, "\(outcome)")
        }
    }
}
