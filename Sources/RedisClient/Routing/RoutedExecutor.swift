import NIOCore
import RESP

/// Sends commands to the nodes that they are for, follows redirections, and waits where a server says so.
struct RoutedExecutor: Sendable {
    let router: any NodeRouter
    /// Those who wait for their next attempt.
    let pauses: WaitList

    static let asking = RESPCommand("ASKING")

    /// - Parameter eventLoop: serves pauses only.
    init(router: any NodeRouter, eventLoop: any EventLoop) {
        self.router = router
        pauses = WaitList(eventLoop: eventLoop)
    }

    func close() async {
        await router.close()
        // Nothing ends a pause when the event loops are gone.
        pauses.open()
    }

    func abandon() {
        router.abandon()
        pauses.open()
    }

    func run(_ command: RESPCommand, deadline: NIODeadline) async throws -> RESPValue {
        guard case .one(let place) = try router.route(command) else {
            return try await run([command], deadline: deadline)[0].get()
        }
        var attempts = Attempts(executor: self, deadline: deadline)
        var redirect: Redirect?
        var fromReplica = router.readsFromReplicas && command.isForReplicas
        var hasDoubted = false
        while true {
            let node = try await node(for: redirect.map { .node($0.target) } ?? place, fromReplica, deadline)
            let mayMove = redirect == nil && (fromReplica || place.isOnNoNode)
            do {
                guard redirect?.isAsk == true else {
                    return try await node.run(command, deadline: deadline, mayMove: mayMove)
                }
                let replies = try await node.run([Self.asking, command], deadline: deadline)
                return try replies[1].get()
            } catch let error as RESPError where error.code == .noScript && fromReplica && router.isReplica(node) {
                // Scripts are loaded on primaries, and come to replicas late or never.
            } catch let error as RESPError {
                var verdict = ScriptError.Verdict.refused(error)
                if command.runsScript, followUp(error, from: node) != .answer {
                    let doubt = ScriptError(
                        error,
                        to: command,
                        isAsking: redirect?.isAsk == true,
                        mayBeReplica: router.readsFromReplicas
                    )
                    verdict = await verdicts(on: [doubt], of: node, deadline: deadline)[0]
                }
                switch verdict {
                case .refused(let refusal):
                    redirect = try await attempts.followUp(refusal, from: node, fromReplica: fromReplica)
                case .doubtful where !hasDoubted:
                    (hasDoubted, redirect) = (true, nil)
                    try await attempts.wait(orThrow: error)
                case .doubtful, .madeUp:
                    throw error
                }
            } catch let error as RedisClientError {
                guard error.allowsRetryElsewhere(isReadOnly: command.isReadOnly) else {
                    if error.maySayThatTheServerIsGone { router.suspect(node) }
                    throw error
                }
                redirect = nil
                try await attempts.lost(error, node)
            }
            fromReplica = false
        }
    }

    /// The node at a place, as soon as it is known.
    func node(for place: Place, _ fromReplica: Bool, _ deadline: NIODeadline) async throws -> RedisNode {
        while true {
            if let node = try router.node(for: place, fromReplica: fromReplica) { return node }
            try await router.discover(until: deadline)
        }
    }

    func followUp(_ error: RESPError, from node: RedisNode) -> FollowUp {
        FollowUp(error, from: node.configuration.address) { router.servers.map(\.configuration.address) }
    }
}

extension RedisClientError {
    /// Whether another node may be asked instead: nothing was done, or nothing that matters.
    func allowsRetryElsewhere(isReadOnly: @autoclosure () -> Bool) -> Bool {
        switch code {
        case .connectionLost, .connectFailed: !mayHaveExecuted || isReadOnly()
        default: false
        }
    }

    /// Whether it is a reason to look whether the server is still the one to ask.
    var maySayThatTheServerIsGone: Bool {
        switch code {
        case .connectionLost, .connectFailed, .timedOut: true
        default: false
        }
    }
}
