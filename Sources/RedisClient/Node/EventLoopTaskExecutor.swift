import NIOConcurrencyHelpers
package import NIOCore

/// Runs tasks on an event loop.
///
/// Those that become ready together, such as the callers whose replies came with one read, take one turn of the loop.
package final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop
    private let jobs = NIOLockedValueBox(Jobs())

    private struct Jobs {
        var waiting: [UnownedJob] = []
        /// Empty; kept for its capacity.
        var spare: [UnownedJob] = []
    }

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isFirst = jobs.withLockedValue { jobs in
            jobs.waiting.append(job)
            return jobs.waiting.count == 1
        }
        if isFirst { eventLoop.execute { self.runJobs() } }
    }

    private func runJobs() {
        var ready: [UnownedJob] = []
        jobs.withLockedValue { jobs in
            swap(&ready, &jobs.waiting)
            swap(&jobs.waiting, &jobs.spare)
        }
        for job in ready { job.runSynchronously(on: asUnownedTaskExecutor()) }
        ready.removeAll(keepingCapacity: true)
        jobs.withLockedValue { swap(&ready, &$0.spare) }
    }
}
