import NIOConcurrencyHelpers

@testable import Freshet

/// One node's connection to the store. What is sent arrives in its order, late, or in any order where each command is a
/// request of its own; a connection that breaks may lose commands on their way, replies on theirs, or deliver either once
/// the next one is there.
final class Link: ForwardingStore {
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
    private let channel: Channel
    private let spawner: any Spawner
    private let chance: Chance
    private let isOrdered: Bool
    private let state = NIOLockedValueBox(State())

    init(to server: Server, beside channel: Channel, on spawner: any Spawner, isOrdered: Bool) {
        self.isOrdered = isOrdered
        self.server = server
        self.channel = channel
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

    private static let reads: Set<StoreOperation> = [
        .ping, .get, .mget, .exists, .ttl, .hget, .hgetall, .read, .check,
    ]

    func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        let (number, condition) = state.withLockedValue { ($0.number, $0.condition) }
        if condition == .down { throw Self.away }
        return try await spawner.outliving { [self] in
            await arrive(condition)
            // What was on its way when the connection broke is lost more often than not.
            if isBroken(number), chance.percent(60) { throw Self.away }
            if condition == .readOnly, !Self.reads.contains(operation) { throw Self.refusal }
            let result: Result<Value, any Error>
            do {
                result = .success(try await Server.$caller.withValue(channel) { try await body(server) })
            } catch {
                result = .failure(error)
            }
            if case .slow(let longest) = condition {
                try? await spawner.sleep(for: chance.time(upTo: longest))
            } else {
                try? await spawner.sleep(for: chance.time(upTo: .milliseconds(isOrdered ? 2 : 50)))
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
        var latency = chance.time(upTo: .milliseconds(isOrdered ? 3 : 100))
        if case .slow(let longest) = condition { latency = chance.time(upTo: longest) }
        guard isOrdered else {
            try? await spawner.sleep(for: latency)
            return
        }
        let arrival = state.withLockedValue { state in
            state.lastArrival = max(state.lastArrival + .nanoseconds(1), spawner.now() + latency)
            return state.lastArrival
        }
        try? await spawner.sleep(until: arrival)
    }
}
