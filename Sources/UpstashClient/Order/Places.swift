/// Places in ascending order, in runs that are short, so that no change moves many of them.
struct Places {
    private static let maxRun = 512

    /// None of them is empty.
    private var runs: [[Int]] = []

    var isEmpty: Bool { runs.isEmpty }

    func last(before place: Int) -> Int? {
        let index = run(of: place)
        let rank = index < runs.count ? rank(of: place, in: index) : 0
        if rank > 0 { return runs[index][rank - 1] }
        return index > 0 ? runs[index - 1].last : nil
    }

    mutating func insert(_ place: Int) {
        guard !runs.isEmpty else { return runs = [[place]] }
        let index = min(run(of: place), runs.count - 1)
        runs[index].insert(place, at: rank(of: place, in: index))
        guard runs[index].count > Self.maxRun else { return }
        let half = Array(runs[index].suffix(Self.maxRun / 2))
        runs[index].removeLast(half.count)
        runs.insert(half, at: index + 1)
    }

    mutating func remove(_ place: Int) {
        let index = run(of: place)
        guard index < runs.count else { return }
        let rank = rank(of: place, in: index)
        guard runs[index][rank] == place else { return }
        runs[index].remove(at: rank)
        if runs[index].isEmpty { runs.remove(at: index) }
    }

    /// The first run that does not end before a place.
    private func run(of place: Int) -> Int {
        Self.first(of: runs.count) { (runs[$0].last ?? place) >= place }
    }

    private func rank(of place: Int, in run: Int) -> Int {
        Self.first(of: runs[run].count) { runs[run][$0] >= place }
    }

    /// The first index at which something is true that is true at all that follow.
    private static func first(of count: Int, where isTrue: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isTrue(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
