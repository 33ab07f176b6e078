import Foundation
import NIOCore
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
/// Starts a `redis-server` of its own unless a port is given. Each case is measured several times, in turns with
/// the others, so that a machine that is busy for a while is so for all; what is printed are medians, and ratios, to
/// `redis-benchmark` and to the bare client, are the medians of the rounds' ratios.
@main
struct RedisDriver {
    private static let roundsPerCase = 5

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
        let client = RedisClient(configuration)
        try await client.connect()
        if CommandLine.arguments.contains("--steady") {
            let isGood = try await SteadyFigures.check(client, seconds: seconds)
            await client.close()
            server?.stop()
            exit(isGood ? 0 : 1)
        }
        let only = CommandLine.arguments.firstIndex(of: "--only").map { CommandLine.arguments[($0 + 1)...].first ?? "" }
        let bare = try await BareClient(port: port)
        for plan in Plan.all where only.map(plan.name.contains) ?? true {
            try await compare(plan, client, bare, seconds: seconds, port: port)
        }
        await client.close()
    }

    private static func compare(
        _ plan: Plan,
        _ client: RedisClient,
        _ bare: BareClient,
        seconds: Double,
        port: Int
    ) async throws {
        try await plan.prepare(client)
        let freshet = FreshetSubject(client, plan)
        let bare = BareSubject(bare, plan)
        try await Load.warmUp(plan, freshet, statistics: client)
        if let bare { try await Load.warmUp(plan, bare, statistics: client) }
        var rounds: [(tool: Double?, bare: Load.Result?, ours: Load.Result)] = []
        for _ in 0..<roundsPerCase {
            let tool = try ReferenceTool.run(plan, seconds: seconds, port: port)
            let bare =
                if let bare { try await Load.run(plan, bare, statistics: client, seconds: seconds) } else {
                    Load.Result?.none
                }
            rounds.append((tool, bare, try await Load.run(plan, freshet, statistics: client, seconds: seconds)))
        }
        if let tool = median(rounds.compactMap(\.tool)) {
            printLine(plan, "redis-benchmark", .init(operationsPerSecond: tool))
        }
        if let bare = median(rounds.compactMap(\.bare)) { printLine(plan, "bare", bare) }
        guard let ours = median(rounds.map(\.ours)) else { return }
        printLine(
            plan,
            "freshet",
            ours,
            ratio: median(rounds.compactMap { round in round.tool.map { round.ours.operationsPerSecond / $0 } }),
            ofBare: median(
                rounds.compactMap { round in round.bare.map { round.ours.operationsPerSecond / $0.operationsPerSecond }
                }
            )
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
        numbers.isEmpty ? nil : numbers.sorted()[numbers.count / 2]
    }

    private static func printLine(
        _ plan: Plan,
        _ client: String,
        _ result: Load.Result,
        ratio: Double? = nil,
        ofBare: Double? = nil
    ) {
        var fields = [
            ("case", "\"\(plan.name)\""), ("client", "\"\(client)\""),
            ("ops_per_second", "\(Int(result.operationsPerSecond))"),
        ]
        let optional = [
            ("client_cpu_us_per_op", result.processorMicroseconds),
            ("commands_per_server_read", result.commandsPerRead),
            ("allocations_per_op", result.allocations), ("ratio", ratio), ("of_bare", ofBare),
        ]
        for case (let name, let number?) in optional { fields.append((name, Output.short(number))) }
        Output.line(fields)
    }
}
