import CAllocationCount
import Foundation
import RESP
import RedisClient
import Synchronization

/// Tasks that share one client and run the same command over and over.
enum Load {
    struct Result {
        var operationsPerSecond: Double
        /// Time of all of this process' threads.
        var processorMicroseconds: Double?
        var commandsPerRead: Double?
        var allocations: Double?

        func ratio(to other: Result?) -> Double? { other.map { operationsPerSecond / $0.operationsPerSecond } }
    }

    static func warmUp(_ plan: Plan, _ client: some Subject, statistics: RedisClient) async throws {
        _ = try await run(plan, client, statistics: statistics, seconds: 0.3)
    }

    /// - Parameter statistics: the client that asks the server for its statistics.
    static func run(
        _ plan: Plan,
        _ client: some Subject,
        statistics: RedisClient,
        seconds: Double
    ) async throws -> Result {
        let before = try await serverReads(statistics)
        let processor = processorTime()
        let allocations = allocation_count()
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let operations =
            if plan.isOnEventLoop {
                try await withTaskExecutorPreference(client.taskExecutor) { try await work(plan, client, until: end) }
            } else {
                try await work(plan, client, until: end)
            }
        let duration = (ContinuousClock.now - start) / .seconds(1)
        let used = processorTime() - processor
        let allocated = allocation_count() - allocations
        let reads = try await serverReads(statistics) - before
        return Result(
            operationsPerSecond: Double(operations) / duration,
            processorMicroseconds: used * 1e6 / Double(operations),
            commandsPerRead: reads > 0 ? Double(operations) / Double(reads) : nil,
            allocations: allocations < 0 ? nil : Double(allocated) / Double(operations)
        )
    }

    /// - Returns: how many commands were run.
    private static func work(
        _ plan: Plan,
        _ client: some Subject,
        until end: ContinuousClock.Instant
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<plan.tasks {
                group.addTask {
                    var count = 0
                    repeat {
                        for _ in 0..<plan.stride {
                            try await client.run()
                            count += plan.pipeline
                        }
                    } while ContinuousClock.now < end
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func serverReads(_ client: RedisClient) async throws -> Int {
        let info = try await client.execute(RESPCommand("INFO", "stats")).string ?? ""
        let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("total_reads_processed:") }
        return line.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) } ?? 0
    }
}
