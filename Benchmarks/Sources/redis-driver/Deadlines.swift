import NIOCore
import RESP
import RedisClient

/// How late calls end whose server does not answer: 64 tasks, deadlines between 50 and 250 ms.
enum Deadlines {
    static func run(server: LocalServer, calls: Int = 10_000) async throws {
        // Long, so that the connection is not given up in between.
        var configuration = RedisClient.Configuration(host: "127.0.0.1", port: server.port)
        configuration.commandTimeout = .seconds(600)
        let client = RedisClient(configuration)
        try await client.connect()
        server.pause()
        defer { server.resume() }
        let late = try await withThrowingTaskGroup(of: [Double].self) { group in
            for task in 0..<64 {
                group.addTask { try await measure(client, task: task, calls: calls / 64) }
            }
            return try await group.reduce(into: []) { $0 += $1 }.sorted()
        }
        func quantile(_ share: Double) -> Double { late[min(late.count - 1, Int(Double(late.count) * share))] }
        Output.line([
            ("case", "\"late after the deadline, ms\""), ("client", "\"freshet\""), ("calls", "\(late.count)"),
            ("p50", Output.short(quantile(0.5))), ("p99", Output.short(quantile(0.99))),
            ("p99.9", Output.short(quantile(0.999))), ("max", Output.short(late.last ?? 0)),
        ])
    }

    private static func measure(_ client: RedisClient, task: Int, calls: Int) async throws -> [Double] {
        var late: [Double] = []
        for call in 0..<calls {
            let timeout = Duration.milliseconds(50 + (task * 31 + call * 17) % 200)
            let start = ContinuousClock.now
            do {
                try await client.execute(RESPCommand("GET", "freshet"), timeout: timeout)
            } catch let error as RedisClientError where error.code == .timedOut {
                late.append((ContinuousClock.now - start - timeout) / .milliseconds(1))
            }
        }
        return late
    }
}
