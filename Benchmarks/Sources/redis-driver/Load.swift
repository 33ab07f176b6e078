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

    static func warmUp(_ plan: Plan, _ subject: some Subject, client: RedisClient) async throws {
        _ = try await run(plan, subject, client: client, seconds: 0.3)
    }

    /// - Parameter client: asks the server for its statistics; the subject shares its event loop.
    static func run(
        _ plan: Plan,
        _ subject: some Subject,
        client: RedisClient,
        seconds: Double
    ) async throws -> Result {
        let before = try await serverReads(client)
        let processor = processorTime()
        let allocations = allocation_count()
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let operations =
            if plan.isOnEventLoop {
                try await withTaskExecutorPreference(client.taskExecutor) { try await work(plan, subject, until: end) }
            } else {
                try await work(plan, subject, until: end)
            }
        let duration = (ContinuousClock.now - start) / .seconds(1)
        let used = processorTime() - processor
        let allocated = allocation_count() - allocations
        let reads = try await serverReads(client) - before
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
        _ subject: some Subject,
        until end: ContinuousClock.Instant
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<plan.tasks {
                group.addTask {
                    var count = 0
                    repeat {
                        for _ in 0..<plan.stride {
                            try await subject.run()
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
