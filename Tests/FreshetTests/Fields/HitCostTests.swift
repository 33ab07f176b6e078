import Freshet
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// Counts how often one of its kind was encoded and decoded; for one test.
private struct Counted: Codable, Sendable, Equatable {
    struct Counts: Equatable {
        var encoded = 0
        var decoded = 0
    }

    static let counts = NIOLockedValueBox(Counts())

    var number: Int

    init(number: Int) { self.number = number }

    init(from decoder: any Decoder) throws {
        Self.counts.withLockedValue { $0.decoded += 1 }
        number = try decoder.singleValueContainer().decode(Int.self)
    }

    func encode(to encoder: any Encoder) throws {
        Self.counts.withLockedValue { $0.encoded += 1 }
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}

@Suite("The cost of a hit")
struct HitCostTests {
    @Test("a load encodes once, a read from the store decodes once, a hit in this process does neither")
    func coding() async throws {
        let spawner = TestSpawner()
        let store = MemoryStore(spawner: spawner)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let field = Field("counted", ttl: .seconds(60)) { Counted(number: 7) }
        func node() async throws -> FieldCache {
            let cache = CacheService(store: store, spawner: spawner, logger: logger)
            try await cache.initialize()
            return FieldCache(cache: cache, catalog: try FieldCatalog([field]), spawner: spawner, logger: logger)
        }
        func hit(_ node: FieldCache) async throws {
            for _ in 0..<10 {
                #expect(try await node.value(of: field) == Counted(number: 7))
                let read = try await node.read(field)
                #expect((read.value.number, read.status, read.tier) == (7, .hit, .l1))
                let bytes = try await node.read(field.erased).bytes
                #expect(String(buffer: bytes) == "7")
                let held = node.cached(field.erased)
                #expect(held.map { String(buffer: $0.bytes) } == "7")
            }
        }
        let (first, second) = (try await node(), try await node())
        #expect(try await first.read(field).status == .loaded)
        let loaded = Counted.counts.withLockedValue { $0 }
        #expect(loaded == .init(encoded: 1, decoded: 0))
        try await hit(first)
        #expect(Counted.counts.withLockedValue { $0 } == loaded)
        #expect(try await second.read(field).tier == .l2)
        #expect(Counted.counts.withLockedValue { $0 } == .init(encoded: 1, decoded: 1))
        try await hit(second)
        #expect(Counted.counts.withLockedValue { $0 } == .init(encoded: 1, decoded: 1))
    }
}
