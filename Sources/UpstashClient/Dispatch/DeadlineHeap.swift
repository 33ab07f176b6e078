import NIOCore

/// A binary heap of jobs: the one with the earliest deadline is first.
struct DeadlineHeap {
    private var jobs: [Job] = []
    /// How often two of them were compared, for tests.
    private(set) var comparisons = 0

    var count: Int { jobs.count }
    var first: Job? { jobs.first }

    mutating func insert(_ job: Job) {
        jobs.append(job)
        var place = jobs.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard isEarlier(place, than: parent) else { return }
            jobs.swapAt(place, parent)
            place = parent
        }
    }

    mutating func removeFirst() {
        guard let last = jobs.popLast(), !jobs.isEmpty else { return }
        jobs[0] = last
        sink(from: 0)
    }

    mutating func removeAll(where isUnneeded: (Job) -> Bool) {
        jobs.removeAll(where: isUnneeded)
        for place in (0..<jobs.count / 2).reversed() { sink(from: place) }
    }

    private mutating func sink(from start: Int) {
        var place = start
        while 2 * place + 1 < jobs.count {
            var child = 2 * place + 1
            if child + 1 < jobs.count, isEarlier(child + 1, than: child) { child += 1 }
            guard isEarlier(child, than: place) else { return }
            jobs.swapAt(place, child)
            place = child
        }
    }

    private mutating func isEarlier(_ place: Int, than other: Int) -> Bool {
        comparisons += 1
        return jobs[place].deadline < jobs[other].deadline
    }
}
