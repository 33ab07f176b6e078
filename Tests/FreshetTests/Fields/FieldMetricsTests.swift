import CoreMetrics
import MetricsTestKit
import TestSupport
import Testing

@testable import Freshet

@Suite struct FieldMetricsTests {
    private func field(
        _ factory: TestMetrics,
        load: @escaping @Sendable () throws -> LoadResult<Payload>
    ) -> AnyField {
        AnyField(
            name: "agents",
            key: "agents_list",
            policy: FieldPolicy(ttl: .seconds(60)),
            decode: { _, _ in throw CacheError(.invalidValue, "none") },
            load: { _ in try load() },
            metrics: factory
        )
    }

    @Test("a read that finds out from the source that there is no value is a miss; one that knows it is a hit")
    func absence() async throws {
        let factory = TestMetrics()
        let field = self.field(factory) { .absent }
        let node = try await Fleet().node()
        func counts() throws -> [Int64] {
            try ["miss", "hit"].map {
                try factory.expectCounter("freshet_reads_total", [("field", "agents"), ("status", $0)]).totalValue
            }
        }
        _ = await errorOf { try await node.read(field) }
        #expect(try counts() == [1, 0])
        _ = await errorOf { try await node.read(field) }
        #expect(try counts() == [1, 1])
        _ = await errorOf { try await node.refresh(field) }
        #expect(try counts() == [2, 1])
    }

    @Test("a read that fails is an error, and so is a forced refresh")
    func errors() async throws {
        let factory = TestMetrics()
        let field = self.field(factory) { throw CacheError(.sourceFailed, "no") }
        let node = try await Fleet().node()
        let errors = try factory.expectCounter("freshet_reads_total", [("field", "agents"), ("status", "error")])
        _ = await errorOf { try await node.read(field) }
        #expect(errors.totalValue == 1)
        _ = await errorOf { try await node.refresh(field) }
        #expect(errors.totalValue == 2)
    }

    @Test("each end of a load counts as itself, and one that was given up as none")
    func loads() throws {
        let factory = TestMetrics()
        let metrics = FieldMetrics(field: "agents", factory)
        let ends: [(FieldEvent.LoadEnd, String?)] = [
            (.changed, "changed"), (.unchanged, "unchanged"), (.absent, "absent"), (.uncacheable, "uncacheable"),
            (.failed(.sourceFailed, nil), "failed"), (.refused(.overtaken), "refused"), (.notBegun, nil),
            (.cancelled, nil),
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
