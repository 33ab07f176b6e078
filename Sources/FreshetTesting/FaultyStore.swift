public import Freshet
import NIOConcurrencyHelpers

/// A store whose operations fail, hang or dawdle on command, for tests of what an application does then.
///
/// ```swift
/// let store = FaultyStore(MemoryStore())
/// store.inject(.hang, into: [.get])
/// // … every `get` hangs now …
/// store.recover()
/// ```
public final class FaultyStore: ForwardingStore {
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

    package func call<Value: Sendable>(
        _ operation: StoreOperation,
        _ body: @escaping @Sendable (any CacheStore) async throws -> Value
    ) async throws -> Value {
        let fault = state.withLockedValue { state in
            state.calls[operation, default: 0] += 1
            return state.faults[operation]
        }
        switch fault {
        case nil:
            return try await body(base)
        case .fail(let error):
            throw error
        case .failAfterwards(let error):
            _ = try await body(base)
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
            return try await body(base)
        case .delay(let time):
            try await spawner.sleep(for: time)
            return try await body(base)
        case .delayAfterwards(let time):
            let value = try await body(base)
            try await spawner.sleep(for: time)
            return value
        }
    }
}
