import BoundedCache
import Foundation

/// Times caches side by side: in every round each does a slice of every workload, so that whatever else the machine
/// does falls on all alike. Prints medians and minima of wall time per operation.
@main
enum Throughput {
    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "--memory" { return try printMemory(of: arguments.dropFirst().first) }
        var rounds = 9
        var operations = 500_000
        while arguments.count >= 2, let number = Int(arguments[1]), number > 0 {
            switch arguments[0] {
            case "--rounds": rounds = number
            case "--operations": operations = number
            default: exit(usage())
            }
            arguments.removeFirst(2)
        }
        guard arguments.isEmpty else { exit(usage()) }
        let plan = Plan(operations: operations)
        var contenders: [any Contender] = [
            BoundedContender(plan, timeToLive: nil), BoundedContender(plan, timeToLive: .seconds(3600)),
            DictionaryContender(plan), NSCacheContender(plan),
        ]
        if let caffeine = try Caffeine(plan) {
            contenders += [CaffeineContender(caffeine, expires: false), CaffeineContender(caffeine, expires: true)]
        } else {
            print("Caffeine is not installed (Debian: default-jdk-headless, libcaffeine-java).")
        }
        measure(contenders, rounds: rounds)
    }

    private static func usage() -> Int32 {
        print("usage: throughput [--rounds N] [--operations N] | --memory CONTENDER")
        return 64
    }

    private static let columns: [(Workload, Int)] = [
        (.get, 1), (.get, 2), (.mixed, 1), (.mixed, 2), (.readThrough, 1), (.readThrough, 2), (.hammer, 8),
    ]

    private static func measure(_ contenders: [any Contender], rounds: Int) {
        var times: [String: [[Double]]] = [:]
        for round in -2..<rounds {
            for (column, (workload, threads)) in columns.enumerated() {
                for contender in contenders {
                    // Once before it counts: whatever ran in between has taken the processor's caches.
                    _ = contender.run(workload, threads: threads)
                    let time = contender.run(workload, threads: threads)
                    guard round >= 0 else { continue }
                    times[contender.name, default: .init(repeating: [], count: columns.count)][column].append(time)
                }
            }
        }
        print("| ns per operation, median (minimum) |", terminator: "")
        print(columns.map { " \($0.rawValue) \($1)T |" }.joined())
        print("|---|" + String(repeating: "---|", count: columns.count))
        for contender in contenders {
            let cells = (times[contender.name] ?? []).map { samples in
                let sorted = samples.sorted()
                return String(format: "%.0f (%.0f)", sorted[sorted.count / 2], sorted[0])
            }
            print("| \(contender.name) | \(cells.joined(separator: " | ")) |")
        }
    }
}
