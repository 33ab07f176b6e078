import NIOCore

/// Jobs that wait, and which of them may leave now.
///
/// Of two jobs whose results depend on their order the one that came later leaves when the other has been answered,
/// or in the same request, which the service runs in order. A job may overtake those that it has nothing to do with.
///
/// A job that has to wait waits for one of those that it depends on, and is looked at again when that one has left or
/// was answered. So what one job costs does not grow with the number of those that wait.
struct WaitingLine {
    /// Names what is under way.
    struct Ticket: Hashable {
        fileprivate let number: UInt64
    }

    private struct Journey {
        let jobs: [Job]
        /// Where they stood in line, as far as they had a place.
        let places: [ObjectIdentifier: Claims.Place]
    }

    /// Jobs that are found to have to wait in one go, at most.
    private static let maxHeld = 1024

    private let configuration: UpstashClient.Configuration
    private let inbox: Inbox
    private var journeys: [Ticket: Journey] = [:]
    /// Those to which nothing was compared yet: most requests are alone on the way.
    private var unlisted: Set<Ticket> = []
    private var lastTicket: UInt64 = 0
    /// What jobs use that others may have to wait for, on their way or in line.
    private var claims = Claims()
    private var places: [ObjectIdentifier: Claims.Place] = [:]
    private var (firstPlace, lastPlace) = (0, 0)
    /// Jobs in line that have been looked at.
    private var jobs: [Claims.Place: Job] = [:]
    /// By whom they wait for.
    private var waiting: [Claims.Place: [Claims.Place]] = [:]
    /// Those that are to be looked at again.
    private var woken = CircularBuffer<Claims.Place>()
    /// Jobs behind them, which were not looked at yet.
    private var rest = CircularBuffer<Job>()
    /// Where those stood that were taken out last.
    private var leaving: [ObjectIdentifier: Claims.Place] = [:]
    /// Whether there are jobs that were not looked at, for there were too many for one go.
    private(set) var hasMore = false
    /// How often a job was compared with those before it, for tests.
    private(set) var comparisons = 0

    init(_ configuration: UpstashClient.Configuration, inbox: Inbox) {
        self.configuration = configuration
        self.inbox = inbox
    }

    mutating func append(_ job: Job) { rest.append(job) }

    /// Puts jobs that were under way in front of all others.
    mutating func putBack(_ returned: [Job]) {
        for job in returned.reversed() {
            if claims.isEmpty {
                rest.prepend(job)
            } else {
                woken.prepend(enter(job, at: placeInFront()))
            }
        }
    }

    /// From now on later jobs wait for these, as far as they depend on them.
    mutating func depart(_ jobs: [Job]) -> Ticket {
        lastTicket += 1
        let ticket = Ticket(number: lastTicket)
        journeys[ticket] = Journey(jobs: jobs, places: leaving)
        leaving = [:]
        unlisted.insert(ticket)
        return ticket
    }

    mutating func arrive(_ ticket: Ticket) {
        unlisted.remove(ticket)
        for job in journeys.removeValue(forKey: ticket)?.jobs ?? [] { withdraw(job) }
    }

    /// These have ended before their answer, and may be in nobody's way any longer.
    mutating func reconsider(_ ended: [Job]) {
        for job in ended {
            guard let place = withdraw(job) else { continue }
            if jobs.removeValue(forKey: place) != nil {
                inbox.left(job)
            } else if job.isInTheWay {
                claim(job, place)
            }
        }
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
        var behindLater: [Claims.Place] = []
        defer { woken.append(contentsOf: behindLater) }
        var held = 0
        hasMore = false
        leaving = [:]
        while let job = first() {
            let shares = job.sharesRequest
            if shares, !sharing { break }
            // It may depend on the batch, which leaves first.
            if !shares, !batch.isEmpty { break }
            for job in batch[known...] { ofLater.insert(job.later) }
            known = batch.count
            if !journeys.isEmpty || !claims.isEmpty || !ofLater.isEmpty {
                guard held < Self.maxHeld else {
                    hasMore = true
                    break
                }
                let place = enterFirst()
                comparisons += 1
                let blocker = claims.blocker(of: place)
                if blocker != nil || claims.depends(place, on: ofLater) {
                    woken.removeFirst()
                    held += 1
                    if let blocker {
                        waiting[blocker, default: []].append(place)
                    } else {
                        behindLater.append(place)
                    }
                    continue
                }
            }
            guard shares else { return [takeFirst(job)] }
            let piece = job.piece
            let isFull =
                bytes + piece.body.readableBytes + 2 > configuration.maxRequestBytes
                || count + piece.commands.count > configuration.maxCommandsPerRequest
            if isFull, !batch.isEmpty { break }
            batch.append(takeFirst(job))
            bytes += piece.body.readableBytes + 1
            count += piece.commands.count
        }
        return batch
    }

    /// The next one to look at, without those that nobody waits for.
    private mutating func first() -> Job? {
        while let place = woken.first {
            if let job = jobs[place] {
                guard job.isDone else { return job }
                reconsider([job])
            }
            woken.removeFirst()
        }
        while let job = rest.first {
            guard job.isDone else { return job }
            inbox.left(rest.removeFirst())
        }
        return nil
    }

    /// Gives the next one a place, so that it can be compared.
    private mutating func enterFirst() -> Claims.Place {
        for ticket in unlisted {
            guard let journey = journeys[ticket] else { continue }
            // Those without a place left when there was nobody else.
            for job in journey.jobs where job.isInTheWay {
                claim(job, journey.places[ObjectIdentifier(job)] ?? placeInFront())
            }
        }
        unlisted = []
        if let place = woken.first { return place }
        lastPlace += 1
        woken.append(enter(rest.removeFirst(), at: lastPlace))
        return lastPlace
    }

    /// - Parameter job: the first one.
    private mutating func takeFirst(_ job: Job) -> Job {
        guard let place = woken.popFirst() else { return rest.removeFirst() }
        jobs[place] = nil
        leaving[ObjectIdentifier(job)] = place
        withdraw(job)
        return job
    }

    // MARK: Claims

    private mutating func placeInFront() -> Claims.Place {
        firstPlace -= 1
        return firstPlace
    }

    private mutating func enter(_ job: Job, at place: Claims.Place) -> Claims.Place {
        jobs[place] = job
        claim(job, place)
        return place
    }

    private mutating func claim(_ job: Job, _ place: Claims.Place) {
        places[ObjectIdentifier(job)] = place
        claims.insert(Footprint(CollectionOfOne(job)), at: place)
    }

    /// Nobody has to wait for it any longer.
    ///
    /// - Returns: its place, if it had one.
    @discardableResult
    private mutating func withdraw(_ job: Job) -> Claims.Place? {
        guard let place = places.removeValue(forKey: ObjectIdentifier(job)) else { return nil }
        claims.remove(at: place)
        if let others = waiting.removeValue(forKey: place) { woken.append(contentsOf: others) }
        return place
    }
}
