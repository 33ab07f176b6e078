import NIOCore
import RESP

extension RedisClient {
    /// Replaces user and password: on the connections that commands share, and for all that are made from now on.
    ///
    /// No command is lost by it that is answered within ``Configuration/commandTimeout``. Connections on lease and for
    /// subscriptions that are open stay as they are, as servers keep them; those on lease are not leased again. If there
    /// is no connection, one is made. Each server is asked on a connection of its own first; one of several that cannot
    /// be reached, once it is there; none where no node or primary is found within a second. Making connections takes
    /// ``Configuration/connectTimeout`` together, at most.
    ///
    /// - Throws: ``RedisClientError/Code/authenticationFailed`` if the server refuses them, or another
    ///   ``RedisClientError`` if it does not answer; then those before are kept.
    public func authenticate(username: String? = nil, password: String) async throws {
        let rotation = configuration.rotation
        try await rotation.beginChange()
        defer { rotation.endChange() }
        if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
        let before = rotation.current
        // Also on failure: what was made meanwhile has said what is not kept.
        defer { for node in servers { node.leases.renew() } }
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.connectTimeout)
        do {
            try await announce(Credentials(username: username, password: password), until: deadline)
        } catch {
            if rotation.current != before {
                rotation.current = before
                await forget()
            }
            guard let refusal = error as? RESPError else { throw error }
            throw RedisClientError(
                .authenticationFailed,
                "The server refused the credentials.",
                underlying: refusal
            )
        }
    }

    private var servers: [RedisNode] {
        switch backend {
        case .one(let node): [node]
        case .several(let executor): executor.router.servers
        }
    }

    private func announce(_ credentials: Credentials, until deadline: NIODeadline) async throws {
        if servers.isEmpty, case .several(let executor) = backend {
            // Whom to ask first is known behind that, though nobody may have answered.
            try? await executor.router.discover(until: patience(until: deadline))
            if Task.isCancelled { throw RedisNode.cancelled(mayHaveExecuted: false) }
        }
        // Nobody else says them before a server has taken them.
        var proven = try await prove(credentials, to: servers, until: deadline)
        configuration.rotation.current = credentials
        if !servers.contains(where: \.isConnected) { try await Self.twice { try await connect(until: deadline) } }
        let others = servers.filter { node in !proven.contains { $0 === node } }
        proven += try await prove(credentials, to: others, until: deadline)
        try await say(credentials, to: proven.filter(\.isConnected))
    }

    private func connect(until deadline: NIODeadline) async throws {
        switch backend {
        case .one(let node): try await node.connect(until: deadline)
        case .several(let executor): try await executor.router.connect(until: deadline)
        }
    }

    /// An attempt that is refused may have begun with what was replaced.
    private static func twice(_ connect: () async throws -> Void) async throws {
        do {
            try await connect()
        } catch let error as RedisClientError where error.code == .authenticationFailed {
            try await connect()
        }
    }

    /// Asks servers on connections of their own: from Redis 7.2 a refusal may go unsaid among other replies, and those
    /// behind it would be taken for others.
    ///
    /// - Returns: those that were there to be asked.
    private func prove(
        _ credentials: Credentials,
        to servers: [RedisNode],
        until deadline: NIODeadline
    ) async throws -> [RedisNode] {
        let areSaid = configuration.rotation.current == credentials
        var open = servers.filter { $0.isConnected || $0.isLeaving || areSaid && $0.isSought }
        return try await withThrowingTaskGroup(of: (node: RedisNode, isProven: Bool).self) { group in
            for node in servers {
                group.addTask {
                    try await self.arrive(node, with: credentials, until: deadline)
                    let isThere = node.isConnected || node.isLeaving
                    // Where none is, others wait for the next connection, and would be told of its refusal.
                    guard isThere || !self.servers.contains(where: \.isConnected) else { return (node, false) }
                    let trial = node.trial(of: credentials)
                    do {
                        try await node.withConnection(beside: trial) {
                            try await trial.connect(until: deadline)
                            // A server without a password takes any in `HELLO`, and refuses it here.
                            let deadline = NIODeadline.now() + TimeAmount(clamping: trial.configuration.commandTimeout)
                            _ = try await trial.run(credentials.command, deadline: deadline)
                        }
                    } catch  where node.isLeft {
                        return (node, false)
                    } catch let error as RedisClientError where !isThere && servers.count > 1 {
                        if error.code == .authenticationFailed || Task.isCancelled { throw error }
                        return (node, false)
                    }
                    return (node, true)
                }
            }
            var proven: [RedisNode] = []
            for try await (node, isProven) in group {
                open.removeAll { $0 === node }
                if isProven { proven.append(node) }
                // Of servers that were away one is enough, and others may never come.
                if open.isEmpty, !proven.isEmpty { break }
            }
            group.cancelAll()
            return proven
        }
    }

    /// Returns when an attempt under way has ended, which may say the credentials, or what they replace.
    ///
    /// - Throws: the server's refusal of them.
    private func arrive(_ node: RedisNode, with credentials: Credentials, until deadline: NIODeadline) async throws {
        guard configuration.rotation.current == credentials else {
            // One that takes longer is made anew once it is there.
            if node.isConnecting { try? await node.connect(until: patience(until: deadline)) }
            return
        }
        guard node.isSought else { return }
        do {
            try await Self.twice { try await node.connect(until: deadline) }
        } catch let error as RedisClientError where error.code != .authenticationFailed {
            // It is not there, or nobody waits any more.
            if Task.isCancelled { throw error }
        }
    }

    private func patience(until deadline: NIODeadline) -> NIODeadline {
        min(deadline, .now() + configuration.surveyPatience)
    }

    /// To all at once, however many there are.
    private func say(_ credentials: Credentials, to servers: [RedisNode]) async throws {
        let deadline = NIODeadline.now() + TimeAmount(clamping: configuration.commandTimeout)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in servers {
                group.addTask {
                    do { _ = try await node.run(credentials.command, deadline: deadline) } catch  where node.isLeft {}
                }
            }
            try await group.waitForAll()
        }
    }

    /// Makes connections anew that have said what is not kept. A cancelled caller waits for that as well.
    private func forget() async {
        for node in servers {
            try? await node.eventLoop.submit { node.leave(because: "Its credentials are not kept.") }.get()
        }
    }
}

extension RedisNode {
    /// Another connection to the server, for somebody to see whether it takes credentials.
    fileprivate func trial(of credentials: Credentials) -> RedisNode {
        var configuration = configuration
        configuration.rotation = CredentialRotation()
        configuration.rotation.current = credentials
        configuration.peer = .any
        configuration.clientSideCaching = false
        return RedisNode(configuration: configuration, eventLoop: eventLoop, logger: logger, isRenewed: false)
    }
}
