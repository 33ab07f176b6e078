import Freshet
import NIOConcurrencyHelpers

/// The store that all nodes share, which tells them of changes as its scripts do.
final class Server: ForwardingStore {
    private let store: MemoryStore
    private let subscribers = NIOLockedValueBox<[Channel]>([])

    init(_ spawner: any Spawner) { store = MemoryStore(spawner: spawner) }

    func subscribe(_ channel: Channel) { subscribers.withLockedValue { $0.append(channel) } }

    func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        try await body(store)
    }

    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await store.invalidateEntry(key, invalidation)
        await publish(key, .invalidated(invalidation))
    }

    func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        let outcome = try await store.leaseEntry(key, request)
        if case .force(let invalidation, _) = request.purpose, case .granted = outcome {
            await publish(key, .invalidated(invalidation))
        }
        return outcome
    }

    func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        let outcome = try await store.fillEntry(key, lease, with: fill)
        if case .stored = outcome { await publish(key, .filled) }
        return outcome
    }

    private func publish(_ key: String, _ change: BackplaneEvent.Change) async {
        guard let generation = try? await store.readEntry(key, EntryRead(freshFor: .seconds(1))).generation else {
            return
        }
        for channel in subscribers.withLockedValue({ $0 }) { channel.send(.changed(key: key, change, generation)) }
    }
}
