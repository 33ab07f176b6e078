import Freshet
import FreshetTesting
import Testing

@Suite("Durations")
struct DurationTests {
    @Test("the longest are cut, and refused where they make no sense")
    func longest() throws {
        #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).clampedNanoseconds == .min)
        #expect((Duration.seconds(Int64.max) * 10).clampedNanoseconds == .max)
        #expect(Duration.nanoseconds(Int64.min + 1).clampedNanoseconds == .min + 1)
        #expect(Duration.milliseconds(-1500).clampedNanoseconds == -1_500_000_000)
        #expect(MonotonicInstant(nanoseconds: 5) + .seconds(Int64.max) == .distantFuture)

        var policy = FieldPolicy(ttl: .seconds(Int64.max))
        policy.errorBackoff = .seconds(Int64.max)
        policy.idleAfter = .milliseconds(1)
        let error = #expect(throws: CacheError.self) {
            try FieldCatalog([Field<Int>("agents", policy: policy) { _ in .absent }])
        }
        for problem in ["ttl must be at most", "errorBackoff must be at most", "idleAfter must be zero or"] {
            #expect(error?.message.contains(problem) == true)
        }
    }

    @Test("what is held may be believed for ever")
    func recheck() async throws {
        let fleet = Fleet(source: .counting)
        let node = try await fleet.node(l1Recheck: .seconds(Int64.max))
        _ = try await node.value(of: fleet.field)
        await fleet.spawner.advance(by: .seconds(59))
        #expect(try await node.read(fleet.field).tier == .l1)
    }
}
