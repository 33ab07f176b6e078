import NIOConcurrencyHelpers

/// Where callers on any thread leave their jobs for the ``Lane``.
final class Inbox: Sendable {
    private struct State {
        var jobs: [Job] = []
        /// Whether the lane has been woken since it last looked.
        var isWoken = false
        /// Those that have been cancelled since it last looked.
        var cancelled: [Job] = []
        var isClosed = false
        /// Jobs handed over that have not left yet.
        var count = 0
        var closing: [UnsafeContinuation<Void, Never>] = []
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { state.withLockedValue { $0.count } }

    /// - Returns: whether the lane has to be woken.
    func put(_ job: Job) throws(UpstashError) -> Bool {
        let (refusal, wakes): (UpstashError?, Bool) = state.withLockedValue { state in
            if state.isClosed { return (UpstashError(.closed, "The client was closed."), false) }
            guard state.count < limit else {
                return (UpstashError(.overloaded, "\(limit) commands are waiting already."), false)
            }
            state.jobs.append(job)
            state.count += 1
            defer { state.isWoken = true }
            return (nil, !state.isWoken)
        }
        if let refusal { throw refusal }
        return wakes
    }

    /// - Returns: whether the lane has to be woken.
    func cancel(_ job: Job) -> Bool {
        guard job.cancel() else { return false }
        return state.withLockedValue { state in
            state.cancelled.append(job)
            defer { state.isWoken = true }
            return !state.isWoken
        }
    }

    /// - Returns: the jobs that came, and those that have been cancelled.
    func take() -> (jobs: [Job], cancelled: [Job]) {
        state.withLockedValue { state in
            defer {
                state.jobs = []
                state.cancelled = []
            }
            state.isWoken = false
            return (state.jobs, state.cancelled)
        }
    }

    /// A job has ended, and nothing of it is kept any longer.
    func left(_ job: Job) {
        job.clear()
        let waiting: [UnsafeContinuation<Void, Never>] = state.withLockedValue { state in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.closing = [] }
            return state.closing
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Takes nothing more, and returns when everything has left.
    func close() async {
        await withUnsafeContinuation { continuation in
            let isEmpty = state.withLockedValue { state in
                state.isClosed = true
                if state.count > 0 { state.closing.append(continuation) }
                return state.count == 0
            }
            if isEmpty { continuation.resume() }
        }
    }
}
