import AsyncHTTPClient
import Dispatch
import Foundation
import FreshetServer
import Logging
import NIOCore
import RESP
import RedisClient

/// What a command costs the processor in pipelines of 100: in `freshet upstash`, and in a process that uses
/// `RedisClient`.
///
///     upstash-endpoint REDIS_URL [SECONDS]
///     upstash-endpoint serve REDIS_URL PORT         the endpoint alone, with the token `t`
///     upstash-endpoint run REDIS_URL CASE ROUNDS    `RedisClient` alone
///
/// Linux only: the endpoint is a process of its own, whose time is read from `/proc`.
@main
enum UpstashEndpointCost {
    struct Usage: Error {}

    /// Not `async`, whose runtime lets the main thread end: valgrind 3.19 does not survive that.
    static func main() {
        let isOver = DispatchSemaphore(value: 0)
        Task.detached {
            do { try await run() } catch { print("upstash-endpoint: \(error)") }
            isOver.signal()
        }
        isOver.wait()
    }

    private static func run() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let first = arguments.first else { throw Usage() }
        if first == "serve" {
            guard arguments.count == 3, let port = Int(arguments[2]) else { throw Usage() }
            return try await serve(arguments[1], port)
        }
        if first == "run" {
            guard arguments.count == 4, let rounds = Int(arguments[3]) else { throw Usage() }
            return try await drive(arguments[1], arguments[2], rounds)
        }
        try await compare(first, seconds: arguments.count > 1 ? Double(arguments[1]) ?? 2 : 2)
    }

    private static func serve(_ store: String, _ port: Int) async throws {
        var logger = Logger(label: "upstash-endpoint")
        logger.logLevel = .error
        let configuration = try UpstashEndpointConfiguration(
            store: StoreLocation(url: store, origin: .flag),
            token: "t",
            port: port
        )
        let endpoint = try await buildUpstashEndpoint(configuration: configuration, logger: logger) { port in
            FileHandle.standardOutput.write(Data("\(port)\n".utf8))
        }
        try await endpoint.run()
    }

    private static func drive(_ url: String, _ name: String, _ rounds: Int) async throws {
        guard let workload = Workload.all.first(where: { $0.name == name }) else { throw Usage() }
        let client = RedisClient(try RedisClient.Configuration(url: url))
        for _ in 0..<rounds { try await workload.run(client) }
        await client.close()
    }

    // MARK: Measuring

    private static func compare(_ url: String, seconds: Double) async throws {
        let child = Process()
        child.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        child.arguments = ["serve", url, "0"]
        let output = Pipe()
        child.standardOutput = output
        try child.run()
        defer { child.terminate() }
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw Usage() }
        let client = RedisClient(try RedisClient.Configuration(url: url))
        for tasks in [1, 8] {
            for workload in Workload.all {
                var ours: [Double] = []
                var direct: [Double] = []
                for _ in 0..<3 {
                    ours.append(
                        try await cost(seconds, tasks, { time(of: child.processIdentifier) }) {
                            try await workload.ask(port)
                        }
                    )
                    direct.append(
                        try await cost(seconds, tasks, { time(of: ProcessInfo.processInfo.processIdentifier) }) {
                            try await workload.run(client)
                        }
                    )
                }
                let (endpoint, driver) = (median(ours), median(direct))
                let figures = String(
                    format: #""endpoint_us":%.3f,"client_us":%.3f,"ratio":%.2f"#,
                    endpoint,
                    driver,
                    endpoint / driver
                )
                print(
                    #"{"bench":"upstash-endpoint","case":"\#(workload.name)","pipeline":100,"tasks":\#(tasks),\#(figures)}"#
                )
            }
        }
        await client.close()
    }

    /// Microseconds of processor time that one command takes.
    private static func cost(
        _ seconds: Double,
        _ tasks: Int,
        _ time: () -> Double,
        _ operation: @escaping @Sendable () async throws -> Void
    ) async throws -> Double {
        for _ in 0..<20 { try await operation() }
        let before = time()
        let end = ContinuousClock.now + .seconds(seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end {
                        try await operation()
                        count += 100
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return (time() - before) * 1e6 / Double(count)
    }

    /// Processor time of a process so far; counted in hundredths of a second (`man 5 proc`).
    private static func time(of process: Int32) -> Double {
        let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        let fields = line.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / 100
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
