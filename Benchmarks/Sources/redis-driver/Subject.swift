import NIOCore
import RESP
import RedisClient

/// A client with the command of a plan.
protocol Subject: Sendable {
    func run() async throws
}

struct FreshetSubject: Subject {
    private let client: RedisClient
    private let commands: [RESPCommand]

    init(_ client: RedisClient, _ plan: Plan) {
        self.client = client
        commands = Array(repeating: plan.command, count: plan.pipeline)
    }

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
    }

    func run() async { await client.execute(bytes, replies: replies) }
}
