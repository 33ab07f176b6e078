import NIOConcurrencyHelpers

/// Those who want to know when a connection is made and lost.
final class ConnectionObservers: Sendable {
    private struct State {
        var continuations: [UInt64: AsyncStream<RedisConnectionEvent>.Continuation] = [:]
        var nextID: UInt64 = 0
        var isFinished = false
    }

    private let state = NIOLockedValueBox(State())

    func observe() -> AsyncStream<RedisConnectionEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: RedisConnectionEvent.self,
            bufferingPolicy: .bufferingNewest(64)
        )
        let id = state.withLockedValue { state -> UInt64? in
            guard !state.isFinished else { return nil }
            state.nextID += 1
            state.continuations[state.nextID] = continuation
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLockedValue { $0.continuations.removeValue(forKey: id) }
        }
        return stream
    }

    func notify(_ event: RedisConnectionEvent) {
        for continuation in state.withLockedValue({ Array($0.continuations.values) }) { continuation.yield(event) }
    }

    func finish() {
        let all = state.withLockedValue { state in
            state.isFinished = true
            defer { state.continuations = [:] }
            return Array(state.continuations.values)
        }
        for continuation in all { continuation.finish() }
    }
}
