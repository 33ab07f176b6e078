import BoundedCache
import Foundation

/// Plays traces through a cache as a read-through reader would, and prints one JSON line for each.
@main
enum HitRatio {
    static func main() {
        do {
            let arguments = try Arguments(CommandLine.arguments.dropFirst())
            if let reference = arguments.reference {
                try compare(arguments.files, with: Reference(contentsOf: reference))
            } else {
                for file in arguments.files { print(try line(Arguments.trace(file), arguments)) }
            }
        } catch {
            FileHandle.standardError.write(Data("hit-ratio: \(error)\n\(Arguments.usage)\n".utf8))
            exit(error is Arguments.Invalid ? 64 : 65)
        }
    }

    static func hits(_ trace: Trace, capacity: Int) -> Int {
        let cache = BoundedCache<UInt64, Void>(capacity: capacity)
        var hits = 0
        for key in trace.keys {
            if cache.get(key) != nil { hits += 1 } else { cache.set(key, ()) }
        }
        return hits
    }

    private static func line(_ trace: Trace, _ arguments: Arguments) throws -> String {
        let capacity = arguments.capacity ?? trace.capacity
        let hits = hits(trace, capacity: capacity)
        var line = Line(
            trace: trace.name,
            requests: trace.keys.count,
            capacity: capacity,
            hits: hits,
            ratio: trace.ratio(hits)
        )
        if arguments.optimum { line.optimum = trace.ratio(optimalHits(trace.keys, capacity: capacity)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }

    private struct Line: Encodable {
        let trace: String
        let requests: Int
        let capacity: Int
        let hits: Int
        let ratio: Double
        var optimum: Double?
    }

    /// A table of the gaps to Belady's optimum and to the best online policy the reference knows.
    private static func compare(_ files: [String], with reference: Reference) throws {
        var gaps: [Double] = []
        var worst = 0.0
        print("| trace | entries | hit ratio | optimum | best online policy |\n|---|---|---|---|---|")
        for file in files {
            let trace = try Trace(contentsOf: file)
            for row in reference.rows(of: trace.name) {
                let ratio = trace.ratio(hits(trace, capacity: row.entries))
                gaps.append(row.optimum - ratio)
                worst = max(worst, row.bestRatio - ratio)
                let figures = [ratio, row.optimum].map { String(format: "%.4f", $0) }.joined(separator: " | ")
                let best = "\(row.best) \(String(format: "%.4f (%+.4f)", row.bestRatio, ratio - row.bestRatio))"
                print("| \(trace.name) | \(row.entries) | \(figures) | \(best) |")
            }
        }
        let mean = gaps.reduce(0, +) / Double(max(1, gaps.count))
        print(String(format: "\nmean gap to the optimum %.4f, furthest behind the best %.4f", mean, worst))
        for (policy, gap) in reference.meanGaps() { print(String(format: "%.4f  ", gap) + policy) }
    }
}
