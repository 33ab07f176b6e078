import Foundation
import RESP
import RedisClient
import UpstashClient

/// What a command of a 100-command pipeline costs the endpoint, and what it costs `RedisClient` without one.
enum PipelineCost {
    private static let commandsPerPipeline = 100
    private static let rounds = 5

    struct NoProcess: Error {}

    /// Microseconds of CPU a command, of the process and of this one; medians of rounds that take turns.
    static func measure(
        _ client: UpstashClient,
        _ process: Int,
        redisPort: Int,
        _ seconds: Double
    ) async throws -> (endpoint: Double, driver: Double) {
        let redis = RedisClient(.init(host: "127.0.0.1", port: redisPort))
        try await redis.connect()
        var (endpoint, driver): ([Double], [Double]) = ([], [])
        for _ in 0...rounds {
            let before = try processorTime(of: process)
            let overREST = try await run(client, seconds / Double(rounds))
            endpoint.append((try processorTime(of: process) - before) / Double(overREST))
            let start = processorTime()
            let overTCP = try await run(redis, seconds / Double(rounds))
            driver.append((processorTime() - start) / Double(overTCP))
        }
        await redis.close()
        // The first round warms up.
        return (median(endpoint.dropFirst()), median(driver.dropFirst()))
    }

    private static func run(_ executor: some CommandExecutor, _ seconds: Double) async throws -> Int {
        let pipeline = Load.pipeline(of: commandsPerPipeline)
        let end = ContinuousClock.now + .seconds(seconds)
        var count = 0
        while ContinuousClock.now < end {
            _ = try await executor.execute(pipeline: pipeline)
            count += pipeline.count
        }
        return count
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    /// From `/proc`, in steps of 10 ms.
    private static func processorTime(of process: Int) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        guard let name = text.lastIndex(of: ")") else { throw NoProcess() }
        let fields = text[name...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
            throw NoProcess()
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))) * 1e6
    }

    private static func median(_ values: some Collection<Double>) -> Double { values.sorted()[values.count / 2] }
}
