import Foundation

/// Hit ratios of known policies: lines of `trace,requests,distinct,cache_entries,policy,hit_ratio`.
struct Reference {
    struct Row {
        let entries: Int
        let optimum: Double
        let best: String
        let bestRatio: Double
    }

    private var ratios: [String: [Int: [String: Double]]] = [:]

    init(contentsOf path: String) throws {
        for line in try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline).dropFirst() {
            // The policy, fifth of six, may have commas of its own and then stands in quotes.
            let cells = line.split(separator: ",")
            guard cells.count >= 6, let entries = Int(cells[3]), let ratio = cells.last.flatMap({ Double($0) }) else {
                continue
            }
            let policy = cells[4..<(cells.count - 1)].joined(separator: ",").filter { $0 != "\"" }
            ratios[String(cells[0]), default: [:]][entries, default: [:]][policy] = ratio
        }
    }

    func rows(of trace: String) -> [Row] {
        (ratios[trace] ?? [:]).sorted { $0.key < $1.key }.compactMap { entries, policies in
            guard let optimum = policies["Belady"],
                let best = policies.filter({ $0.key != "Belady" }).max(by: { $0.value < $1.value })
            else { return nil }
            return Row(entries: entries, optimum: optimum, best: best.key, bestRatio: best.value)
        }
    }

    /// The mean gap to the optimum of each policy, the smallest first.
    func meanGaps() -> [(String, Double)] {
        var gaps: [String: [Double]] = [:]
        for policies in ratios.values.flatMap(\.values) {
            guard let optimum = policies["Belady"] else { continue }
            for (policy, ratio) in policies where policy != "Belady" {
                gaps[policy, default: []].append(optimum - ratio)
            }
        }
        return gaps.map { ($0.key, $0.value.reduce(0, +) / Double($0.value.count)) }.sorted { $0.1 < $1.1 }
    }
}
