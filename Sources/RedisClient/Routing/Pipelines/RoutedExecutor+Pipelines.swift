import NIOCore
import RESP
import Synchronization

extension RoutedExecutor {
    func run(_ pipeline: [RESPCommand], deadline: NIODeadline, tracking: Tracking = .off) async throws -> [RESPValue] {
        if SharedConnectionRules.isTransaction(pipeline) {
            return try await runTransaction(pipeline, deadline: deadline) { try await $0.run($1, deadline: deadline) }
        }
        let routes = try pipeline.map { command throws(RedisClientError) in try router.route(command) }
        var primaries: [Primary] = []
        if routes.contains(where: \.isForAllPrimaries) {
            _ = try await node(for: .anyPrimary, false, deadline)
            primaries = router.primaries
        }
        let plan = PipelinePlan(pipeline, routes: routes, primaries: primaries)
        let work = try await run(PipelineWork(parts: plan.parts, tracking: tracking), deadline: deadline)
        var replies = plan.assemble(work.replies)
        // The primaries are others by now; one of them may have been asked twice.
        for ordinal in work.misanswered.sorted() {
            do {
                replies[ordinal] = try await run([pipeline[ordinal]], deadline: deadline, tracking: tracking)[0]
            } catch {
                throw work.whole(error)
            }
        }
        return replies
    }

    /// - Returns: the replies of all primaries.
    func runOnPrimaries(_ command: RESPCommand, deadline: NIODeadline) async throws -> [RESPValue] {
        _ = try await node(for: .anyPrimary, false, deadline)
        let parts = router.primaries.map { PipelinePlan.Part(command: command, place: $0.place) }
        return try await run(PipelineWork(parts: parts), deadline: deadline).replies
    }

    /// A transaction goes to one node and is sent again only as a whole, if nothing of it was done.
    func runTransaction(
        _ pipeline: [RESPCommand],
        deadline: NIODeadline,
        _ send: (RedisNode, [RESPCommand]) async throws -> [RESPValue]
    ) async throws -> [RESPValue] {
        let place = try router.route(transaction: pipeline.dropFirst().dropLast())
        var attempts = Attempts(executor: self, deadline: deadline)
        var redirect: Redirect?
        while true {
            let node = try await node(for: redirect.map { .node($0.target) } ?? place, false, deadline)
            do {
                let isAsk = redirect?.isAsk == true
                var replies = try await send(node, isAsk ? [Self.asking] + pipeline : pipeline)
                if isAsk { replies.removeFirst() }
                guard let refusal = refusal(ofTransaction: replies, from: node) else { return replies }
                redirect = try await attempts.followUp(refusal, from: node)
            } catch let error as RedisClientError {
                // A connection of one's own may be late long before the deadline.
                let isLate = error.isTimeout && !error.mayHaveExecuted
                guard isLate || error.allowsRetryElsewhere(isReadOnly: false) else {
                    if error.maySayThatTheServerIsGone { router.suspect(node) }
                    throw error
                }
                redirect = nil
                try await attempts.lost(error, node)
            }
        }
    }

    /// The reason why nothing of a transaction was done, if it is one to try again for.
    private func refusal(ofTransaction replies: [RESPValue], from node: RedisNode) -> RESPError? {
        // One by one they were run, or refused alike.
        if let refusal = replies.first?.error {
            let areAlike = replies.dropFirst().dropLast().allSatisfy { $0.error == refusal }
            return areAlike && followUp(refusal, from: node) != .answer ? refusal : nil
        }
        guard replies.last?.error != nil,
            replies.dropFirst().dropLast().allSatisfy({ $0.error != nil || $0.string == "QUEUED" })
        else { return nil }
        return replies.lazy.compactMap(\.error).first { followUp($0, from: node) != .answer }
    }

    /// - Returns: the work that is done.
    private func run(_ work: PipelineWork, deadline: NIODeadline) async throws -> PipelineWork {
        var work = work
        var attempts = Attempts(executor: self, deadline: deadline)
        while true {
            let indices = work.beginRound()
            if indices.isEmpty { return work }
            let batches: [PipelineWork.Batch]
            do {
                batches = try await self.batches(indices, of: work, deadline)
            } catch {
                throw work.whole(error)
            }
            for batch in batches where !batch.node.tracksKeys.load(ordering: .relaxed) { work.sendPlain(batch.indices) }
            let outcomes = await send(batches, of: work, deadline)
            let afterScripts = await followUps(ofScripts: outcomes, of: batches, of: &work, deadline)
            let round = receive(outcomes, of: batches, afterScripts: afterScripts, into: &work)
            if !work.untracked.isEmpty {
                router.invalidations.put(work.untracked.flatMap { work.parts[$0].keys }, otherwise: .moved)
            }
            if let failure = work.failure { throw work.whole(failure) }
            for redirect in work.redirects { router.follow(redirect) }
            work.endRound()
            if work.isDone { return work }
            do {
                try await attempts.followUp(round)
            } catch let error as RESPError {
                // No time is left: what the servers said last is the answer.
                work.giveUp(error)
                return work
            } catch {
                throw work.whole(error)
            }
        }
    }

    /// Takes what came of a round into the work, and tells the router what it says of the nodes.
    private func receive(
        _ outcomes: [Result<[RESPValue], any Error>],
        of batches: [PipelineWork.Batch],
        afterScripts: [Int: FollowUp],
        into work: inout PipelineWork
    ) -> Round {
        let parts = work.parts
        var round = Round()
        for (batch, outcome) in zip(batches, outcomes) {
            if case .failure(let error as RedisClientError) = outcome, error.maySayThatTheServerIsGone {
                router.suspect(batch.node)
            }
            var reasons: Set<FollowUp.Reason> = []
            var isSpared = false
            let address = batch.node.configuration.address
            let error = work.receive(outcome, of: batch.indices, from: address) { error, part in
                let command = parts[part].command
                // Scripts are loaded on primaries, and come to replicas late or never.
                if error.code == .noScript, batch.fromReplica, command.isReadOnly {
                    isSpared = true
                    return .wait(.busy)
                }
                let next = command.runsScript ? afterScripts[part] ?? .answer : followUp(error, from: batch.node)
                if case .wait(let reason) = next { reasons.insert(reason) }
                if case .go(let redirect) = next { batch.node.learn(from: redirect) }
                return next
            }
            for reason in reasons {
                isSpared = router.turnedAway(by: batch.node, reason, fromReplica: batch.fromReplica)
                round.isAskedToWait = round.isAskedToWait || !isSpared
            }
            guard let error else { continue }
            // What was lost has no reply to fall back on, so it counts before what was refused; what another server
            // takes at once counts last.
            if !(round.latest?.error is RedisClientError), round.latest == nil || !isSpared {
                round.latest = (error, batch.node, isSpared)
            }
        }
        return round
    }

    /// What is to be sent, by node. Commands for one node keep their order.
    private func batches(
        _ indices: [Int],
        of work: PipelineWork,
        _ deadline: NIODeadline
    ) async throws -> [PipelineWork.Batch] {
        var batches: [PipelineWork.Batch] = []
        var places: [ObjectIdentifier: Int] = [:]
        // Asked once for each place: what becomes known meanwhile must not part commands of one slot.
        var (primaries, replicas): ([Place: RedisNode], [Place: RedisNode]) = ([:], [:])
        let writes = router.readsFromReplicas && work.rounds == 1 ? work.writes : nil
        for index in indices {
            let part = work.parts[index]
            let place = work.targets[index].map { Place.node($0.target) } ?? part.place
            // Whatever primary is asked anyway serves for what any can answer.
            if place == .anyPrimary, let batch = batches.firstIndex(where: { !$0.fromReplica }) {
                batches[batch].indices.append(index)
                continue
            }
            // A replica may not know yet what is written beside the read.
            let fromReplica = writes.map { part.command.isForReplicas && !$0.conflicts(with: part) } ?? false
            let known = fromReplica ? replicas[place] : primaries[place]
            let node = if let known { known } else { try await self.node(for: place, fromReplica, deadline) }
            if fromReplica { replicas[place] = node } else { primaries[place] = node }
            let batch = places[ObjectIdentifier(node)] ?? batches.count
            if batch == batches.count {
                batches.append(PipelineWork.Batch(node: node, fromReplica: fromReplica && router.isReplica(node)))
                places[ObjectIdentifier(node)] = batch
            }
            batches[batch].indices.append(index)
            batches[batch].mayMove = batches[batch].mayMove && (fromReplica || place.isOnNoNode)
        }
        return batches
    }

    private func send(
        _ batches: [PipelineWork.Batch],
        of work: PipelineWork,
        _ deadline: NIODeadline
    ) async -> [Result<[RESPValue], any Error>] {
        if batches.count == 1 { return [await Self.send(batches[0], of: work, deadline)] }
        return await withTaskGroup(of: (Int, Result<[RESPValue], any Error>).self) { group in
            for (number, batch) in batches.enumerated() {
                group.addTask { (number, await Self.send(batch, of: work, deadline)) }
            }
            var outcomes = [Result<[RESPValue], any Error>](repeating: .success([]), count: batches.count)
            for await (number, outcome) in group { outcomes[number] = outcome }
            return outcomes
        }
    }

    private static func send(
        _ batch: PipelineWork.Batch,
        of work: PipelineWork,
        _ deadline: NIODeadline
    ) async -> Result<[RESPValue], any Error> {
        do {
            let commands = work.commands(of: batch.indices)
            return .success(
                try await batch.node.run(
                    commands,
                    deadline: deadline,
                    mayMove: batch.mayMove,
                    isTracked: work.tracking != .off
                )
            )
        } catch {
            return .failure(error)
        }
    }
}

/// What a round of requests says of the next one.
private struct Round {
    /// Why something has to be tried again, and who said so.
    var latest: (error: any Error, node: RedisNode, isSpared: Bool)?
    var isAskedToWait = false
}

extension Attempts {
    /// Returns when what a round has left may be tried again.
    ///
    /// - Throws: why it has to be, where nothing can be done in time.
    fileprivate mutating func followUp(_ round: Round) async throws {
        guard let latest = round.latest else { return }
        if let error = latest.error as? RESPError {
            // Whoever is sent on waits along: the pipeline ends no sooner.
            if round.isAskedToWait {
                try await waitAsAsked(orThrow: error)
            } else if !latest.isSpared {
                try await moved(orThrow: error)
            }
        } else if let error = latest.error as? RedisClientError {
            try await lost(error, latest.node)
        }
    }
}

extension CommandRoute {
    fileprivate var isForAllPrimaries: Bool {
        switch self {
        case .everyPrimary, .primariesInTurn: true
        case .one, .parts: false
        }
    }
}
