import NIOConcurrencyHelpers

/// Invalidations that one reader has not taken, put together so that they never need more than so much room.
final class InvalidationMailbox: Sendable {
    private struct State {
        var keys: [String] = []
        var everything: RedisInvalidation.Reason?
        var readers: [(token: UInt64, reader: Reader)] = []
        var lastToken: UInt64 = 0
        var isFinished = false

        mutating func take() -> RedisInvalidation? {
            if let reason = everything {
                // What came after it is part of it.
                (everything, keys) = (nil, [])
                return .everything(reason)
            }
            guard !keys.isEmpty else { return nil }
            defer { keys = [] }
            return .keys(keys)
        }
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter limit: keys that are kept; if more change, everything has.
    init(limit: Int) {
        self.limit = limit
    }

    func put(_ invalidation: RedisInvalidation) {
        let served = state.withLockedValue { state -> (Reader, RedisInvalidation)? in
            switch invalidation {
            case .everything(let reason):
                state.everything = reason
                state.keys = []
            case .keys(let keys) where state.keys.count + keys.count <= limit:
                state.keys += keys
            case .keys:
                state.everything = state.everything ?? .overflowed
                state.keys = []
            }
            // To a reader nothing is the end.
            guard let reader = state.readers.last, let taken = state.take() else { return nil }
            state.readers.removeLast()
            return (reader.reader, taken)
        }
        if let (reader, taken) = served { reader.resume(returning: taken) }
    }

    private typealias Reader = UnsafeContinuation<RedisInvalidation?, Never>

    /// - Returns: `nil` at the end, and when the task is cancelled.
    func next() async -> RedisInvalidation? {
        let token = state.withLockedValue { state in
            state.lastToken += 1
            return state.lastToken
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { (reader: Reader) in
                let taken = state.withLockedValue { state -> RedisInvalidation?? in
                    if let pending = state.take() { return .some(pending) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    state.readers.append((token, reader))
                    return nil
                }
                if let taken { reader.resume(returning: taken) }
                if Task.isCancelled { release(token) }
            }
        } onCancel: {
            release(token)
        }
    }

    func finish() {
        let readers = state.withLockedValue { state in
            state.isFinished = true
            defer { state.readers = [] }
            return state.readers
        }
        for (_, reader) in readers { reader.resume(returning: nil) }
    }

    private func release(_ token: UInt64) {
        let reader = state.withLockedValue { state in
            state.readers.firstIndex { $0.token == token }.map { state.readers.remove(at: $0).reader }
        }
        reader?.resume(returning: nil)
    }
}
