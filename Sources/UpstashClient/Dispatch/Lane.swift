import AsyncHTTPClient
import NIOCore
import RESP

/// Turns jobs into requests, on one event loop.
///
/// Commands leave in one request at a time; those that come meanwhile share the next. So batches form by themselves
/// under load, and a lone command never waits. A request that takes long lets others go beside it, if they do not
/// depend on it: the ``WaitingLine`` keeps the order.
final class Lane {
    private static let maxParts = 8

    private let configuration: UpstashClient.Configuration
    private let requests: RequestFactory
    private let httpClient: HTTPClient
    private let anyEventLoop: any EventLoop
    private let inbox: Inbox
    private let backoff: Backoff
    private var line: WaitingLine
    private var deadlines = Deadlines()
    private var syncToken = SyncToken()
    private var underWay: [WaitingLine.Ticket: HTTPClient.Task<Exchange.Reply>] = [:]
    /// Those that are to be sent again.
    private var pauses: [WaitingLine.Ticket: (jobs: [Job], timer: Scheduled<Void>)] = [:]
    /// The request of commands that the next one waits for.
    private var holder: WaitingLine.Ticket?

    init(
        configuration: UpstashClient.Configuration,
        requests: RequestFactory,
        httpClient: HTTPClient,
        eventLoop: any EventLoop,
        inbox: Inbox
    ) {
        self.configuration = configuration
        self.requests = requests
        self.httpClient = httpClient
        anyEventLoop = eventLoop
        self.inbox = inbox
        backoff = Backoff(configuration.retryBackoff)
        line = WaitingLine(configuration, inbox: inbox)
    }

    private var eventLoop: NIOIsolatedEventLoop { anyEventLoop.assumeIsolated() }

    // MARK: Jobs

    /// Takes in what callers have handed over, and sends what can be sent.
    func drain() {
        let (jobs, cancelled) = inbox.take()
        for job in jobs {
            line.append(job)
            if let time = deadlines.add(job) { sweep(at: time) }
        }
        line.reconsider(cancelled)
        send()
    }

    private func sweep(at time: NIODeadline) {
        eventLoop.scheduleTask(deadline: time) { [self] in
            var overdue: [Job] = []
            if let next = deadlines.sweep(at: .now(), { overdue.append($0) }) { sweep(at: next) }
            for job in overdue { job.fail(Outcome.late(mayHaveExecuted: job.mayArrive)) }
            line.reconsider(overdue)
            send()
        }
    }

    /// Ends all jobs, and gives up their requests.
    func giveUp() {
        drain()
        var jobs: [Job] = []
        _ = deadlines.sweep(at: .distantFuture) { jobs.append($0) }
        for job in jobs {
            job.fail(UpstashError(.closed, "The client was closed.", mayHaveExecuted: job.mayArrive))
        }
        for task in underWay.values { task.cancel() }
        for ticket in pauses.keys { endPause(ticket) }
        line.reconsider(jobs)
        send()
    }

    // MARK: Requests

    private func send() {
        while underWay.count < max(1, configuration.maxConcurrentRequests) {
            let next = line.next(sharing: holder == nil)
            guard !next.isEmpty else {
                // Others on this event loop have their turn first.
                if line.hasMore { eventLoop.execute { [self] in send() } }
                return
            }
            let batch = next.filter { job in
                if job.join() { return true }
                inbox.left(job)
                return false
            }
            send(batch)
        }
    }

    private func send(_ batch: [Job]) {
        guard let deadline = batch.map(\.deadline).max() else { return }
        let pieces = batch.map(\.piece)
        let (number, token) = syncToken.send()
        let request: HTTPClient.Request
        do {
            request = try requests.request(for: pieces, syncToken: token)
        } catch {
            let error = UpstashError(.unsupportedCommand, "The command cannot be sent over REST.", underlying: error)
            return end(batch, error)
        }
        let count = pieces.reduce(0) { $0 + $1.commands.count }
        let exchange = Exchange(maxBytes: configuration.maxResponseBytes, commandCount: count)
        let ticket = line.depart(batch)
        takeTurn(ticket, batch)
        let task = httpClient.execute(
            request: request,
            delegate: exchange,
            eventLoop: .delegate(on: anyEventLoop),
            deadline: deadline
        )
        underWay[ticket] = task
        task.futureResult.assumeIsolated().whenComplete { [self] result in
            underWay[ticket] = nil
            line.arrive(ticket)
            if holder == ticket { holder = nil }
            if let token = exchange.syncToken {
                syncToken.receive(token, by: number, isWrite: !pieces.allSatisfy(\.isReadOnly))
            }
            switch result {
            case .success(let reply):
                let outcome = Outcome(reply, count: count, hiding: configuration.token)
                settle(batch, outcome, retryAfter: reply.retryAfter)
            case .failure(let error):
                if !exchange.isSent { for job in batch { job.wasNotSent() } }
                settle(batch, Outcome(error, wasSent: exchange.isSent))
            }
            // After those who go on now had a chance to ask for more.
            eventLoop.execute { [self] in drain() }
        }
    }

    /// Commands have the next request of commands wait for theirs, but not for long.
    private func takeTurn(_ ticket: WaitingLine.Ticket, _ batch: [Job]) {
        guard batch.first?.sharesRequest == true else { return }
        holder = ticket
        eventLoop.scheduleTask(in: TimeAmount(clamping: configuration.overlapAfter)) { [self] in
            guard holder == ticket else { return }
            holder = nil
            send()
        }
    }

    // MARK: Results

    private func settle(_ batch: [Job], _ outcome: Outcome, retryAfter: TimeAmount = .zero) {
        switch outcome {
        case .values(let values): deliver(values, to: batch)
        case .transient(let error): retry(batch, error, retryAfter)
        case .failed(let error): end(batch, error)
        case .refused(let error, let mayHaveExecuted): refuse(batch, error, mayHaveExecuted, retryAfter)
        }
    }

    private func end(_ jobs: [Job], _ error: any Error) {
        for job in jobs { end(job, .failure(error)) }
    }

    private func end(_ job: Job, _ result: Result<[RESPValue], any Error>) {
        job.end(result)
        inbox.left(job)
    }

    private func deliver(_ values: [RESPValue], to batch: [Job]) {
        var rest = values[...]
        var answers: [Rejections.Answer] = []
        var crowdedOut: [Job] = []
        for job in batch {
            let piece = job.piece
            var own = rest.prefix(piece.commands.count)
            rest = rest.dropFirst(own.count)
            if piece.isReadOnly, piece.form == .list {
                let count = Self.certain(own, isAlone: batch.count == 1)
                if count == 0 {
                    job.sendAlone()
                    crowdedOut.append(job)
                    continue
                }
                if count < own.count {
                    job.split(Self.parts(of: piece.commands, after: count), limits: configuration)
                    own = own.prefix(count)
                }
            }
            answers.append(Rejections.Answer(job: job, values: Array(own)))
        }
        settle(Rejections(answers))
        // In front of what goes on: nothing that they have to come after does.
        if !crowdedOut.isEmpty { line.putBack(crowdedOut) }
    }

    /// How many results there was room for, or would not be in an answer of their own either.
    private static func certain(_ values: ArraySlice<RESPValue>, isAlone: Bool) -> Int {
        // Those in front had all the room there is.
        let tooLarge = isAlone ? values.prefix { $0.error?.upstashCode == .resultTooLarge }.count : 0
        let rest = values.dropFirst(tooLarge)
        return tooLarge + rest.prefix { $0.error.map { !mayBeCrowdedOut($0, isAlone: isAlone) } ?? true }.count
    }

    /// Whether a result may be missing because of others: the client has no room for it beside them, or a server that
    /// has a limit for all together. It is not where it is larger than that by itself.
    private static func mayBeCrowdedOut(_ error: RESPError, isAlone: Bool) -> Bool {
        guard error.upstashCode == .resultTooLarge else { return false }
        return !isAlone || !error.tellsOfMoreThanItsLimit
    }

    /// The commands that have results, and the others in parts, so that what does not fit is not asked for again and
    /// again. Not many parts: results differ in size.
    private static func parts(of commands: [RESPCommand], after count: Int) -> [ArraySlice<RESPCommand>] {
        let size = max(count, (commands.count - count) / maxParts + 1)
        let rest = stride(from: count, to: commands.count, by: size).map { start in
            commands[start..<min(start + size, commands.count)]
        }
        return [commands[..<count]] + rest
    }

    private func settle(_ rejections: Rejections) {
        advance(rejections.settled)
        sendAgain(rejections.again.map { answer in (answer.job, { [self] in advance([answer]) }) })
    }

    /// Tells those that have all their results, and lets the others go on at once, before anybody else.
    private func advance(_ answers: [Rejections.Answer]) {
        var onward: [Job] = []
        for answer in answers {
            if let all = answer.job.advance(answer.values) {
                end(answer.job, .success(all))
            } else {
                onward.append(answer.job)
            }
        }
        if !onward.isEmpty { line.putBack(onward) }
    }

    private func retry(_ batch: [Job], _ error: UpstashError, _ retryAfter: TimeAmount) {
        let again = endUnrepeatable(batch, error, mayHaveExecuted: error.mayHaveExecuted)
            .map { job in (job, { [self] in end(job, .failure(error)) }) }
        sendAgain(again, noSoonerThan: retryAfter)
    }

    /// Ends the jobs that may have changed something.
    ///
    /// - Returns: the others, which may be sent again.
    private func endUnrepeatable(_ batch: [Job], _ error: any Error, mayHaveExecuted: Bool) -> [Job] {
        batch.filter { job in
            if !mayHaveExecuted || job.piece.isReadOnly { return true }
            end(job, .failure(error))
            return false
        }
    }

    /// After a pause that is the same for all, so that they share a request again. What depends on them waits.
    private func sendAgain(_ jobs: [(job: Job, otherwise: () -> Void)], noSoonerThan least: TimeAmount = .zero) {
        guard !jobs.isEmpty else { return }
        let failures = jobs.map { $0.job.countFailure() }
        let pause = max(least, backoff.pause(after: failures.max() ?? 0))
        let time = NIODeadline.now() + pause
        var again: [Job] = []
        for ((job, otherwise), failures) in zip(jobs, failures) {
            if failures < configuration.maxRetries, time < job.deadline, !job.isDone {
                again.append(job)
            } else {
                otherwise()
            }
        }
        guard !again.isEmpty else { return }
        let ticket = line.depart(again)
        let timer = eventLoop.scheduleTask(deadline: time) { [self] in
            endPause(ticket)
            send()
        }
        pauses[ticket] = (again, timer)
    }

    private func endPause(_ ticket: WaitingLine.Ticket) {
        guard let (jobs, timer) = pauses.removeValue(forKey: ticket) else { return }
        timer.cancel()
        line.arrive(ticket)
        line.putBack(jobs)
    }

    /// Of a refused request each job is sent by itself, and of a refused job each command, so that only the one at
    /// fault fails.
    private func refuse(
        _ batch: [Job],
        _ error: any Error,
        _ mayHaveExecuted: Bool,
        _ retryAfter: TimeAmount
    ) {
        let hasScripts = batch.contains { $0.piece.commands.contains(where: \.runsScript) }
        if let reply = error as? RESPError, reply.code == .readOnly, reply.isServersRefusal || !hasScripts {
            let again = batch.map { job in (job, { [self] in end(job, .failure(reply)) }) }
            return sendAgain(again, noSoonerThan: retryAfter)
        }
        guard batch.count == 1 else {
            let again = endUnrepeatable(batch, error, mayHaveExecuted: mayHaveExecuted)
            for job in again { job.sendAlone() }
            return line.putBack(again)
        }
        let (job, piece) = (batch[0], batch[0].piece)
        guard let reply = job.reply(for: error), piece.form != .transaction else {
            return end(job, .failure(error))
        }
        if piece.commands.count == 1 { return advance([Rejections.Answer(job: job, values: [.error(reply)])]) }
        guard piece.isReadOnly || !mayHaveExecuted else {
            // Its commands must not be sent again one by one.
            let error = UpstashError(
                (error as? UpstashError)?.code ?? .serverFailed,
                "The service refused a request of several commands, and may have run some of them.",
                mayHaveExecuted: true,
                underlying: error
            )
            return end(job, .failure(error))
        }
        job.split(piece.commands.map(CollectionOfOne.init), limits: configuration)
        line.putBack([job])
    }
}

extension Job {
    /// What a refusal is among the results; `nil` where it ends everything.
    fileprivate func reply(for error: any Error) -> RESPError? {
        if let error = error as? RESPError { return error }
        guard isPipeline, let error = error as? UpstashError, error.isRefusal else { return nil }
        return error.reply
    }
}
