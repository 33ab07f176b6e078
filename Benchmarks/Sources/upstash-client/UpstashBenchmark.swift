import Foundation
import RESP
import UpstashClient

/// Measures `UpstashClient` against an endpoint that is running, and prints a line of JSON for each figure.
///
///     upstash-client URL TOKEN throughput GET|SET TASKS SECONDS
///     upstash-client URL TOKEN requests TASKS SECONDS        HTTP requests a command, counted on the wire
///     upstash-client URL TOKEN latency                       one caller, beside the bare HTTP request
///     upstash-client URL TOKEN pipeline PID REDIS-PORT SECONDS
///                                                            CPU a command of the endpoint, beside RedisClient's
///
/// `upstash-client/compare.py` starts what is needed and runs all of them beside the official Python SDK.
@main
struct UpstashBenchmark {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count > 2 else { return usage() }
        let (url, token) = (arguments[0], arguments[1])
        switch (arguments[2], Array(arguments.dropFirst(3))) {
        case ("throughput", let rest) where rest.count == 3:
            guard let load = Load(rest[0]), let tasks = Int(rest[1]), let seconds = Double(rest[2]) else {
                return usage()
            }
            let client = try client(url, token)
            let rate = try await load.run(client, tasks: tasks, seconds: seconds).rate
            line(("case", "\"\(rest[0])\""), ("tasks", "\(tasks)"), ("ops_per_s", "\(Int(rate))"))
            await client.close()
        case ("requests", let rest) where rest.count == 2:
            guard let tasks = Int(rest[0]), let seconds = Double(rest[1]), let target = URLComponents(string: url),
                let port = target.port
            else { return usage() }
            let relay = try await CountingRelay.start(to: port)
            let client = try client("http://127.0.0.1:\(relay.port)", token)
            let commands = try await Load.get.run(client, tasks: tasks, seconds: seconds).commands
            let ratio = Double(relay.requestCount) / Double(commands)
            line(("case", "\"requests\""), ("tasks", "\(tasks)"), ("requests_per_command", format(ratio)))
            await client.close()
        case ("latency", _):
            let client = try client(url, token)
            let (ours, bare) = try await Latency.medians(client, token: token)
            line(
                ("case", "\"latency\""),
                ("tasks", "1"),
                ("client_us", format(ours)),
                ("bare_us", format(bare)),
                ("ratio", format(ours / bare))
            )
            await client.close()
        case ("pipeline", let rest) where rest.count == 3:
            guard let process = Int(rest[0]), let port = Int(rest[1]), let seconds = Double(rest[2]) else {
                return usage()
            }
            let client = try client(url, token)
            let (endpoint, driver) = try await PipelineCost.measure(client, process, redisPort: port, seconds)
            line(
                ("case", "\"pipeline\""),
                ("endpoint_cpu_us", format(endpoint)),
                ("redis_client_cpu_us", format(driver)),
                ("ratio", format(endpoint / driver))
            )
            await client.close()
        default:
            usage()
        }
    }

    private static func client(_ url: String, _ token: String) throws -> UpstashClient {
        var configuration = try UpstashClient.Configuration(url: url, token: token)
        configuration.commandTimeout = .seconds(30)
        return try UpstashClient(configuration)
    }

    private static func line(_ fields: (String, String)...) {
        let all = [("bench", "\"upstash-client\"")] + fields
        print("{" + all.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}")
    }

    private static func format(_ number: Double) -> String { String(format: "%.3f", number) }

    private static func usage() {
        print("usage: upstash-client URL TOKEN throughput|requests|latency|pipeline …; see upstash-client/compare.py")
        exit(64)
    }
}
