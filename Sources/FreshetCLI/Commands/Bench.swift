import ArgumentParser
import Foundation

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a store from here: throughput and latency of GET and SET.",
        discussion: """
            Writes 100 keys that begin with freshet:bench:, and deletes them at the end; if it is interrupted they expire \
            within ten minutes of the end of their line.
            """
    )

    @Option(help: "How many tasks run at the same time; several numbers with commas.")
    var tasks = "1,16,64"

    @Option(help: "Bytes of a value; several numbers with commas.")
    var size = "64,10240"

    @Option(help: "Seconds for each line.")
    var seconds = 1.0

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        _ = try Self.numbers(tasks, in: 1...4096, of: "--tasks")
        _ = try Self.numbers(size, in: 1...(16 << 20), of: "--size")
        guard (0.01...3600).contains(seconds) else { throw ValidationError("--seconds is not between 0.01 and 3600.") }
    }

    func run() async throws {
        let tasks = try Self.numbers(tasks, in: 1...4096, of: "--tasks")
        let sizes = try Self.numbers(size, in: 1...(16 << 20), of: "--size")
        try await store.withStore { store in
            let benchmark = StoreBenchmark(store: store, duration: .milliseconds(Int(seconds * 1000)))
            if !output.json { try Output.line(Self.heading) }
            do {
                for size in sizes {
                    for operation in StoreBenchmark.Operation.allCases {
                        for count in tasks where Output.hasReader {
                            try report(await benchmark.run(operation, tasks: count, bytes: size))
                        }
                    }
                }
            } catch {
                try? await benchmark.clean()
                throw error
            }
            try await benchmark.clean()
        }
    }

    private func report(_ result: StoreBenchmark.Result) throws {
        if output.json { return try Output.json(result) }
        let latencies = [result.p50, result.p90, result.p99, result.p999, result.max]
        let cells =
            [result.operation.rawValue.uppercased(), "\(result.tasks)", "\(result.bytes)"]
            + ["\(Int(result.opsPerSecond))"] + latencies.map { String(format: "%.2f", $0) } + ["\(result.errors)"]
        try Output.line(Self.row(cells))
        if let reason = result.firstError { try Output.foreign("   The first error: \(reason)") }
    }

    private static let heading = row(
        ["", "tasks", "bytes", "ops/s", "p50 ms", "p90", "p99", "p99.9", "max", "errors"]
    )

    /// Printed one by one, so that the columns have fixed widths.
    private static func row(_ cells: [String]) -> String {
        zip(cells, [3, 6, 9, 9, 9, 9, 9, 9, 9, 7]).map { cell, width in
            String(repeating: " ", count: max(0, width - cell.count)) + cell
        }.joined()
    }

    private static func numbers(_ text: String, in range: ClosedRange<Int>, of option: String) throws -> [Int] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        return try parts.map { part in
            guard let number = Int(part), range.contains(number) else {
                throw ValidationError("\(option) takes numbers from \(range.lowerBound) to \(range.upperBound).")
            }
            return number
        }
    }
}
