/// The word somebody probably meant.
enum NearestName {
    /// The candidate with the fewest edits from the word, if they are few for its length.
    static func of(_ word: String, among candidates: some Collection<String>) -> String? {
        let word = word.lowercased()
        let ranked = candidates.map { (name: $0, distance: distance(word, $0.lowercased())) }
        guard let best = ranked.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
        return best.distance <= max(1, min(word.count, best.name.count) / 3) ? best.name : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other (optimal string
    /// alignment).
    private static func distance(_ first: String, _ second: String) -> Int {
        let a = Array(first.unicodeScalars.prefix(64))
        let b = Array(second.unicodeScalars.prefix(64))
        var twoAgo: [Int] = []
        var previous = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var row = [i + 1]
            for (j, y) in b.enumerated() {
                var best = min(previous[j] + (x == y ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, x == b[j - 1], a[i - 1] == y { best = min(best, twoAgo[j - 1] + 1) }
                row.append(best)
            }
            twoAgo = previous
            previous = row
        }
        return previous[b.count]
    }
}
