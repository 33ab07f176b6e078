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

    /// Sees whether the address leads to another server by now, as somebody else's connection to it was lost and is there
    /// again. Connections younger than that loss lead to where that one does.
    func recheckServer(since loss: NIODeadline) {
        let isLost = state.withLockedValue { state in
            if case .waitingToReconnect = state.phase { true } else { false }
        }
        link.withLockedValue { link in
            link.rechecks += 1
            if isLost { link.lost = nil }
            link.recheck = Task { [former = link.recheck] in
                await former?.value
                await compareServers(since: loss)
                self.link.withLockedValue { $0.rechecks -= 1 }
            }
        }
    }

    private func compareServers(since loss: NIODeadline) async {
        let isOlder = link.withLockedValue { $0.attemptBegan.map { $0 < loss } ?? false }
        guard isOlder, isConnected else { return }
        var configuration = configuration
        configuration.clientSideCaching = false
        let next = RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        _ = try? await withConnection(beside: next) {
            try await next.connect(until: deadline)
            let found = try await next.serverID(until: deadline)
            let own = try await serverID(until: deadline)
            // What is not told counts as another. There is no need to pace it: a loss went before.
            if found == nil || found != own { followAddress() }
        }
    }

    /// What tells a server from others, and from itself before it was started again.
    ///
    /// - Returns: `nil` where it does not tell.
    /// - Throws: `RedisClientError` where the connection is lost, and so made anew in any case.
    private func serverID(until deadline: NIODeadline) async throws -> String? {
        do {
            let info = try await run(RESPCommand("INFO", "server"), deadline: deadline)
            return info.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }.map(String.init)
        } catch is RESPError {
            return nil
        } catch let error as RedisClientError where error.isTimeout {
            return nil
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
