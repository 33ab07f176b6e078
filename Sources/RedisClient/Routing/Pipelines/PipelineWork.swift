import RESP

/// How far a pipeline has come that is spread over several nodes.
struct PipelineWork: Sendable {
    /// What goes to one node at once.
    struct Batch: Sendable {
        let node: RedisNode
        /// Whether the node is asked as a replica.
        let fromReplica: Bool
        var indices: [Int] = []
        /// Whether other nodes would do for all of it.
        var mayMove = true
    }

    let parts: [PipelinePlan.Part]
    let tracking: Tracking
    /// The last reply to each part.
    private(set) var replies: [RESPValue]
    /// Where a server said that each part belongs.
    private(set) var targets: [Redirect?]
    private(set) var rounds = 0
    /// Redirections of this round.
    private(set) var redirects: [Redirect] = []
    /// Why the pipeline cannot be completed.
    private(set) var failure: (any Error)?
    /// Parts that were answered by a server which does not track them.
    private(set) var untracked: [Int] = []
    /// Commands of the pipeline for which another than the primary that they speak of has answered.
    private(set) var misanswered: Set<Int> = []
    /// Parts that go to servers in this round which are known not to track.
    private var plain: Set<Int> = []
    /// Parts without an answer.
    private var pending: [Int]
    /// Messages that wait for what comes before them.
    private var held: [Int] = []
    private var mayHaveExecuted = false
    /// Parts whose refusal a server did not confirm.
    private var doubted: Set<Int> = []

    init(parts: [PipelinePlan.Part], tracking: Tracking = .off) {
        self.parts = parts
        self.tracking = tracking
        replies = Array(repeating: .null, count: parts.count)
        targets = Array(repeating: nil, count: parts.count)
        pending = Array(parts.indices)
    }

    var isDone: Bool { pending.isEmpty && held.isEmpty }

    /// The parts to send now, in order; none when all is done.
    mutating func beginRound() -> [Int] {
        rounds += 1
        redirects = []
        untracked = []
        plain = []
        let due = (pending + held).sorted()
        (pending, held) = ([], [])
        // Messages are few, and in most pipelines none.
        guard due.contains(where: { parts[$0].isMessage }) else { return due }
        return holdMessages(due)
    }

    /// A message would be told before what it tells of is done elsewhere, or although that was refused.
    private mutating func holdMessages(_ due: [Int]) -> [Int] {
        var waits = false
        return due.filter { index in
            guard parts[index].isMessage else {
                waits = waits || !parts[index].command.isReadOnly
                return true
            }
            if waits { held.append(index) }
            return !waits
        }
    }

    /// Takes refusals for answers where trying again would change the order: a server that becomes ready in between
    /// refuses one command of a pipeline and runs the next.
    mutating func endRound() {
        defer { readAgain() }
        guard pending.contains(where: isRefused) else { return }
        let waiting = Set(pending).union(held)
        var answered = PipelineOrder()
        var overtaken: Set<Int> = []
        for index in parts.indices.reversed() {
            if !waiting.contains(index) {
                answered.add(parts[index])
            } else if isRefused(index), answered.conflicts(with: parts[index]) {
                overtaken.insert(index)
            }
        }
        pending.removeAll { overtaken.contains($0) }
    }

    /// Has reads run once more that were answered before a write that is sent on: a node that has just become a replica
    /// sends on what writes, and answers reads itself. One from which a slot moves (`ASK`) has what it answers.
    private mutating func readAgain() {
        guard let first = pending.filter(isWriteSentOn).min() else { return }
        let waiting = Set(pending).union(held)
        var ways: [Place: Redirect] = [:]
        var reads: [Place: [Int]] = [:]
        for index in parts.indices[first...] {
            let place = parts[index].place
            if waiting.contains(index) {
                if isWriteSentOn(index) { ways[place] = targets[index] }
            } else if !parts[index].command.isReadOnly {
                // Run once more, what was read before it would show it.
                if replies[index].error == nil { reads[place] = nil }
            } else if let way = ways[place] {
                targets[index] = way
                reads[place, default: []].append(index)
            }
        }
        pending += reads.values.joined()
    }

    private func isWriteSentOn(_ index: Int) -> Bool {
        targets[index].map { !$0.isAsk } ?? false && !parts[index].command.isReadOnly
    }

    private func isRefused(_ index: Int) -> Bool { targets[index] == nil && replies[index].error != nil }

    /// No time is left. What was not sent is answered by what it waited for.
    mutating func giveUp(_ error: RESPError) {
        for index in held { replies[index] = .error(error) }
        (pending, held) = ([], [])
    }

    func commands(of batch: [Int]) -> [RESPCommand] {
        var commands: [RESPCommand] = []
        commands.reserveCapacity(batch.count)
        for index in batch {
            if let preface = preface(ofPart: index) { commands.append(preface) }
            commands.append(parts[index].command)
        }
        return commands
    }

    /// Those that change something.
    var writes: PipelineOrder {
        var writes = PipelineOrder()
        for part in parts where !part.command.isReadOnly { writes.add(part) }
        return writes
    }

    /// Leaves out what the server would refuse, where nothing depends on it.
    mutating func sendPlain(_ batch: [Int]) {
        if tracking == .preferred { plain.formUnion(batch) }
    }

    /// What makes a server treat the next command as it should. Each holds for that one alone, so that a command that
    /// asks cannot be tracked as well.
    private func preface(ofPart index: Int) -> RESPCommand? {
        if targets[index]?.isAsk == true { return RoutedExecutor.asking }
        return tracking == .off || plain.contains(index) ? nil : RedisTrackedExecutor.caching
    }

    /// The errors that scripts of a batch were answered with, by part.
    func errorsOfScripts(
        _ values: [RESPValue],
        of batch: [Int],
        mayBeReplica: Bool
    ) -> [(part: Int, error: ScriptError)] {
        var next = values.startIndex
        var errors: [(part: Int, error: ScriptError)] = []
        for index in batch {
            if preface(ofPart: index) != nil { next += 1 }
            guard next < values.endIndex else { break }
            let script = parts[index].command
            if let error = values[next].error, script.runsScript {
                let isAsking = targets[index]?.isAsk == true
                errors.append(
                    (index, ScriptError(error, to: script, isAsking: isAsking, mayBeReplica: mayBeReplica))
                )
            }
            next += 1
        }
        return errors
    }

    /// - Returns: whether that is the first time.
    mutating func doubt(_ part: Int) -> Bool { doubted.insert(part).inserted }

    /// Takes what came of a batch.
    ///
    /// - Parameters:
    ///   - node: the one that was asked.
    ///   - followUp: what an error asks for that a part was answered with.
    /// - Returns: an error for which something of it has to be tried again.
    mutating func receive(
        _ outcome: Result<[RESPValue], any Error>,
        of batch: [Int],
        from node: RedisClient.Configuration.Address,
        followUp: (RESPError, Int) -> FollowUp
    ) -> (any Error)? {
        switch outcome {
        case .success(let values):
            var latest: RESPError?
            var next = values.startIndex
            for index in batch {
                let hasPreface = preface(ofPart: index) != nil
                guard next + (hasPreface ? 1 : 0) < values.endIndex else { break }
                if hasPreface {
                    // A value that is not tracked must not be taken for one that is.
                    if tracking == .required { failure = failure ?? values[next].error }
                    next += 1
                }
                if let error = receive(values[next], forPart: index, from: node, followUp) { latest = error }
                next += 1
            }
            return latest
        case .failure(let error):
            guard let lost = error as? RedisClientError,
                lost.allowsRetryElsewhere(isReadOnly: batch.allSatisfy { parts[$0].command.isReadOnly })
            else {
                if failure == nil { failure = error }
                mayHaveExecuted = mayHaveExecuted || (error as? RedisClientError)?.mayHaveExecuted != false
                return nil
            }
            for index in batch where targets[index] != nil {
                // The redirection is no answer to fall back on.
                (targets[index], replies[index]) = (nil, .null)
            }
            pending += batch
            return lost
        }
    }

    private mutating func receive(
        _ value: RESPValue,
        forPart index: Int,
        from node: RedisClient.Configuration.Address,
        _ followUp: (RESPError, Int) -> FollowUp
    ) -> RESPError? {
        replies[index] = value
        switch value.error.map({ followUp($0, index) }) ?? .answer {
        case .answer:
            mayHaveExecuted = true
            if tracking == .required, targets[index]?.isAsk == true { untracked.append(index) }
            if let primary = parts[index].primary, primary != node { misanswered.insert(parts[index].ordinal) }
            return nil
        case .go(let redirect):
            targets[index] = redirect
            redirects.append(redirect)
        case .wait:
            targets[index] = nil
        }
        pending.append(index)
        return value.error
    }

    /// The error of the whole, which knows that parts of it may have been run.
    func whole(_ error: any Error) -> any Error {
        guard let error = error as? RedisClientError, mayHaveExecuted, !error.mayHaveExecuted else { return error }
        return error.with(mayHaveExecuted: true)
    }
}
