package import NIOCore

/// Runs tasks on an event loop.
package final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension RedisClient {
    /// Runs tasks on the client's own event loop.
    ///
    /// A task that prefers it saves two changes of thread a command, which is most of the time of commands that are
    /// sent one after the other. It must not compute for long there: replies to others wait meanwhile.
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(client.taskExecutor) { … }
    /// ```
    ///
    /// With several servers it is one of the client's event loops, and the gain less.
    public var taskExecutor: any TaskExecutor {
        switch backend {
        case .one(let node): EventLoopTaskExecutor(node.eventLoop)
        case .several(let executor): EventLoopTaskExecutor(executor.eventLoop)
        }
    }
}
