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
    private let waiting = NIOLockedValueBox<[UnownedJob]>([])

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isFirst = waiting.withLockedValue { waiting in
            waiting.append(job)
            return waiting.count == 1
        }
        guard isFirst else { return }
        eventLoop.execute {
            var ready: [UnownedJob] = []
            self.waiting.withLockedValue { waiting in
                ready.reserveCapacity(waiting.capacity)
                swap(&ready, &waiting)
            }
            for job in ready { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }
}
