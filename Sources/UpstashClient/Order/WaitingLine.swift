import NIOCore

/// Jobs that wait, and which of them may leave now.
///
/// Of two jobs whose results depend on their order the one that came later leaves when the other has been answered,
/// or in the same request, which the service runs in order. A job may overtake those that it has nothing to do with.
struct WaitingLine {
    /// Names what is under way.
    struct Ticket: Hashable {
        fileprivate let number: UInt64
    }

    private struct Journey {
        var jobs: [Job]
        /// Known once it was asked for: most requests are alone on the way.
        var footprint: Footprint?
    }

    /// Jobs that are passed over, at most; the search for others has its price.
    private static let maxHeld = 1024

    private let configuration: UpstashClient.Configuration
    private let inbox: Inbox
    private var journeys: [Ticket: Journey] = [:]
    private var lastTicket: UInt64 = 0
    /// Jobs that wait for a journey to end, for one that is about to begin, or for another that does.
    private var held: [Job] = []
    private var ofHeld = Footprint()
    /// Jobs behind them, which were not looked at since a journey ended.
    private var rest = CircularBuffer<Job>()

    init(_ configuration: UpstashClient.Configuration, inbox: Inbox) {
        self.configuration = configuration
        self.inbox = inbox
    }

    mutating func append(_ job: Job) { rest.append(job) }

    /// Puts jobs that were under way in front of all others.
    mutating func putBack(_ jobs: [Job]) {
        release()
        for job in jobs.reversed() { rest.prepend(job) }
    }

    /// From now on later jobs wait for these, as far as they depend on them.
    mutating func depart(_ jobs: [Job]) -> Ticket {
        lastTicket += 1
        let ticket = Ticket(number: lastTicket)
        journeys[ticket] = Journey(jobs: jobs)
        return ticket
    }

    mutating func arrive(_ ticket: Ticket) {
        journeys[ticket] = nil
        release()
    }

    /// Some have ended before their answer, and may be in nobody's way any longer.
    mutating func reconsider() {
        for ticket in journeys.keys { journeys[ticket]?.footprint = nil }
        release()
    }

    /// Looks at all again: some may have nobody to wait for any longer.
    private mutating func release() {
        guard !held.isEmpty else { return }
        for job in held.reversed() { rest.prepend(job) }
        held = []
        ofHeld = Footprint()
    }

    /// Takes out what the next request is to carry: jobs that share one, or one that does not.
    ///
    /// - Parameter sharing: whether one that they share may leave now.
    mutating func next(sharing: Bool) -> [Job] {
        var batch: [Job] = []
        var bytes = 0
        var count = 0
        // What the batch's pipelines do after this request; of those at its end it is not known yet, as most are alone.
        var ofLater = Footprint()
        var known = 0
        while held.count < Self.maxHeld, let job = rest.first {
            if job.isDone {
                inbox.left(rest.removeFirst())
                continue
            }
            let shares = job.sharesRequest
            if shares, !sharing { break }
            // It may depend on the batch, which leaves first.
            if !shares, !batch.isEmpty { break }
            for job in batch[known...] { ofLater.insert(job.later) }
            known = batch.count
            guard isFree(job, behind: ofLater) else {
                hold(rest.removeFirst())
                continue
            }
            guard shares else { return [rest.removeFirst()] }
            let piece = job.piece
            let isFull =
                bytes + piece.body.readableBytes + 3 > configuration.maxRequestBytes
                || count + piece.commands.count > configuration.maxCommandsPerRequest
            if isFull, !batch.isEmpty { break }
            batch.append(rest.removeFirst())
            bytes += piece.body.readableBytes + 1
            count += piece.commands.count
        }
        return batch
    }

    private mutating func hold(_ job: Job) {
        held.append(job)
        ofHeld.insert(job.unfinished)
    }

    private mutating func isFree(_ job: Job, behind ofLater: Footprint) -> Bool {
        if journeys.isEmpty, held.isEmpty, ofLater.isEmpty { return true }
        let own = Footprint(CollectionOfOne(job))
        if own.conflicts(with: ofHeld) || own.conflicts(with: ofLater) { return false }
        for ticket in Array(journeys.keys) where own.conflicts(with: footprint(of: ticket)) { return false }
        return true
    }

    private mutating func footprint(of ticket: Ticket) -> Footprint {
        if let known = journeys[ticket]?.footprint { return known }
        let footprint = Footprint((journeys[ticket]?.jobs ?? []).filter(\.isInTheWay))
        journeys[ticket]?.footprint = footprint
        return footprint
    }
}
