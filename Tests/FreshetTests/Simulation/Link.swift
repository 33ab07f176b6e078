import NIOConcurrencyHelpers
import NIOCore

@testable import Freshet

/// One node's connection to the store. What is sent arrives in its order, late; a connection that breaks may lose
/// commands on their way, replies on theirs, or deliver either once the next one is there.
final class Link: CacheStore {
    enum Condition: Sendable, Equatable {
        case good
        /// Nobody can be reached.
        case down
        /// Nothing comes back, or goes out, for as long as it lasts.
        case hanging
        /// Reads are answered, writes are refused.
        case readOnly
        /// Everything takes up to this long.
        case slow(Duration)
    }

    private struct State {
        var condition = Condition.good
        /// Names the connection.
        var number = 0
        /// When the last command sent on it arrives.
        var lastArrival = MonotonicInstant.distantPast
        var hanging: [UnsafeContinuation<Void, Never>] = []
    }

    private let server: Server
    private let spawner: any Spawner
    private let chance: Chance
    private let state = NIOLockedValueBox(State())

    init(to server: Server, on spawner: any Spawner) {
        self.server = server
        self.spawner = spawner
        chance = Chance(spawner)
    }

    /// The connection breaks, and the next one is as told.
    func become(_ condition: Condition) {
        let hanging = state.withLockedValue { state in
            state.condition = condition
            state.number += 1
            state.lastArrival = .distantPast
            defer { state.hanging = [] }
            return state.hanging
        }
        for continuation in hanging { continuation.resume() }
    }

    private static let refusal = CacheError(.storeRejected, "the store takes no writes")
    private static let away = CacheError(.storeUnavailable, "the store is away")

    private func call<Value: Sendable>(
        isWrite: Bool = true,
        _ body: @escaping @Sendable (Server) async throws -> Value
    ) async throws -> Value {
        let (number, condition) = state.withLockedValue { ($0.number, $0.condition) }
        if condition == .down { throw Self.away }
        return try await spawner.outliving { [self] in
            await arrive(condition)
            // What was on its way when the connection broke is lost more often than not.
            if isBroken(number), chance.percent(60) { throw Self.away }
            if isWrite, condition == .readOnly { throw Self.refusal }
            let result: Result<Value, any Error>
            do { result = .success(try await body(server)) } catch { result = .failure(error) }
            if case .slow(let longest) = condition {
                try? await spawner.sleep(for: chance.time(upTo: longest))
            } else {
                try? await spawner.sleep(for: chance.time(upTo: .milliseconds(2)))
            }
            if isBroken(number) { throw Self.away }
            return try result.get()
        }.get()
    }

    private func isBroken(_ number: Int) -> Bool { state.withLockedValue { $0.number != number } }

    private func arrive(_ condition: Condition) async {
        if condition == .hanging {
            await withUnsafeContinuation { continuation in
                let isHanging = state.withLockedValue { state in
                    if state.condition == .hanging { state.hanging.append(continuation) }
                    return state.condition == .hanging
                }
                if !isHanging { continuation.resume() }
            }
            // It may arrive long after.
            try? await spawner.sleep(for: chance.time(upTo: .seconds(1)))
            return
        }
        var latency = chance.time(upTo: .milliseconds(3))
        if case .slow(let longest) = condition { latency = chance.time(upTo: longest) }
        let arrival = state.withLockedValue { state in
            state.lastArrival = max(state.lastArrival + .nanoseconds(1), spawner.now() + latency)
            return state.lastArrival
        }
        try? await spawner.sleep(until: arrival)
    }
}

extension Link {
    func ping() async throws { try await call(isWrite: false) { _ in } }
    func get(_ key: String) async throws -> ByteBuffer? {
        try await call(isWrite: false) { try await $0.store.get(key) }
    }
    func mget(_ keys: [String]) async throws -> [ByteBuffer?] {
        try await call(isWrite: false) { try await $0.store.mget(keys) }
    }

    func set(_ key: String, _ value: ByteBuffer, options: CacheOptions) async throws -> Bool {
        try await call { try await $0.store.set(key, value, options: options) }
    }

    func del(_ keys: [String]) async throws -> Int { try await call { try await $0.store.del(keys) } }
    func exists(_ keys: [String]) async throws -> Int {
        try await call(isWrite: false) { try await $0.store.exists(keys) }
    }

    func incr(_ key: String, by amount: Int64) async throws -> Int64 {
        try await call { try await $0.store.incr(key, by: amount) }
    }

    func expire(_ key: String, after time: Duration) async throws -> Bool {
        try await call { try await $0.store.expire(key, after: time) }
    }

    func ttl(_ key: String) async throws -> TimeToLive {
        try await call(isWrite: false) { try await $0.store.ttl(key) }
    }

    func hget(_ key: String, _ field: String) async throws -> ByteBuffer? {
        try await call(isWrite: false) { try await $0.store.hget(key, field) }
    }

    func hset(_ key: String, _ fields: [String: ByteBuffer]) async throws -> Int {
        try await call { try await $0.store.hset(key, fields) }
    }

    func hgetall(_ key: String) async throws -> [String: ByteBuffer] {
        try await call(isWrite: false) { try await $0.store.hgetall(key) }
    }

    func hdel(_ key: String, _ fields: [String]) async throws -> Int {
        try await call { try await $0.store.hdel(key, fields) }
    }
}

extension Link {
    func readEntry(_ key: String, _ request: EntryRead) async throws -> EntrySnapshot {
        try await call(isWrite: false) { try await $0.store.readEntry(key, request) }
    }

    func checkEntries(_ keys: [String]) async throws -> [EntryRead.Known?] {
        try await call(isWrite: false) { try await $0.store.checkEntries(keys) }
    }

    func leaseEntry(_ key: String, _ request: LeaseRequest) async throws -> LeaseOutcome {
        try await call { try await $0.lease(key, request) }
    }

    func fillEntry(_ key: String, _ lease: Lease, with fill: EntryFill) async throws -> FillOutcome {
        try await call { try await $0.fill(key, lease, fill) }
    }

    func failEntry(_ key: String, _ lease: Lease, with failure: EntryFailure) async throws -> Bool {
        try await call { try await $0.store.failEntry(key, lease, with: failure) }
    }

    func releaseEntry(_ key: String, token: String) async throws {
        try await call { try await $0.store.releaseEntry(key, token: token) }
    }

    func invalidateEntry(_ key: String, _ invalidation: Invalidation) async throws {
        try await call { try await $0.invalidate(key, invalidation) }
    }
}
