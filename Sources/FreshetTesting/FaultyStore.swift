public import Freshet
import NIOConcurrencyHelpers
public import NIOCore

/// A store whose operations fail, hang or dawdle on command, for tests of what an application does then.
///
/// ```swift
/// let store = FaultyStore(MemoryStore())
/// store.inject(.hang, into: [.get])
/// // … every `get` hangs now …
/// store.recover()
/// ```
public final class FaultyStore: CacheStore {
    /// What goes wrong with a call.
    public enum Fault: Sendable {
        /// Throws instead of doing what was asked.
        case fail(any Error)
        /// Does what was asked and throws all the same, as a connection does that breaks before the answer.
        case failAfterwards(any Error)
        /// Does not answer, heedless of cancellation. When the store recovers, it does what was asked after all.
        case hang
        /// Does what was asked this much later.
        case delay(Duration)
        /// Does what was asked, and answers this much later.
        case delayAfterwards(Duration)
    }

    private struct State {
        var faults: [StoreOperation: Fault] = [:]
        var calls: [StoreOperation: Int] = [:]
        var hanging: [UnsafeContinuation<Void, Never>] = []
    }

    private let base: any CacheStore
    private let spawner: any Spawner
    private let state = NIOLockedValueBox(State())

    /// - Parameter spawner: whose clock `delay` goes by.
    public init(_ base: any CacheStore, spawner: any Spawner = SystemSpawner()) {
        self.base = base
        self.spawner = spawner
    }

    /// Puts a fault into operations, all if none is named, in place of any they had.
    public func inject(_ fault: Fault, into operations: [StoreOperation] = StoreOperation.allCases) {
        state.withLockedValue { state in
            for operation in operations { state.faults[operation] = fault }
        }
    }

    /// Takes all faults out, and lets those go on that hang.
    public func recover() {
        let hanging = state.withLockedValue { state in
            state.faults = [:]
            defer { state.hanging = [] }
            return state.hanging
        }
        for continuation in hanging { continuation.resume() }
    }

    /// How often an operation has been called.
    public func calls(of operation: StoreOperation) -> Int { state.withLockedValue { $0.calls[operation] ?? 0 } }

    /// How many calls hang now.
    public var hangingCalls: Int { state.withLockedValue { $0.hanging.count } }

    private func call<Value>(_ operation: StoreOperation, _ body: () async throws -> Value) async throws -> Value {
        let fault = state.withLockedValue { state in
            state.calls[operation, default: 0] += 1
            return state.faults[operation]
        }
        switch fault {
        case nil:
            return try await body()
        case .fail(let error):
            throw error
        case .failAfterwards(let error):
            _ = try await body()
            throw error
        case .hang:
            await withUnsafeContinuation { continuation in
                let isHanging = state.withLockedValue { state in
                    guard case .hang = state.faults[operation] else { return false }
                    state.hanging.append(continuation)
                    return true
                }
                if !isHanging { continuation.resume() }
            }
            return try await body()
        case .delay(let time):
            try await spawner.sleep(for: time)
            return try await body()
        case .delayAfterwards(let time):
            let value = try await body()
            try await spawner.sleep(for: time)
            return value
        }
    }
}

extension FaultyStore {
    public func ping() async throws { try await call(.ping) { try await base.ping() } }

    public func get(_ key: String) async throws -> ByteBuffer? { try await call(.get) { try await base.get(key) } }

    public func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        try await call(.mget) { try await base.mget(keys) }
    }

    public func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        try await call(.set) { try await base.set(key, value, options: options) }
    }

    public func del(_ keys: [String]) async throws -> Int { try await call(.del) { try await base.del(keys) } }

    public func exists(_ keys: [String]) async throws -> Int { try await call(.exists) { try await base.exists(keys) } }

    public func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        try await call(.incr) { try await base.incr(key, by: amount) }
    }

    public func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await call(.expire) { try await base.expire(key, after: time) }
    }

    public func ttl(_ key: String) async throws -> TimeToLive { try await call(.ttl) { try await base.ttl(key) } }

    public func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try await call(.hget) { try await base.hget(key, field) }
    }

    public func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        try await call(.hset) { try await base.hset(key, fields) }
    }

    public func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        try await call(.hgetall) { try await base.hgetall(key) }
    }

    public func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        try await call(.hdel) { try await base.hdel(key, fields) }
    }
}

extension FaultyStore {
    public func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        try await call(.read) { try await base.readEntry(key, request) }
    }

    public func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] {
        try await call(.check) { try await base.checkEntries(keys) }
    }

    public func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        try await call(.lease) { try await base.leaseEntry(key, request) }
    }

    public func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        try await call(.fill) { try await base.fillEntry(key, lease, with: fill) }
    }

    @discardableResult
    public func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        try await call(.fail) { try await base.failEntry(key, lease, with: failure) }
    }

    public func releaseEntry(_ key: String, token: String) async throws {
        try await call(.release) { try await base.releaseEntry(key, token: token) }
    }

    public func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await call(.invalidate) { try await base.invalidateEntry(key, invalidation) }
    }
}
