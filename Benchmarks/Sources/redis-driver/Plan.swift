import NIOCore
import RESP
import RedisClient

/// What is measured.
struct Plan: Sendable {
    enum Operation: Sendable {
        case get, set
        /// The whole list.
        case lrange(elements: Int)
    }

    let name: String
    let operation: Operation
    let tasks: Int
    var pipeline = 1
    var size = 64
    /// Whether the tasks run on the client's event loop.
    var isOnEventLoop = false

    static let sequential = Plan(name: "GET 64 B, 1 task", operation: .get, tasks: 1)
    static let concurrent = Plan(name: "GET 64 B, 64 tasks", operation: .get, tasks: 64)
    static let concurrentOnEventLoop = Plan(
        name: "GET 64 B, 64 tasks on the event loop",
        operation: .get,
        tasks: 64,
        isOnEventLoop: true
    )
    static let pipelines = Plan(name: "GET 64 B, 1 task, pipelines of 100", operation: .get, tasks: 1, pipeline: 100)
    /// So long that they go over a connection of their own.
    static let longPipelines = Plan(
        name: "GET 64 B, 1 task, pipelines of 4096",
        operation: .get,
        tasks: 1,
        pipeline: 4096
    )

    static let all = [
        sequential,
        Plan(name: "GET 64 B, 1 task on the event loop", operation: .get, tasks: 1, isOnEventLoop: true),
        concurrent,
        concurrentOnEventLoop,
        Plan(name: "GET 64 B, 256 tasks", operation: .get, tasks: 256),
        Plan(name: "SET 64 B, 64 tasks", operation: .set, tasks: 64),
        pipelines,
        Plan(name: "GET 10 KiB, 64 tasks", operation: .get, tasks: 64, size: 10 << 10),
        Plan(name: "SET 10 KiB, 64 tasks", operation: .set, tasks: 64, size: 10 << 10),
        Plan(name: "LRANGE 10,000 × 64 B, 1 task", operation: .lrange(elements: 10_000), tasks: 1),
        Plan(name: "LRANGE 100,000 × 64 B, 1 task", operation: .lrange(elements: 100_000), tasks: 1),
    ]

    private static let key = "freshet"
    private static let list = "freshet-list"

    private var value: ByteBuffer { ByteBuffer(repeating: 0x78, count: size) }

    var command: RESPCommand {
        switch operation {
        case .get: RESPCommand("GET", Self.key)
        case .set: RESPCommand("SET", Self.key, value)
        case .lrange: RESPCommand("LRANGE", Self.list, 0, -1)
        }
    }

    /// Operations between two looks at the clock.
    var stride: Int {
        if case .lrange = operation { return 1 }
        return 16
    }

    /// Puts what is read where all read it.
    func prepare(_ client: RedisClient) async throws {
        for key in [Self.key, ReferenceTool.key] { try await client.execute(RESPCommand("SET", key, value)) }
        guard case .lrange(let elements) = operation else { return }
        try await client.execute(RESPCommand("DEL", Self.list))
        let page = Array(repeating: RESPArgument.bytes(value), count: 1000)
        for _ in 0..<(elements / page.count) {
            try await client.execute(RESPCommand("RPUSH", arguments: [.string(Self.list)] + page))
        }
    }
}
