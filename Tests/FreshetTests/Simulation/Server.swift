import NIOConcurrencyHelpers

@testable import Freshet

/// The store that all nodes share, which tells them of changes as its scripts do, and of what others write as servers do
/// that track clients.
final class Server: ForwardingStore {
    /// The node that calls; nil: another program.
    @TaskLocal static var caller: Channel?

    private let store: MemoryStore
    private let subscribers = NIOLockedValueBox<[Channel]>([])
    /// Those who have read the key since it was last written.
    private let watchers = NIOLockedValueBox<[Channel]>([])

    private let history: History

    init(_ spawner: any Spawner, _ history: History) {
        store = MemoryStore(spawner: spawner)
        self.history = history
    }

    /// What it would start again from.
    func snapshot() -> [String: MemoryStoreRecord] {
        let keys = [World.key, World.otherKey]
        return Dictionary(uniqueKeysWithValues: keys.map { ($0, store.record($0, at: store.spawner.now())) })
    }

    /// It starts again, and lacks what came after a snapshot.
    func restart(from snapshot: [String: MemoryStoreRecord]) {
        watchers.withLockedValue { $0 = [] }
        for (key, saved) in snapshot { try? store.update(key) { record, _ in record = saved } }
    }

    func subscribe(_ channel: Channel) { subscribers.withLockedValue { $0.append(channel) } }

    func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        let value = try await body(store)
        if operation == .set || operation == .del { tellWritten(World.key) }
        return value
    }

    func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        defer { watch(key) }
        return try await store.readEntry(key, request)
    }

    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await store.invalidateEntry(key, invalidation)
        if invalidation == .remove { tellWritten(key) }
        await publish(key, .invalidated(invalidation))
    }

    func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        let outcome = try await store.leaseEntry(key, request)
        defer { watch(key) }
        if case .force(let invalidation, _) = request.purpose, case .granted = outcome {
            if key == World.key, let caller = Self.caller { history.noteLeave(of: caller.node) }
            if invalidation == .remove { tellWritten(key) }
            await publish(key, .invalidated(invalidation))
        }
        return outcome
    }

    func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        let outcome = try await store.fillEntry(key, lease, with: fill)
        if case .stored = outcome {
            tellWritten(key)
            await publish(key, .filled(under: lease.mark))
        }
        watch(key)
        return outcome
    }

    func dropEntry(_ key: String, _ lease: Lease) async throws -> Bool {
        let isDropped = try await store.dropEntry(key, lease)
        if isDropped {
            tellWritten(key)
            await publish(key, .invalidated(.remove))
        }
        return isDropped
    }

    private func watch(_ key: String) {
        guard key == World.key, let caller = Self.caller else { return }
        watchers.withLockedValue { watchers in
            if !watchers.contains(where: { $0 === caller }) { watchers.append(caller) }
        }
    }

    /// Tells each but who wrote, and once.
    private func tellWritten(_ key: String) {
        guard key == World.key else { return }
        let told = watchers.withLockedValue { watchers in
            defer { watchers = [] }
            return watchers
        }
        for channel in told where channel !== Self.caller { channel.send(.written(key: key)) }
    }

    private func publish(_ key: String, _ change: BackplaneEvent.Change) async {
        guard let generation = try? await store.readEntry(key, EntryRead(freshFor: .seconds(1))).generation else {
            return
        }
        for channel in subscribers.withLockedValue({ $0 }) { channel.send(.changed(key: key, change, generation)) }
    }
}
