import NIOConcurrencyHelpers
package import NIOCore

/// Runs tasks on an event loop.
///
/// Those that become ready together, such as the callers whose replies came with one read, take one turn of the loop.
package final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop
    private let jobs = NIOLockedValueBox<[UnownedJob]>([])

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isFirst = jobs.withLockedValue { jobs in
            jobs.append(job)
            return jobs.count == 1
        }
        if isFirst { eventLoop.execute { self.runJobs() } }
    }

    private func runJobs() {
        let ready = jobs.withLockedValue { jobs in
            let ready = jobs
            jobs = []
            jobs.reserveCapacity(ready.count)
            return ready
        }
        for job in ready { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
