import Dispatch
import NIOConcurrencyHelpers

/// Runs jobs one after the other, in the order they came or in one that is drawn, and knows when there are none left.
final class TestExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isRunning = false
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())
    /// Draws one of so many; nil takes them in their order.
    private let draw: (@Sendable (Int) -> Int)?

    init(draw: (@Sendable (Int) -> Int)? = nil) { self.draw = draw }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isIdle = state.withLockedValue { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isIdle { DispatchQueue.global().async { self.run() } }
    }

    func waitUntilIdle() async {
        await withUnsafeContinuation { continuation in
            let isIdle = state.withLockedValue { state in
                if state.isRunning { state.waiters.append(continuation) }
                return !state.isRunning
            }
            if isIdle { continuation.resume() }
        }
    }

    private func run() {
        while true {
            let (jobs, waiters) = state.withLockedValue { state in
                var batch = state.jobs
                state.jobs.removeAll(keepingCapacity: true)
                if let draw, batch.count > 1 {
                    let drawn = batch.remove(at: draw(batch.count))
                    state.jobs = batch
                    batch = [drawn]
                }
                guard batch.isEmpty else { return (batch, [UnsafeContinuation<Void, Never>]()) }
                defer { state.waiters = [] }
                state.isRunning = false
                return ([], state.waiters)
            }
            for waiter in waiters { waiter.resume() }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }
}
