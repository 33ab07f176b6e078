import Foundation
import FreshetTesting
import Logging
import NIOConcurrencyHelpers
import TestSupport
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

/// An error that holds what does something when it is let go of.
private struct Failed: Error {
    let watched: Watched
}

/// Destructors of users' values and errors may take long, and may ask the field cache.
@Suite("Values and errors are let go of under no lock", .timeLimit(.minutes(1)))
struct LettingGoTests {
    /// Short enough for the test to say what it waited for.
    private static let patience = DispatchTimeInterval.seconds(55)

    private let spawner = TestSpawner()
    private let node = NIOLockedValueBox<FieldCache?>(nil)
    /// Of each value and error that is gone, whether other threads could use the field cache meanwhile.
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
            Thread.detachNewThread {
                if let node = node.withLockedValue({ $0 }) {
                    for field in node.catalog.fields { _ = (node.waiters(of: field), node.tools.failure(of: field)) }
                    _ = (node.desk.waiters(of: "a"), node.cache.loads.waiters(for: "a"))
                }
                answered.signal()
            }
            let isFree = answered.wait(timeout: .now() + Self.patience) == .success
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
        try await expectGone()
        source.end(2, .failure(SourceIsDown()))
    }

    @Test("the error of a load, after that of another one, a removal or a load that succeeds", arguments: 0..<3)
    func error(next: Int) async throws {
        let source = ControlledSource<Watched> { _ in .failure(Failed(watched: value())) }
        let field = Field("a", policy: FieldPolicy(ttl: .seconds(10)), load: source.load)
        let node = try await makeNode([field])
        try await expectFailure { _ = try await node.read(field.erased) }
        await spawner.advance(by: .seconds(60))
        #expect(gone.withLockedValue { $0 }.isEmpty)
        switch next {
        case 0: try await expectFailure { _ = try await node.read(field.erased) }
        case 1: try await node.remove(field)
        default:
            source.answerFromNowOn { _ in .success(.value(Watched {})) }
            _ = try await node.read(field.erased).age
        }
        try await expectGone()
    }

    @Test("the error of a load that its caller had for itself, after that of another one")
    func errorOfLoneLoad() async throws {
        let source = ControlledSource<Watched> { _ in .failure(Failed(watched: value())) }
        let field = Field("a", policy: FieldPolicy(ttl: .seconds(10)), load: source.load)
        let node = try await makeNode([field])
        for _ in 0..<2 {
            await spawner.advance(by: .seconds(60))
            node.tools.noteUncacheable(field.erased)
            try await expectFailure { _ = try await node.read(field.erased) }
        }
        try await expectGone()
    }

    /// Not `#expect(throws:)`, which keeps the error.
    private func expectFailure(_ body: () async throws -> Void) async throws {
        do {
            try await body()
            Issue.record("it succeeded")
        } catch let error as CacheError {
            #expect(error.code == .sourceFailed)
        }
    }

    @Test("what the fetcher holds of a load that was left before its turn came", arguments: [true, false])
    func leftInQueue(isField: Bool) async throws {
        let node = try await makeNode([])
        let source = ControlledSource<Watched>()
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.minRefreshInterval = .zero
        func refresh(_ watched: Watched? = nil) -> Task<Void, any Error> {
            spawner.task { [policy] in
                if isField {
                    let field = Field<Watched>("a", policy: policy) { context in
                        defer { withExtendedLifetime(watched) {} }
                        return try await source.load(context)
                    }
                    _ = try await node.refresh(field.erased).age
                } else {
                    try await node.cache.refresh(key: "a", ttl: .seconds(10)) {
                        defer { withExtendedLifetime(watched) {} }
                        _ = try await source.load(LoadContext())
                        return 1
                    }
                }
            }
        }
        func wait(for count: Int) async throws {
            try await waitUntil("waiter \(count)") {
                node.desk.waiters(of: "a") + node.cache.loads.waiters(for: "a") == count
            }
        }
        let first = refresh()
        try await source.waitForLoads(1)
        await spawner.advance(by: .seconds(1))
        let opener = refresh(value())
        try await wait(for: 2)
        let last = refresh()
        try await wait(for: 3)
        for task in [opener, last] {
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        try await expectGone()
        source.end(1, value: Watched {})
        try await first.value
    }

    @Test("a load that a removal starts does not wait for what the removal lets go of")
    func startedFirst() async throws {
        let begun = DispatchSemaphore(value: 0)
        let inTime = NIOLockedValueBox<Bool?>(nil)
        let watched = NIOLockedValueBox<Watched?>(
            Watched { inTime.withLockedValue { $0 = begun.wait(timeout: .now() + Self.patience) == .success } }
        )
        let source = ControlledSource<Watched> { _ in
            watched.withLockedValue { value in
                defer { value = nil }
                return value.map { .failure(Failed(watched: $0)) } ?? .failure(SourceIsDown())
            }
        }
        var policy = FieldPolicy(ttl: .seconds(10))
        policy.minRefreshInterval = .zero
        let field = Field<Watched>("a", policy: policy) { context in
            if source.loads == 2 { begun.signal() }
            return try await source.load(context)
        }
        let node = try await makeNode([field])
        try await expectFailure { _ = try await node.read(field.erased) }
        source.holdFromNowOn()
        let first = spawner.task { try await node.refresh(field.erased) }
        try await source.waitForLoads(2)
        await spawner.advance(by: .seconds(1))
        let second = spawner.task { try await node.refresh(field.erased) }
        try await waitUntil("both refreshes") { node.waiters(of: field.erased) == 2 }
        #expect(inTime.withLockedValue { $0 } == nil)
        try await node.remove(field)
        #expect(inTime.withLockedValue { $0 } == true)
        try await source.waitForLoads(3)
        for number in [2, 3] { source.end(number, value: Watched {}) }
        _ = try await (first.value.age, second.value.age)
    }
}
