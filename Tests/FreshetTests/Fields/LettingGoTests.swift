import Dispatch
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Freshet

/// A value that does something when it is let go of.
private final class Watched: Codable, Sendable {
    private let whenGone: (@Sendable () -> Void)?

    init(_ whenGone: @escaping @Sendable () -> Void) { self.whenGone = whenGone }

    init(from decoder: any Decoder) throws { whenGone = nil }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(repeating: "x", count: 1000))
    }

    deinit { whenGone?() }
}

/// Destructors of users' values may take long, and may ask the field cache.
@Suite("Values are let go of under no lock", .timeLimit(.minutes(1)))
struct LettingGoTests {
    private let spawner = TestSpawner()
    private let node = NIOLockedValueBox<FieldCache?>(nil)
    /// Of each value that is gone, whether other threads could use the field cache meanwhile.
    private let gone = NIOLockedValueBox<[Bool]>([])

    private func makeNode(_ fields: [Field<Watched>], l1MaxBytes: Int = 1 << 20) async throws -> FieldCache {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let cache = CacheService(store: MemoryStore(spawner: spawner), spawner: spawner, logger: logger)
        try await cache.initialize()
        var configuration = FieldCache.Configuration()
        configuration.l1MaxBytes = l1MaxBytes
        let fields = FieldCache(
            cache: cache,
            catalog: try FieldCatalog(fields),
            configuration: configuration,
            spawner: spawner,
            logger: logger
        )
        node.withLockedValue { $0 = fields }
        return fields
    }

    private func value() -> Watched {
        Watched { [node, gone] in
            let answered = DispatchSemaphore(value: 0)
            DispatchQueue.global().async {
                if let node = node.withLockedValue({ $0 }) {
                    for field in node.catalog.fields { _ = node.waiters(of: field) }
                }
                answered.signal()
            }
            let isFree = answered.wait(timeout: .now() + 5) == .success
            gone.withLockedValue { $0.append(isFree) }
        }
    }

    private func expectGone() async throws {
        try await waitUntil("the value") { !gone.withLockedValue { $0 }.isEmpty }
        #expect(gone.withLockedValue { $0 } == [true])
    }

    @Test func evicted() async throws {
        let fields = ["a", "b"].map { Field<Watched>($0, ttl: .seconds(60)) { value() } }
        let node = try await makeNode(fields, l1MaxBytes: 3000)
        for field in fields { _ = try await node.read(field.erased).age }
        try await expectGone()
    }

    @Test func removed() async throws {
        let field = Field<Watched>("a", ttl: .seconds(60)) { value() }
        let node = try await makeNode([field])
        _ = try await node.read(field.erased).age
        try await node.remove(field)
        try await expectGone()
    }

    @Test("what readers got while a load went on that was overtaken")
    func interim() async throws {
        let source = ControlledSource<Watched> { _ in .success(.value(value())) }
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.staleWhileRevalidate = .seconds(60)
        let field = Field("a", policy: policy, load: source.load)
        let node = try await makeNode([field])
        _ = try await node.read(field.erased).age
        await spawner.advance(by: .seconds(20))
        source.holdFromNowOn()
        #expect(try await node.read(field.erased).status == .stale)
        try await source.waitForLoads(2)
        try await node.remove(field)
        #expect(gone.withLockedValue { $0 }.isEmpty)
        source.end(2, .failure(SourceIsDown()))
        try await expectGone()
    }
}
