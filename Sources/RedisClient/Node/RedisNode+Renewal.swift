import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// Turning from a server that is not the one to ask any longer: the address may lead to another since the connection was
/// made.
extension RedisNode {
    /// - Parameter replies: to commands, in their order.
    func learn(from replies: [RESPValue], to commands: [RESPCommand]) {
        for place in replies.indices {
            if let error = replies[place].error { learn(from: error, to: commands[place]) }
        }
    }

    func learn(from error: RESPError, to command: RESPCommand) {
        guard error.code == .readOnly else { return }
        guard command.runsScript else { return renewConnections() }
        // It may be made up.
        guard error.isServersRefusal, link.withLockedValue({ $0.questions.take() }) else { return }
        let doubt = ScriptError(error, to: command, isAsking: false, mayBeReplica: false)
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.commandTimeout)
        Task {
            let answer = try? await run(doubt.question.command, deadline: deadline)
            let verdict = doubt.verdict(answer) {
                FollowUp($0, from: configuration.address)
            } isKnown: { _ in
                false
            }
            if verdict.isConfirmed { renewConnections() }
        }
    }

    /// A server that sends callers to where it was found itself is not what is found there by now.
    func learn(from redirect: Redirect) {
        if redirect.target == configuration.address { renewConnections() }
    }

    /// Has connections made anew that are not broken, each behind its last reply. Not at once if that was done just
    /// before: the server may be a replica on purpose.
    func renewConnections() {
        guard link.withLockedValue({ $0.renewals.take() }) else { return }
        followAddress()
        eventLoop.execute { self.watch(.leaving) }
    }

    private func followAddress() {
        leases.renew()
        eventLoop.execute {
            self.link.withLockedValue { $0.lost = .now() }
            self.leave(because: "There may be another server at this address by now.")
        }
    }

    /// Sees whether the address leads to another server by now, for what became of another connection to it. One look
    /// follows the other until that is known, or there is no connection to doubt.
    func recheckServer(_ reason: ServerDoubt.Reason) {
        let isLost = state.withLockedValue { $0.phase.isWaitingToReconnect }
        link.withLockedValue { link in
            if case .loss = reason, isLost { link.lost = nil }
            link.doubt.add(reason)
            if link.recheck == nil { link.recheck = Task { await self.recheck() } }
        }
        rechecks.resumeAll()
    }

    private func recheck() async {
        while let due = nextRecheck() {
            let start = NIODeadline.now()
            guard due <= start else {
                await rechecks.wait(until: due) { self.link.withLockedValue { $0.doubt.due != due } }
                continue
            }
            let answers = try? await askServers()
            let isElsewhere = link.withLockedValue { link in
                link.doubt.hear(answers, askedAt: start, of: link.attemptBegan, now: .now())
            }
            if isElsewhere { followAddress() }
        }
    }

    /// - Returns: when to look; `nil` if there is no need to any longer.
    private func nextRecheck() -> NIODeadline? {
        link.withLockedValue { link in
            let due = isConnected ? link.doubt.nextLook(at: link.attemptBegan) : nil
            if due == nil {
                link.doubt.end()
                link.recheck = nil
            }
            return due
        }
    }

    private func askServers() async throws -> ServerDoubt.Answers {
        var configuration = configuration
        configuration.clientSideCaching = false
        // A look that comes to nothing is no outage.
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        let next = RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        return try await withConnection(beside: next) {
            try await next.connect(until: deadline)
            let found = try await next.identity(until: deadline)
            return ServerDoubt.Answers(found: found, own: try await identity(until: deadline))
        }
    }

    /// - Throws: `RedisClientError` where the connection is lost, or takes no more at the moment.
    private func identity(until deadline: NIODeadline) async throws -> ServerDoubt.Identity {
        do {
            let info = try await run(RESPCommand("INFO", "server"), deadline: deadline)
            let line = info.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }
            return line.map { .told(String($0)) } ?? .untold
        } catch let error as RESPError {
            let isForGood = error.code == .noPermission || error.message.hasPrefix("unknown command")
            return isForGood ? .untold : .busy
        } catch let error as RedisClientError where error.isTimeout {
            return .busy
        }
    }

    /// Makes the shared connection anew, behind its last reply, or behind `commandTimeout`: until then new commands wait.
    /// On the event loop.
    func leave(because reason: String) {
        let stream = state.withLockedValue { state -> CommandStream? in
            guard case .ready(let stream) = state.phase else { return nil }
            state.phase = .leaving(stream)
            return stream.value
        }
        let limit = TimeAmount(clamping: configuration.commandTimeout)
        stream?.close(within: limit, because: RedisClientError(.connectionLost, reason))
    }
}
