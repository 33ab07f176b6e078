import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisClient

/// A client with the command of a plan.
protocol Subject: Sendable {
    /// Of the client's event loop.
    var taskExecutor: any TaskExecutor { get }
    func run() async throws
}

struct FreshetSubject: Subject {
    private let client: RedisClient
    private let commands: [RESPCommand]

    init(_ client: RedisClient, _ plan: Plan) {
        self.client = client
        commands = Array(repeating: plan.command, count: plan.pipeline)
    }

    var taskExecutor: any TaskExecutor { client.taskExecutor }

    func run() async throws {
        if commands.count > 1 {
            _ = try await client.execute(pipeline: commands)
        } else {
            try await client.execute(commands[0])
        }
    }
}

struct BareSubject: Subject {
    private let client: BareClient
    private let bytes: [UInt8]
    private let replies: Int
    let taskExecutor: any TaskExecutor

    /// `nil` where the client cannot read the replies.
    init?(_ client: BareClient, _ plan: Plan) {
        if case .lrange = plan.operation { return nil }
        var encoder = RESPEncoder()
        for _ in 0..<plan.pipeline { encoder.append(plan.command) }
        var bytes: [UInt8] = []
        encoder.take { bytes += $0.readableBytesView }
        self.bytes = bytes
        self.client = client
        replies = plan.pipeline
        taskExecutor = LoopExecutor(eventLoop: client.eventLoop)
    }

    func run() async { await client.execute(bytes, replies: replies) }
}

/// Runs those that become ready together in one turn of the loop, as that of `RedisClient` does.
private final class LoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop
    private let jobs = NIOLockedValueBox<(waiting: [UnownedJob], spare: [UnownedJob])>(([], []))

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
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
