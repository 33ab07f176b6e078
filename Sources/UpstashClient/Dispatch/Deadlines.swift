import NIOCore

/// The jobs that are under way, so that each ends in time. One timer serves them all: it is set for the earliest.
struct Deadlines {
    private static let leastToPrune = 64

    private var jobs = DeadlineHeap()
    private var pruneAt = leastToPrune
    private var timer: NIODeadline?

    /// How often two jobs were compared, for tests.
    var comparisons: Int { jobs.comparisons }

    /// - Returns: when to call ``sweep(at:_:)``, if that is not planned yet.
    mutating func add(_ job: Job) -> NIODeadline? {
        if jobs.count >= pruneAt {
            // Twice what is left, so that the cost is spread.
            jobs.removeAll(where: \.hasLeft)
            pruneAt = max(Self.leastToPrune, jobs.count * 2)
        }
        jobs.insert(job)
        if let timer, timer <= job.deadline { return nil }
        timer = job.deadline
        return job.deadline
    }

    /// Hands over what is overdue. What was cancelled stays until then, too: it may be in the way of others.
    ///
    /// - Returns: when to call it again.
    mutating func sweep(at now: NIODeadline, _ overdue: (Job) -> Void) -> NIODeadline? {
        // An older timer, which another has replaced.
        guard let timer, timer <= now else { return nil }
        while let job = jobs.first, job.deadline <= now || job.hasLeft {
            if !job.hasLeft { overdue(job) }
            jobs.removeFirst()
        }
        self.timer = jobs.first?.deadline
        return self.timer
    }
}
