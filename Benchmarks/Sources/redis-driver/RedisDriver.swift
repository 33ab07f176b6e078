import Foundation
import NIOCore
import NIOPosix
import RESP
import RedisClient

/// Measures `RedisClient` beside `redis-benchmark` and a client that is no more than NIO and tasks, on one server, in one
/// run, and prints a line of JSON for each.
///
///     swift run -c release --package-path Benchmarks redis-driver [seconds per round] [port]
///     … redis-driver --steady          only what does not depend on load; fails if it is worse than it must be
///     … redis-driver --only "64 tasks" cases of that name
///     … redis-driver --deadlines       how late calls end when the server does not answer
///
/// Starts a `redis-server` of its own unless a port is given. In each case all take turns for several rounds, so that a
/// machine that is busy for a while is so for all; what is printed are medians, and ratios to `redis-benchmark` and to the
/// bare client are the medians of the rounds' ratios.
@main
struct RedisDriver {
    private static let roundsPerCase = 8

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Double($0) }
        let seconds = numbers.first ?? 1
        let server = numbers.count > 1 ? nil : try LocalServer.start()
        defer { server?.stop() }
        if CommandLine.arguments.contains("--deadlines") {
            if let server { try await Deadlines.run(server: server) }
            return
        }
        let port = server?.port ?? Int(numbers[1])
        var configuration = RedisClient.Configuration(host: "127.0.0.1", port: port)
        // A machine that stands still for a moment ends no measurement.
        configuration.commandTimeout = .seconds(30)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let client = RedisClient(configuration, eventLoopGroup: eventLoop)
        try await client.connect()
        let bareClient = try await BareClient(port: port, eventLoop: eventLoop)
        if CommandLine.arguments.contains("--steady") {
            let isGood = try await SteadyFigures.check(client, beside: bareClient, seconds: seconds)
            await client.close()
            server?.stop()
            exit(isGood ? 0 : 1)
        }
        let only = CommandLine.arguments.firstIndex(of: "--only").map { CommandLine.arguments[($0 + 1)...].first ?? "" }
        for plan in Plan.all where only.map(plan.name.contains) ?? true {
            try await compare(plan, client, bareClient, seconds: seconds, port: port)
        }
        await client.close()
    }

    private struct Round {
        var tool: Load.Result?
        var bare: Load.Result?
        var ours: Load.Result?
    }

    private static func compare(
        _ plan: Plan,
        _ client: RedisClient,
        _ bareClient: BareClient,
        seconds: Double,
        port: Int
    ) async throws {
        try await plan.prepare(client)
        let ours = FreshetSubject(client, plan)
        let bare = BareSubject(bareClient, plan)
        try await Load.warmUp(plan, ours, client: client)
        if let bare { try await Load.warmUp(plan, bare, client: client) }
        var rounds: [Round] = []
        for number in 0..<roundsPerCase {
            var round = Round()
            round.tool = try ReferenceTool.run(plan, seconds: seconds, port: port).map {
                Load.Result(operationsPerSecond: $0)
            }
            // Whoever comes second finds the machine warm.
            if number % 2 == 0, let bare {
                round.bare = try await Load.run(plan, bare, client: client, seconds: seconds)
            }
            round.ours = try await Load.run(plan, ours, client: client, seconds: seconds)
            if number % 2 == 1, let bare {
                round.bare = try await Load.run(plan, bare, client: client, seconds: seconds)
            }
            rounds.append(round)
        }
        printLine(plan, "redis-benchmark", median(rounds.compactMap(\.tool)))
        printLine(plan, "bare", median(rounds.compactMap(\.bare)))
        printLine(
            plan,
            "freshet",
            median(rounds.compactMap(\.ours)),
            ofTool: median(rounds.compactMap { $0.ours?.ratio(to: $0.tool) }),
            ofBare: median(rounds.compactMap { $0.ours?.ratio(to: $0.bare) })
        )
    }

    /// Of each figure by itself.
    private static func median(_ results: [Load.Result]) -> Load.Result? {
        median(results.map(\.operationsPerSecond)).map { operationsPerSecond in
            Load.Result(
                operationsPerSecond: operationsPerSecond,
                processorMicroseconds: median(results.compactMap(\.processorMicroseconds)),
                commandsPerRead: median(results.compactMap(\.commandsPerRead)),
                allocations: median(results.compactMap(\.allocations))
            )
        }
    }

    private static func median(_ numbers: [Double]) -> Double? {
        let sorted = numbers.sorted()
        return sorted.isEmpty ? nil : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    private static func printLine(
        _ plan: Plan,
        _ client: String,
        _ result: Load.Result?,
        ofTool: Double? = nil,
        ofBare: Double? = nil
    ) {
        guard let result else { return }
        var fields = [
            ("case", "\"\(plan.name)\""), ("client", "\"\(client)\""),
            ("ops_per_second", "\(Int(result.operationsPerSecond))"),
        ]
        let optional = [
            ("client_cpu_us_per_op", result.processorMicroseconds),
            ("commands_per_server_read", result.commandsPerRead),
            ("allocations_per_op", result.allocations), ("of_redis_benchmark", ofTool), ("of_bare", ofBare),
        ]
        for case (let name, let number?) in optional { fields.append((name, Output.short(number))) }
        Output.line(fields)
    }
}
